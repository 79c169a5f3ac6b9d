"""The commands of a sweep's life, here or on a cluster: submit, resume, list, status, stop."""

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sweeps.cli.app import (
    CHANGE,
    LAUNCH,
    LOOK,
    Address,
    ClusterUrl,
    EqualSeconds,
    Json,
    Name,
    NewName,
    Notify,
    Set,
    SetAgain,
    Spec,
    Storage,
    TrackingUri,
    app,
    err,
    finish,
    on_terminal,
    out,
    paced,
    print_json,
    told,
)
from tracking.errors import RecordError

if TYPE_CHECKING:
    from sweeps.cluster.jobs import Cluster
    from sweeps.cluster.submit import Submitted
    from sweeps.cluster.submitted import SubmittedSweep
    from sweeps.sweep import Sweep


@app.command(rich_help_panel=LAUNCH)
def submit(
    spec: Spec,
    cluster: ClusterUrl = None,
    name: NewName = None,
    assignments: Set = None,
    equal_seconds: EqualSeconds = False,
    notify: Notify = None,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Submit a sweep to a Ray cluster and return; follow it with `sweeps status` and `sweeps logs`."""
    from sweeps.launch import submit as submit_sweep

    submitted = submit_sweep(
        spec,
        cluster=cluster,
        set=told(paced(assignments, equal_seconds), notify),
        name=name,
        storage=storage,
        tracking_uri=tracking_uri,
    )
    _show_submitted(submitted, as_json=json)


@app.command(rich_help_panel=LAUNCH)
def resume(
    name: Name,
    retry_failed: Annotated[bool, typer.Option(help="Also run FAILED trials again.")] = False,
    assignments: SetAgain = None,
    notify: Notify = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Submit it to this cluster, http://HOST:8265.", show_default=False),
    ] = None,
    address: Address = None,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Continue a sweep: finished trials stay, the others go on from their newest checkpoint."""
    if cluster:
        from sweeps.cluster.submitted import resume as resume_submitted
        from sweeps.opening import named_cluster

        found = _submitted(name, named_cluster(cluster), storage)
        submitted = resume_submitted(
            found, tracking_uri, told(assignments, notify), retry_failed=retry_failed
        )
        _show_submitted(submitted, as_json=json)
        return
    from sweeps.launch import open as open_sweep

    sweep = open_sweep(name, storage=storage, tracking_uri=tracking_uri, show=on_terminal)
    finish(
        lambda: sweep.resume(told(assignments, notify), retry_failed=retry_failed, address=address),
        as_json=json,
    )


@app.command("list", rich_help_panel=LOOK)
def list_(
    cluster: ClusterUrl = None, tracking_uri: TrackingUri = None, storage: Storage = None, json: Json = False
) -> None:
    """List the sweeps in storage and in the tracking store, and the jobs of a cluster."""
    from sweeps.opening import files_of, is_made, store_of
    from sweeps.screen.status import show_sweeps
    from sweeps.status import sweeps_json

    # A dead cluster that the environment names must not hide what is here.
    found = cluster_if_it_answers(cluster, None if cluster else lambda: None)
    files, store = files_of(storage), store_of(tracking_uri)
    rows = sweeps_json(files, store.open(reading=True) if is_made(store) else None)
    if found is not None:
        from sweeps.cluster.submitted import with_jobs

        rows = with_jobs(rows, found.jobs())
    if json:
        print_json({"sweeps": rows})
    else:
        show_sweeps(rows, out)


@app.command(rich_help_panel=LOOK)
def status(name: Name, cluster: ClusterUrl = None, storage: Storage = None, json: Json = False) -> None:
    """Show a sweep's trials by state, what runs now, the best so far, and its job on a cluster."""
    from sweeps.screen.status import show_status

    values = _status(name, cluster, storage)
    if json:
        print_json(values)
    else:
        show_status(values, out)


def _status(name: str, url: str | None, storage: str | None) -> dict[str, Any]:
    # Storage is asked first: what it knows is shown, whether the cluster answers or not.
    cluster = cluster_if_it_answers(url, lambda: _sweep(name, storage))
    if cluster is None:
        return {**_sweep(name, storage).status(), "job": None}
    from sweeps.cluster.submitted import status as status_of

    return status_of(_submitted(name, cluster, storage))


@app.command(rich_help_panel=CHANGE)
def stop(
    name: Name,
    timeout: Annotated[
        float, typer.Option(min=0, help="Seconds to wait until it has stopped; 0 does not wait.")
    ] = 60.0,
    cluster: ClusterUrl = None,
    storage: Storage = None,
) -> None:
    """Stop a running sweep cleanly, from anywhere that sees its storage or its cluster."""
    found = cluster_if_it_answers(cluster, None if cluster else lambda: _sweep(name, storage))
    if found is not None:
        _stop_submitted(_submitted(name, found, storage), timeout)
        return
    if not _sweep(name, storage).stop(timeout):
        notice(f"{name} is not running")
    elif timeout:
        notice(f"stopped; go on with: sweeps resume {name}")


def _stop_submitted(sweep: "SubmittedSweep", timeout: float) -> None:
    from sweeps.cluster.submitted import Stopped
    from sweeps.cluster.submitted import stop as stop_submitted

    how = {
        Stopped.THROUGH_STORAGE: "stopped through storage",
        Stopped.THROUGH_JOB_API: "ended through the Job API",
        Stopped.BEFORE_IT_BEGAN: "it had not begun: ended through the Job API",
        Stopped.NOT_WAITED_FOR: "not waited for",
        Stopped.NOT_RUNNING: f"{sweep.name} is not running",
    }
    stopped = stop_submitted(sweep, timeout)
    notice(f"{how[stopped]}; go on with: sweeps resume {sweep.name} --cluster {sweep.cluster.address}")


def _sweep(name: str, storage: str | None) -> "Sweep":
    from sweeps.launch import open as open_sweep

    return open_sweep(name, storage=storage, show=on_terminal)


def cluster_if_it_answers(url: str | None, look_here: Callable[[], object] | None) -> "Cluster | None":
    """The cluster; None when none is named, or when it does not answer and `look_here` finds the sweep."""
    from sweeps.opening import cluster_of

    try:
        return cluster_of(url)
    except RecordError as error:
        if look_here is not None:
            with contextlib.suppress(RecordError):
                look_here()
                notice(f"without the cluster: {error}")
                return None
        raise


def _submitted(name: str, cluster: "Cluster", storage: str | None) -> "SubmittedSweep":
    from sweeps.cluster.submitted import SubmittedSweep

    return SubmittedSweep.find(name, cluster, storage)


def _show_submitted(submitted: "Submitted", *, as_json: bool) -> None:
    if as_json:
        print_json(vars(submitted))


def notice(text: str) -> None:
    """A line on standard error."""
    err.print(text, soft_wrap=True, highlight=False)
