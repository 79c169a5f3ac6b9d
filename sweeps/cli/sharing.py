"""The commands that put a sweep into one file, and unpack it: bundle and open."""

from pathlib import Path
from typing import Annotated

import typer

from sweeps.cli.app import (
    REPRODUCE,
    Json,
    Name,
    Storage,
    TrackingUri,
    app,
    err,
    on_terminal,
    out,
    print_json,
)


@app.command(rich_help_panel=REPRODUCE)
def bundle(
    name: Name,
    file: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write, a zip.")],
    with_data: Annotated[bool, typer.Option("--with-data", help="Put the data sets in too.")] = False,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Write a sweep into one file: spec, plan, records, weights, provenance. `sweeps open` unpacks it."""
    from sweeps.launch import open as open_sweep

    with err.status(f"bundling {name}"):
        sweep = open_sweep(name, storage=storage, show=on_terminal)
        written = sweep.bundle(file, with_data=with_data)
    if json:
        print_json({"name": name, "path": str(written.path), "sha256": written.sha256, "bytes": written.size})
        return
    out.print(written.path, soft_wrap=True, highlight=False)
    data = f", {written.data} data files with it" if with_data else ""
    err.print(f"{written.size / 1e6:.1f} MB{data}; SHA-256 {written.sha256}", soft_wrap=True, highlight=False)
    err.print(f"elsewhere: sweeps open {written.path.name}", soft_wrap=True, highlight=False)


@app.command("open", rich_help_panel=REPRODUCE)
def open_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `sweeps bundle` wrote.")],
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Unpack a bundle into storage and a tracking store here; then every command knows its sweep."""
    from sweeps.launch import open_bundle

    with err.status(f"opening {file.name}"):
        sweep = open_bundle(file, storage=storage, tracking_uri=tracking_uri, show=on_terminal)
    name, where = sweep.name, sweep.store.tracking_uri
    if json:
        print_json({"name": name, "storage": sweep.storage.files.uri, "tracking_uri": where})
        return
    trials = ", ".join(f"{number} {state}" for state, number in sweep.record().counts.items())
    out.print(f"{name}: {trials}; files in {sweep.storage.uri}, runs in {where}", soft_wrap=True)
    out.print(f"look at it: sweeps verify {name}; sweeps ui {name}; sweeps reproduce --best {name}")
