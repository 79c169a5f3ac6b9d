"""The commands that read results: verify, report, best, reproduce, ui; and delete."""

from pathlib import Path
from typing import Annotated

import typer

from iwae.errors import ConfigError, SweepError, UserError
from sweeps.cli.app import (
    CHANGE,
    LOOK,
    REPRODUCE,
    Json,
    Name,
    Storage,
    TrackingUri,
    app,
    checked_name,
    err,
    experiment_of,
    files_of,
    open_if_there,
    open_store,
    out,
    print_json,
    sweep_of,
)


@app.command(rich_help_panel=CHANGE)
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
) -> None:
    """Delete a sweep: its runs in MLflow, their artifacts, and its files in storage."""
    from sweeps.deletion import delete as delete_sweep
    from sweeps.screen.say import say
    from tracking.storage.sweep import SweepStorage

    sweep = SweepStorage(files_of(storage), name)
    store = open_if_there(tracking_uri)
    if not yes and not typer.confirm(f"delete {name}, its runs and {sweep.uri}?", err=True):
        return
    delete_sweep(sweep, store, lambda line: say(err, line))
    err.print(f"deleted {name}", highlight=False)


@app.command(rich_help_panel=CHANGE)
def verify(
    name: Name,
    repair: Annotated[bool, typer.Option(help="Bring MLflow to what storage holds first.")] = False,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Prove that no trial is lost, doubled or stuck and no epoch is missing or logged twice."""
    from sweeps.screen.results import show_faults
    from sweeps.screen.say import say
    from tracking.verification.repair import repair_sweep
    from tracking.verification.runs import verify as find_faults

    sweep = sweep_of(storage, name)
    store = open_store(tracking_uri, experiment_of(sweep), create=repair, reading=not repair)
    with err.status(f"verifying {name}") as status:
        for line in repair_sweep(sweep, store) if repair else ():
            say(err, f"mended: {line}")
        faults = find_faults(
            sweep, store, lambda trials: status.update(f"verifying {name}: {trials} trials compared")
        )
        if repair and not faults:
            from tracking.publish import publish_if_missing  # with all that draws

            publish_if_missing(sweep.record(), sweep, store)
    if sweep.instance is None:
        say(
            err,
            f"{name} was made before files had hashes: not all that was altered in its storage can be found",
        )
    if json:
        print_json({"ok": not faults, "faults": [vars(fault) for fault in faults]})
    else:
        show_faults(sweep, faults, out)
    if faults:
        raise typer.Exit(1)


@app.command(rich_help_panel=LOOK)
def report(
    name: Name,
    output: Annotated[Path | None, typer.Option(help="Write it here as well.")] = None,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
) -> None:
    """Write the trade-off report and attach it to the parent run."""
    from sweeps.reporting import prove_folder, write

    sweep = sweep_of(storage, name)
    record = sweep.record()
    store = open_store(tracking_uri, experiment_of(sweep))
    if output is not None:
        output = output.absolute()
        prove_folder(output)
    with err.status(f"drawing {name}: {len(record.trials)} trials"):
        where, untold = write(record, sweep, store, output)
    out.print(f"{where}/index.html", soft_wrap=True, highlight=False)
    if untold is not None:
        raise SweepError(
            f"{store.tracking_uri} does not have the report: {untold}: see to it, then `sweeps report {name}`"
        )


@app.command(rich_help_panel=LOOK)
def best(name: Name, tracking_uri: TrackingUri = None, storage: Storage = None, json: Json = False) -> None:
    """The configuration with the lowest mean final validation NLL over seeds, and its median run."""
    from sweeps.screen.results import best_json, show_best
    from sweeps.screen.say import say
    from tracking.analysis.winner import best as best_of
    from tracking.left_out import believed, results_only_in_mlflow, unbelieved_results

    sweep = sweep_of(storage, name)
    record = sweep.record()
    choice = best_of(record)
    for line in unbelieved_results(sweep, record):
        say(err, f"{line}: see `sweeps verify {name}`")
    if choice is None:
        raise UserError(f"{name} has no complete trial yet: see `sweeps status {name}`")
    store = open_store(tracking_uri, experiment_of(sweep), reading=True)
    record, altered = believed(record, store)
    for line in (*altered, *results_only_in_mlflow(sweep, record, store)):
        say(err, f"{line}: see `sweeps verify {name}`")
    choice = best_of(record)
    if choice is None:
        raise UserError(f"{name} has no complete trial that is believed: see `sweeps verify {name}`")
    values = best_json(choice, store.trial_run_id(name, choice.trial.key))
    if json:
        print_json(values)
    else:
        show_best(choice, values, out)


@app.command(rich_help_panel=REPRODUCE)
def reproduce(
    run_id: Annotated[str | None, typer.Argument(metavar="[RUN_ID]", help="A trial's run in MLflow.")] = None,
    best_of: Annotated[
        str | None,
        typer.Option("--best", metavar="NAME", help="The best run of a sweep.", callback=checked_name),
    ] = None,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Train a run again and compare: BITWISE, WITHIN_NOISE or DIVERGED (exit code 1)."""
    from sweeps.reproduce import reproduce_run
    from sweeps.screen.results import show_reproduction

    if (run_id is None) == (best_of is None):
        raise ConfigError("RUN_ID", "give either a run id or --best NAME")
    store = open_store(tracking_uri, None)
    with err.status("reading the record") as status:

        def show(epoch: int, last: int, same: bool) -> None:
            status.update(f"epoch {epoch} of {last}: {'the same' if same else 'different'}")

        result = reproduce_run(
            store,
            files_of(storage),
            run_id=run_id,
            best_of=best_of,
            only_here=storage is not None,
            on_epoch=show,
        )
    if json:
        print_json(result.to_dict())
    else:
        show_reproduction(result, out)
    if result.verdict == "DIVERGED" or result.run_id is None:
        raise typer.Exit(1)


@app.command(rich_help_panel=LOOK)
def ui(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Open on this sweep; else the newest.", callback=checked_name),
    ] = None,
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Where the server listens, on 127.0.0.1; 0 takes a free port."),
    ] = 5000,
    tracking_uri: TrackingUri = None,
) -> None:
    """Serve the MLflow UI on the tracking store and print the link that opens on the sweep."""
    from sweeps.cli.ui import serve

    serve(open_store(tracking_uri, None), name, port, err, out)
