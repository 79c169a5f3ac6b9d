"""The command line: parsing and dispatch only.

Standard output holds results (with `--json`, one object and nothing else); everything else goes to standard
error. Exit codes: 0 done, 1 the work failed, 2 bad input and nothing was started, 130 interrupted.
"""

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from iwae.errors import ConfigError, SweepError, UserError

if TYPE_CHECKING:
    from sweeps.spec import SweepSpec
    from tracking.files import Files
    from tracking.storage import SweepStorage
    from tracking.store import RunStore

app = typer.Typer(
    name="sweeps", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    rich_markup_mode="markdown", context_settings={"help_option_names": ["-h", "--help"]},
    help="""Hyperparameter sweeps of importance weighted autoencoders: how much training time is a larger
    K worth?

    `sweeps run quickstart` trains 24 small models in about two minutes; `sweeps ui` opens the result.""",
)  # fmt: skip

err = Console(stderr=True)
_stopped_in_order = False
# In a pipe nothing is cut off at the width of a terminal that is not there.
out = Console() if sys.stdout.isatty() else Console(width=200)

LAUNCH, LOOK, REPRODUCE, CHANGE = "Launch", "Look", "Reproduce", "Change"

Name = Annotated[str, typer.Argument(metavar="NAME", help="The sweep's name (`sweeps list` shows them).")]
Spec = Annotated[
    str, typer.Argument(metavar="SPEC", help="A YAML file, or the name of a ready spec (see `sweeps specs`).")
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
        help="Where the sweeps' files lie: a folder or s3://bucket/prefix. Default: SWEEPS_STORAGE, else"
        " ./sweeps-storage.",
        show_default=False,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", show_default=False,
        help="Override a value of the spec; may be repeated:"
        " `--set base.num_epochs=5 --set 'search.seeds=[0, 1]'`.",
    ),
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Address = Annotated[
    str | None,
    typer.Option(help="A running Ray cluster, for example `auto` on its head.", show_default=False),
]


def main() -> NoReturn:
    """The entry point: exit codes and one-line errors."""
    # Where nobody takes care of it, SIGTERM ends a command as Ctrl-C does: contexts are left in order.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app(standalone_mode=True)
    except KeyboardInterrupt:
        code = 130
    except SystemExit as exit_:
        # Typer makes 130 of Ctrl-C, without a word; a command that was stopped says its own.
        if exit_.code == 130 and not _stopped_in_order:
            err.print("interrupted", highlight=False)
        raise
    except UserError as error:
        _print_error(error)
        code = 2
    except (SweepError, OSError) as error:
        _print_error(error)
        code = 1
    else:
        code = 0
    sys.stdout.flush()
    sys.exit(code)


def _print_error(error: Exception) -> None:
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201


@app.command(rich_help_panel=LAUNCH)
def run(
    spec: Spec,
    name: Annotated[str | None, typer.Option(help="The sweep's name, unique in the tracking store.")] = None,
    assignments: Set = None,
    address: Address = None,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Run a sweep and wait for its end. Ctrl-C stops it cleanly; `sweeps resume` goes on."""
    from sweeps.runner import run_sweep
    from sweeps.spec import load_spec

    parsed = load_spec(spec, assignments or (), name)
    store = _store(tracking_uri, parsed.tracking.experiment)
    result = run_sweep(parsed, _files(storage), store, console=err, address=address)
    _finish(result, store, as_json=json)


@app.command(rich_help_panel=LAUNCH)
def plan(spec: Spec, name: Annotated[str | None, typer.Option()] = None, assignments: Set = None,
         storage: Storage = None, json: Json = False) -> None:  # fmt: skip
    """Show the trials of a spec and what they will cost, without starting anything."""
    from sweeps.overview import plan_json, show_plan
    from sweeps.plan import draw_plan
    from sweeps.spec import load_spec

    parsed = load_spec(spec, assignments or (), name)
    trials = draw_plan(parsed)
    if json:
        _print_json(plan_json(parsed, trials))
    else:
        show_plan(parsed, trials, _files(storage), out)


@app.command(rich_help_panel=LAUNCH)
def specs() -> None:
    """List the ready specs."""
    from sweeps.overview import show_specs
    from sweeps.spec import ready_specs

    show_specs(ready_specs(), out)


@app.command(rich_help_panel=LAUNCH)
def resume(
    name: Name,
    retry_failed: Annotated[bool, typer.Option(help="Run FAILED trials again too.")] = False,
    assignments: Set = None,
    address: Address = None,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Go on with a sweep: finished trials stay, the others continue from their newest checkpoint."""
    from sweeps import lifecycle

    sweep = _sweep(storage, name)
    store = _open_store(tracking_uri, _experiment(sweep), create=True)
    result = lifecycle.resume(
        sweep, store, assignments or (), console=err, address=address, retry_failed=retry_failed
    )
    _finish(result, store, as_json=json)


@app.command(rich_help_panel=LAUNCH)
def extend(
    name: Name, assignments: Set = None, address: Address = None, tracking_uri: TrackingUri = None,
    storage: Storage = None, json: Json = False,
) -> None:  # fmt: skip
    """Add seeds, grid values or trials to a sweep and run them: `--set 'search.seeds=[0, 1, 2, 3]'`."""
    from sweeps import lifecycle

    if not assignments:
        raise ConfigError(
            "--set", "missing: must name what is added, for example --set 'search.seeds=[0, 1, 2]'"
        )
    sweep = _sweep(storage, name)
    store = _open_store(tracking_uri, _experiment(sweep), create=True)
    _finish(lifecycle.extend(sweep, store, assignments, console=err, address=address), store, as_json=json)


@app.command(rich_help_panel=LAUNCH)
def fork(
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="A trial's run in MLflow.")],
    name: Annotated[str | None, typer.Option(help="The new sweep's name.")] = None,
    assignments: Set = None, address: Address = None, tracking_uri: TrackingUri = None,
    storage: Storage = None, json: Json = False,
) -> None:  # fmt: skip
    """Start a one-trial sweep from a run's configuration: `--set objective.num_samples=50`."""
    from sweeps import lifecycle

    store = _open_store(tracking_uri, None, create=False)
    result = lifecycle.fork(
        run_id, store, _files(storage), assignments or (), name=name, console=err, address=address
    )
    _finish(result, store, as_json=json)


