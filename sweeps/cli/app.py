"""What the commands share: the app, their options, what they print, and how a session ends."""

import contextlib
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from sweeps.cli.completion import specs, sweep_names
from sweeps.process import signals

if TYPE_CHECKING:
    from sweeps.execution.display import Display
    from sweeps.sweep import Sweep

app = typer.Typer(
    name="sweeps",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Hyperparameter sweeps of importance weighted autoencoders: how much training time is a larger
    K worth?

    `sweeps run quickstart` trains 24 small models in about two minutes; `sweeps ui` opens the result.""",
)

# Names and messages hold brackets: none is markup.
err = Console(stderr=True, markup=False, emoji=False)
_stopped_in_order = False
# In a pipe nothing is cut off at the width of a terminal that is not there.
out = Console(width=None if sys.stdout and sys.stdout.isatty() else 200, markup=False, emoji=False)

LAUNCH, LOOK, REPRODUCE, CHANGE, DATA = "Launch", "Look", "Reproduce", "Change", "Data"


def checked_name(parameter: typer.CallbackParam, value: str | None) -> str | None:
    """A sweep's name from the command line, before anything else is looked at."""
    from tracking.records.names import check_name

    where = parameter.opts[0] if parameter.param_type_name == "option" else parameter.metavar or "NAME"
    where = where.strip("[]")
    return None if value is None else check_name(value, where)


Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="The sweep's name (`sweeps list` shows them).",
        callback=checked_name,
        autocompletion=sweep_names,
    ),
]
NewName = Annotated[
    str | None,
    typer.Option("--name", help="The sweep's name, unique in the tracking store.", callback=checked_name),
]
Spec = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        help="A YAML file, or the name of a ready spec (see `sweeps specs`).",
        autocompletion=specs,
    ),
]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        help="MLflow tracking store: a server or a database. Default: MLFLOW_TRACKING_URI, else mlflow.db"
        " in this folder.",
        show_default=False,
    ),
]
Storage = Annotated[
    str | None,
    typer.Option(
        help="Where the sweeps' files are: a folder or s3://bucket/prefix. Default: SWEEPS_STORAGE, else"
        " ./sweeps-storage.",
        show_default=False,
    ),
]


def _set_option(what: str, examples: str) -> Any:
    return typer.Option(
        "--set", metavar="PATH=VALUE", show_default=False, help=f"{what}; may be repeated: `{examples}`."
    )


# What a command accepts decides its example.
Set = Annotated[
    list[str] | None,
    _set_option("Override a value of the spec", "--set base.num_epochs=20 --set 'search.seeds=[0, 1]'"),
]
SetMore = Annotated[
    list[str] | None,
    _set_option(
        "What is added: the whole new list of seeds or grid values, or more trials",
        "--set 'search.seeds=[0, 1, 2, 3]'",
    ),
]
SetAgain = Annotated[
    list[str] | None,
    _set_option(
        "Change budget, resources or tracking", "--set budget.wall_clock=2h --set resources.max_concurrent=1"
    ),
]
SetConfig = Annotated[
    list[str] | None,
    _set_option(
        "Override a value of the run's training configuration",
        "--set objective.num_samples=50 --set num_epochs=20",
    ),
]
EqualSeconds = Annotated[
    bool,
    typer.Option(
        "--equal-seconds",
        help="Train every configuration for the same time, with epochs and schedules to fit.",
    ),
]
Notify = Annotated[
    str | None,
    typer.Option(
        metavar="COMMAND",
        show_default=False,
        help="Run this in the shell when the sweep has ended, failed or was interrupted, with the result"
        " as JSON on standard input: `--notify 'mail -s sweep me@example.org'`.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Address = Annotated[
    str | None,
    typer.Option(help="A running Ray cluster, for example `auto` on its head.", show_default=False),
]
ClusterUrl = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="URL",
        show_default=False,
        help="The dashboard of a Ray cluster, http://HOST:8265. Default: RAY_API_SERVER_ADDRESS.",
    ),
]


@app.callback()
def sweeps(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """What `sweeps` does without a command: help, or its version."""
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"sweeps {version_of('iwae-sweeps')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def paced(assignments: list[str] | None, equal_seconds: bool) -> list[str]:
    """What is set in a spec, with `--equal-seconds` as one of its keys."""
    return [*(["search.equal_seconds=true"] if equal_seconds else []), *(assignments or [])]


def told(assignments: list[str] | None, notify: str | None) -> list[str]:
    """What is set in a spec, with `--notify` as one of its keys."""
    import json

    # A JSON string is a YAML string, whatever the command holds.
    return [*(assignments or []), *([] if notify is None else [f"notify={json.dumps(notify)}"])]


def on_terminal() -> "AbstractContextManager[Display]":
    """Where the commands show what goes on: standard error."""
    from sweeps.screen.terminal import Terminal

    return contextlib.nullcontext(Terminal(err))


def finish(work: "Callable[[], Sweep]", *, as_json: bool) -> None:
    """Do the work of `run`, `resume`, `extend` or `fork`, print its result and leave with its exit code."""
    from sweeps.errors import Interrupted
    from sweeps.screen.results import result_json, show_result

    try:
        sweep = work()
    except Interrupted as stopped:
        sweep = stopped.sweep
    signals.ignore()  # all is done and stored: what is left is to say so
    result = sweep.result
    assert result is not None
    if as_json:
        print_json(result_json(result, sweep.store.tracking_uri))
    show_result(result, err if as_json else out, _page(sweep))
    if result.outcome == "interrupted":
        interrupted_in_order()
    if result.failed:
        raise typer.Exit(1)


def _page(sweep: "Sweep") -> str | None:
    """Where the tracking server shows the sweep's answer; None where there is none, or it went away."""
    from tracking.addresses.uris import is_server
    from tracking.errors import RecordError

    if not is_server(sweep.store.tracking_uri):
        return None
    with contextlib.suppress(RecordError):
        return sweep.store.view_url(sweep.name)
    return None


def interrupted_in_order() -> NoReturn:
    """Leave with exit code 130, once it was said what that means."""
    global _stopped_in_order
    _stopped_in_order = True
    raise typer.Exit(130)


def was_stopped_in_order() -> bool:
    """Whether the command already said that it was interrupted."""
    return _stopped_in_order


def print_json(values: object) -> None:
    """One object on standard output."""
    import json

    sys.stdout.write(json.dumps(values, allow_nan=False) + "\n")
