"""How the commands are used: an example of each, and what is wrong with a command line as one line.

Typer itself prints a box of three to six lines.
"""

import re
from typing import Any

import typer

# Typer's click is its own or the package, as its version has it: the base of both errors and usage errors.
UsageProblem: type[Exception] = typer.BadParameter.__mro__[2]

# At the end of each command's help; a test has the commands themselves parse them.
EXAMPLES = {
    "run": "sweeps run k-tradeoff --set base.num_epochs=20 --set 'search.seeds=[0, 1]' --name short",
    "plan": "sweeps plan quickstart --set resources.cpus=2",
    "specs": "sweeps specs",
    "extend": "sweeps extend quickstart --set 'search.seeds=[0, 1, 2, 3]'",
    "fork": "sweeps fork 3f2a9c0d1e --set objective.num_samples=50 --name larger-k",
    "schema": "sweeps schema > spec.schema.json",
    "submit": "sweeps submit quickstart --cluster http://127.0.0.1:8265 --storage /srv/sweeps",
    "resume": "sweeps resume quickstart --set budget.wall_clock=2h",
    "list": "sweeps list --storage s3://bucket/sweeps",
    "status": "sweeps status quickstart --json",
    "logs": "sweeps logs quickstart --trial 'K=50 D=20 linear s0'",
    "stop": "sweeps stop quickstart --timeout 120",
    "delete": "sweeps delete short --yes",
    "verify": "sweeps verify quickstart --repair",
    "report": "sweeps report quickstart --output report",
    "best": "sweeps best quickstart --json",
    "compare": "sweeps compare quickstart with-dreg",
    "reproduce": "sweeps reproduce --best quickstart",
    "ui": "sweeps ui quickstart --port 0",
    "import": "sweeps import iris.csv --out iris.npz --label species --test 0.2",
    "export": "sweeps export 3f2a9c0d1e --embeddings --nll --out latents",
    "bundle": "sweeps bundle quickstart --out quickstart.zip",
    "open": "sweeps open quickstart.zip --storage opened",
}


def one_line(problem: Any) -> str:
    """What is wrong with a command line, and where its help is."""
    text = " ".join(str(problem.format_message()).split()).removesuffix(".")
    text = re.sub(r", unable to parse .*", "", text.replace("Input should be", "must be"))
    context = getattr(problem, "ctx", None)
    command = "sweeps" if context is None else context.command_path
    return f"{text[:1].lower()}{text[1:]} (see `{command} --help`)"
