"""Wrong options, arguments and commands as one line; typer itself prints a box of three to six."""

import re
from typing import Any

import typer

# Typer's click is its own or the package, as its version has it: the base of both errors and usage errors.
UsageProblem: type[Exception] = typer.BadParameter.__mro__[2]


def one_line(problem: Any) -> str:
    """What is wrong with a command line, and where its help is."""
    text = " ".join(str(problem.format_message()).split()).removesuffix(".")
    text = re.sub(r", unable to parse .*", "", text.replace("Input should be", "must be"))
    context = getattr(problem, "ctx", None)
    command = "sweeps" if context is None else context.command_path
    return f"{text[:1].lower()}{text[1:]} (see `{command} --help`)"