@app.command("list", rich_help_panel=LOOK)
def list_(tracking_uri: TrackingUri = None, storage: Storage = None, json: Json = False) -> None:
    """List the sweeps in storage and in the tracking store."""
    from sweeps.overview import show_sweeps, sweeps_json

    store = _open_if_there(tracking_uri)
    rows = sweeps_json(_files(storage), store)
    if json:
        _print_json({"sweeps": rows})
    else:
        show_sweeps(rows, out)


@app.command(rich_help_panel=LOOK)
def status(name: Name, storage: Storage = None, json: Json = False) -> None:
    """Show a sweep's trials by state, what runs now, and the best so far."""
    from sweeps.overview import show_status, status_json

    values = status_json(_sweep(storage, name))
    if json:
        _print_json(values)
    else:
        show_status(values, out)


@app.command(rich_help_panel=CHANGE)
def stop(name: Name, storage: Storage = None) -> None:
    """Stop a running sweep cleanly, from anywhere that sees its storage."""
    from sweeps import lifecycle

    stopped = lifecycle.stop(_sweep(storage, name), err)
    err.print(
        f"stopped; go on with: sweeps resume {name}" if stopped else f"nobody is running {name}",
        highlight=False,
    )


@app.command(rich_help_panel=CHANGE)
def delete(
    name: Name, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    tracking_uri: TrackingUri = None, storage: Storage = None,
) -> None:  # fmt: skip
    """Delete a sweep: its runs in MLflow and its folder in storage."""
    from sweeps import lifecycle
    from tracking.storage import SweepStorage

    sweep = SweepStorage(_files(storage), name)
    store = _open_if_there(tracking_uri)
    if not yes and not typer.confirm(f"delete {name}, its runs and {sweep.uri}?", err=True):
        return
    lifecycle.delete(sweep, store)
    err.print(f"deleted {name}", highlight=False)


@app.command(rich_help_panel=CHANGE)
def verify(
    name: Name,
    repair: Annotated[bool, typer.Option(help="Bring MLflow to what storage holds first.")] = False,
    tracking_uri: TrackingUri = None, storage: Storage = None, json: Json = False,
) -> None:  # fmt: skip
    """Prove that no trial is lost, doubled or stuck and no epoch is missing or logged twice."""
    from sweeps.output import show_faults
    from tracking.verification import verify as find_faults

    sweep = _sweep(storage, name)
    store = _open_store(tracking_uri, _experiment(sweep), create=repair)
    faults = find_faults(sweep, store, repair=repair)
    if json:
        _print_json({"ok": not faults, "faults": [vars(fault) for fault in faults]})
    else:
        show_faults(sweep, faults, out)
    if faults:
        raise typer.Exit(1)


@app.command(rich_help_panel=LOOK)
def report(
    name: Name,
    output: Annotated[Path | None, typer.Option(help="Write it here as well.")] = None,
    tracking_uri: TrackingUri = None, storage: Storage = None,
) -> None:  # fmt: skip
    """Write the trade-off report and attach it to the parent run."""
    from tracking.publication import make_report, publish

    sweep = _sweep(storage, name)
    record = sweep.record()
    store = _open_store(tracking_uri, _experiment(sweep), create=False)
    publish(record, sweep, store)
    where = f"{sweep.uri}/report"
    if output is not None:
        where = str(make_report(record, sweep, output.absolute()).folder)
    out.print(f"{where}/index.html", soft_wrap=True, highlight=False)


