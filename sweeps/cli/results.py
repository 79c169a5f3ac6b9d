"""The commands that read results: verify, report, best, compare, reproduce, ui; and delete."""

from pathlib import Path
from typing import Annotated

import typer

from iwae.errors import SweepError
from sweeps.cli.app import (
    CHANGE,
    LOOK,
    Json,
    Name,
    Storage,
    TrackingUri,
    app,
    checked_name,
    err,
    on_terminal,
    out,
    print_json,
)
from sweeps.cli.completion import sweep_names
from tracking.addresses.uris import LOCAL_UI_PORT


@app.command(rich_help_panel=CHANGE)
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
) -> None:
    """Delete a sweep: its runs in MLflow, their artifacts, and its files in storage."""
    from sweeps.opening import files_of, store_of
    from sweeps.sweep import Sweep
    from tracking.storage.sweep import SweepStorage

    # Not opened as the others are: of one that is half deleted there is little to open.
    sweep = Sweep(SweepStorage(files_of(storage), name), lambda: store_of(tracking_uri), on_terminal)
    if not yes and not typer.confirm(f"delete {name}, its runs and {sweep.storage.uri}?", err=True):
        return
    sweep.delete()
    err.print(f"deleted {name}", highlight=False)


@app.command(rich_help_panel=LOOK)
def verify(
    name: Name,
    repair: Annotated[bool, typer.Option(help="First bring MLflow up to date with storage.")] = False,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Prove that no trial is lost, doubled or stuck and no epoch is missing or logged twice."""
    from sweeps.launch import open as open_sweep
    from sweeps.screen.results import show_faults

    sweep = open_sweep(name, storage=storage, tracking_uri=tracking_uri, show=on_terminal)
    with err.status(f"verifying {name}") as status:
        found = sweep.verify(
            repair=repair,
            looked_at=lambda trials: status.update(f"verifying {name}: {trials} trials compared"),
        )
    if json:
        print_json({"ok": found.ok, "faults": [fault.to_dict() for fault in found.faults]})
    else:
        show_faults(sweep.storage, found.faults, out)
    if not found.ok:
        raise typer.Exit(1)


@app.command(rich_help_panel=LOOK)
def report(
    name: Name,
    output: Annotated[Path | None, typer.Option(help="Also write it to this folder.")] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Compare it with this sweep in a section of its own.",
            callback=checked_name,
            autocompletion=sweep_names,
        ),
    ] = None,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
) -> None:
    """Write the trade-off report and attach it to the parent run."""
    from sweeps.launch import open as open_sweep

    sweep = open_sweep(name, storage=storage, tracking_uri=tracking_uri, show=on_terminal)
    other = None if against is None else open_sweep(against, storage=storage, show=on_terminal)
    written = sweep.report(output, other)
    out.print(written.address, soft_wrap=True, highlight=False)
    if written.missing is not None:
        raise SweepError(
            f"{sweep.store.tracking_uri} does not have the report: {written.missing}: see to it, then"
            f" `sweeps report {name}`"
        )


@app.command(rich_help_panel=LOOK)
def best(name: Name, tracking_uri: TrackingUri = None, storage: Storage = None, json: Json = False) -> None:
    """The configuration with the lowest mean final validation NLL over seeds, and its median run."""
    from sweeps.launch import open as open_sweep
    from sweeps.screen.results import best_json, show_best, show_instead

    found = open_sweep(name, storage=storage, tracking_uri=tracking_uri, show=on_terminal).best()
    values = best_json(found.choice, found.run_id)
    if json:
        print_json(values)
    else:
        show_best(found.choice, values, out)
        show_instead(found.storage.record(), out)


@app.command(rich_help_panel=LOOK)
def compare(
    first: Annotated[
        str,
        typer.Argument(
            metavar="A", help="A sweep's name.", callback=checked_name, autocompletion=sweep_names
        ),
    ],
    second: Annotated[
        str,
        typer.Argument(
            metavar="B", help="The one to compare with it.", callback=checked_name, autocompletion=sweep_names
        ),
    ],
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Compare sweep B with sweep A, configuration by configuration."""
    from sweeps.launch import compare as compare_sweeps
    from sweeps.screen.compared import show_compared

    found = compare_sweeps(first, second, storage=storage)
    if json:
        print_json(found.to_dict())
    else:
        show_compared(found, out)


@app.command(rich_help_panel=LOOK)
def ui(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="Open on this sweep; else the newest.",
            callback=checked_name,
            autocompletion=sweep_names,
        ),
    ] = None,
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Where the server listens, on 127.0.0.1; 0 takes a free port."),
    ] = LOCAL_UI_PORT,
    browse: Annotated[bool, typer.Option("--open", help="Also open it in the browser.")] = False,
    tracking_uri: TrackingUri = None,
) -> None:
    """Serve the MLflow UI on the tracking store and print the link that opens on the sweep's answer."""
    from sweeps.cli.ui import serve
    from sweeps.opening import store_of

    serve(store_of(tracking_uri).open(), name, port, err, out, browse=browse)
