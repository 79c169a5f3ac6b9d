"""The command that prints what happened: of a job, of a sweep in storage, or of one trial."""

import sys
from typing import Annotated

import typer

from sweeps.cli.app import LOOK, ClusterUrl, Name, Storage, app, interrupted_in_order
from sweeps.cli.lifecycle import cluster_if_it_answers, notice
from tracking.storage.sweep import SweepStorage


@app.command(rich_help_panel=LOOK)
def logs(
    name: Name,
    trial: Annotated[
        str | None,
        typer.Option(metavar="TRIAL", help="Of this trial alone: its key, the key's beginning, or its name."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing until it ends.")] = False,
    cluster: ClusterUrl = None,
    storage: Storage = None,
) -> None:
    """Print the log of a sweep's newest job, or what storage says of a sweep, or of one trial by epochs."""
    code, again = 0, f"sweeps status {name}"
    try:
        found = cluster_if_it_answers(cluster, lambda: _stored(name, storage))
        if found is None:
            _from_storage(_stored(name, storage), trial, follow)
        else:
            from sweeps.cluster.submitted import SubmittedSweep
            from sweeps.cluster.submitted import logs as logs_of

            again += f" --cluster {found.address}"
            sweep = SubmittedSweep.find(name, found, storage)
            if trial is None and sweep.newest is not None:
                code = logs_of(sweep, _write, notice, follow=follow)
            elif (visible := sweep.visible) is not None:
                _from_storage(visible, trial, follow)
            else:
                raise sweep.unknown()
    except KeyboardInterrupt:
        notice(f"no longer following; it goes on: {again}")
        interrupted_in_order()
    raise typer.Exit(code)


def _stored(name: str, storage: str | None) -> SweepStorage:
    from sweeps.opening import files_of

    found = SweepStorage(files_of(storage), name)
    found.spec()  # raises where there is no such sweep
    return found


def _from_storage(sweep: SweepStorage, trial: str | None, follow: bool) -> None:
    from sweeps.results.log import write_log

    write_log(sweep, trial, _write, follow=follow)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