@app.command(rich_help_panel=LOOK)
def best(name: Name, tracking_uri: TrackingUri = None, storage: Storage = None, json: Json = False) -> None:
    """The configuration with the lowest mean final validation NLL over seeds, and its median run."""
    from sweeps.output import best_json, show_best
    from tracking.report.tables import best as best_of

    sweep = _sweep(storage, name)
    record = sweep.record()
    choice = best_of(record)
    if choice is None:
        raise UserError(f"{name} has no complete trial yet: see `sweeps status {name}`")
    store = _open_store(tracking_uri, _experiment(sweep), create=False)
    values = best_json(choice, store.trial_run_ids(name))
    if json:
        _print_json(values)
    else:
        show_best(choice, values, out)


@app.command(rich_help_panel=REPRODUCE)
def reproduce(
    run_id: Annotated[str | None, typer.Argument(metavar="[RUN_ID]", help="A trial's run in MLflow.")] = None,
    best_of: Annotated[
        str | None, typer.Option("--best", metavar="NAME", help="The best run of a sweep.")
    ] = None,
    tracking_uri: TrackingUri = None, storage: Storage = None, json: Json = False,
) -> None:  # fmt: skip
    """Train a run again and compare: BITWISE, WITHIN_NOISE or DIVERGED (exit code 1)."""
    from sweeps.output import show_reproduction
    from sweeps.reproduce import reproduce_run

    if (run_id is None) == (best_of is None):
        raise ConfigError("RUN_ID", "give either a run id or --best NAME")
    store = _open_store(tracking_uri, None, create=False)
    result = reproduce_run(store, _files(storage), run_id=run_id, best_of=best_of, console=err)
    if json:
        _print_json(result.to_dict())
    else:
        show_reproduction(result, out)
    if result.verdict == "DIVERGED":
        raise typer.Exit(1)


@app.command(rich_help_panel=LOOK)
def ui(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Open on this sweep; else the newest.")
    ] = None,
    port: Annotated[
        int, typer.Option(help="Where the server listens, on 127.0.0.1; 0 takes a free port.")
    ] = 5000,
    tracking_uri: TrackingUri = None,
) -> None:
    """Serve the MLflow UI on the tracking store and print the link that opens on the sweep."""
    from sweeps.ui import serve

    serve(_open_store(tracking_uri, None, create=False), name, port, err, out)


@app.command(rich_help_panel=LAUNCH)
def schema() -> None:
    """Print the JSON schema of the spec, for editors."""
    from sweeps.spec import json_schema

    _print_json(json_schema())


def _finish(result: "object", store: "RunStore", *, as_json: bool) -> None:
    """Print a session's result and leave with its exit code."""
    from sweeps.output import result_json, show_result
    from sweeps.runner import SweepResult

    assert isinstance(result, SweepResult)
    if as_json:
        _print_json(result_json(result, store.tracking_uri))
    show_result(result, store.tracking_uri, err if as_json else out)
    if result.outcome == "interrupted":
        global _stopped_in_order
        _stopped_in_order = True
        raise typer.Exit(130)
    if result.failed:
        raise typer.Exit(1)


def _print_json(values: object) -> None:
    import json

    sys.stdout.write(json.dumps(values, allow_nan=False) + "\n")


def _files(storage: str | None) -> "Files":
    from tracking.storage import open_storage

    return open_storage(storage or os.environ.get("SWEEPS_STORAGE") or "sweeps-storage")


def _sweep(storage: str | None, name: str) -> "SweepStorage":
    """The sweep of this name, which must be there."""
    from tracking.storage import SweepStorage

    sweep = SweepStorage(_files(storage), name)
    sweep.spec()
    return sweep


def _experiment(sweep: "SweepStorage") -> str:
    return _parsed(sweep).tracking.experiment


def _parsed(sweep: "SweepStorage") -> "SweepSpec":
    from sweeps.spec import SweepSpec

    return SweepSpec.parse(sweep.spec())


def _store(uri: str | None, experiment: str | None = None) -> "RunStore":
    from tracking.store import RunStore, resolve_tracking_uri
    from tracking.uris import refuse_password

    if uri is not None:
        refuse_password(uri)
    uri = resolve_tracking_uri(uri)
    return RunStore(uri) if experiment is None else RunStore(uri, experiment)


def _open_store(uri: str | None, experiment: str | None, *, create: bool) -> "RunStore":
    return _store(uri, experiment).open(create=create)


def _open_if_there(uri: str | None) -> "RunStore | None":
    """The tracking store, or None where no database was made yet."""
    from tracking.uris import sqlite_path

    store = _store(uri)
    if store.tracking_uri.startswith("sqlite:") and not sqlite_path(store.tracking_uri).exists():
        return None
    return store.open()
