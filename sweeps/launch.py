"""What `import sweeps` offers: start a sweep here or on a cluster, open one, compare two, draw a plan."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.execution.pacing import forecast
from sweeps.opening import files_of, is_made, make_usable, named_cluster, store_of
from sweeps.plan.plan import draw_plan as plan_of
from sweeps.screen.here import Screen, here, nowhere
from sweeps.spec.assignments import Assignments
from sweeps.spec.spec import SweepSpec, load_spec
from sweeps.sweep import Sweep
from tracking.errors import RecordError
from tracking.files.places import open_storage
from tracking.records.names import check_name
from tracking.records.records import PlannedTrial
from tracking.storage.sweep import SweepStorage

if TYPE_CHECKING:
    from sweeps.cluster.submit import Submitted
    from sweeps.results.export import Exported, Progress
    from tracking.analysis.two_sweeps.comparison import TwoSweeps

Spec = str | Path | Mapping[str, Any] | SweepSpec


def run(
    spec: Spec,
    *,
    set: Assignments | None = None,
    name: str | None = None,
    storage: str | Path | None = None,
    tracking_uri: str | None = None,
    address: str | None = None,
    show: bool | Screen = True,
) -> Sweep:
    """Run a new sweep and wait for its end.

    Ctrl-C, in a notebook an interrupt, stops it in order: every trial writes a checkpoint first.

    Args:
        spec: a YAML file, the name of a ready spec (``quickstart``), or the spec as a mapping.
        set: values of the spec by path: ``{"base.num_epochs": 20, "search.seeds": [0, 1]}``.
        name: the sweep's name, unique in the tracking store; None takes the spec's.
        storage: a folder or ``s3://bucket/prefix``; None takes ``SWEEPS_STORAGE``, else ``./sweeps-storage``.
        tracking_uri: of MLflow; None takes ``MLFLOW_TRACKING_URI``, else ``mlflow.db`` in this folder.
        address: of a running Ray cluster; None starts Ray on this machine.
        show: whether progress is shown, in place in a notebook, else on standard error.

    Raises:
        UserError: the spec, the name or the resources are not allowed; nothing was started.
        SweepError: the sweep could not go on.
        Interrupted: it was stopped in order.
    """
    checked = _checked(spec, set, name)
    make_usable()
    store = store_of(tracking_uri, checked.tracking.experiment)
    found = SweepStorage(files_of(storage), checked.name)
    return Sweep(found, lambda: store, _screen(show)).run(checked, address=address)


def open(  # named as `gzip.open`: used as sweeps.open
    name: str,
    *,
    storage: str | Path | None = None,
    tracking_uri: str | None = None,
    show: bool | Screen = True,
) -> Sweep:
    """A sweep that has begun, wherever it ran.

    Args:
        name: the sweep's name.
        storage: where its files are: see `run`.
        tracking_uri: of MLflow: see `run`; it is not opened before a method needs it.
        show: whether its methods show progress.

    Raises:
        RecordError: the storage has no such sweep.
    """
    make_usable()
    found = SweepStorage(files_of(storage), check_name(name))
    experiment = found.spec().get("tracking", {}).get("experiment")
    return Sweep(found, partial(store_of, tracking_uri, experiment), _screen(show))


def open_bundle(
    path: str | Path,
    *,
    storage: str | Path | None = None,
    tracking_uri: str | None = None,
    show: bool | Screen = True,
) -> Sweep:
    """Unpack a sweep that `Sweep.bundle` wrote, and record it in a tracking store, made if there is none.

    Args:
        path: the file.
        storage: where its files go: see `run`. Data in it go to where data sets are looked for.
        tracking_uri: of MLflow: see `run`.
        show: whether its methods show progress.

    Raises:
        RecordError: it is no bundle, is torn or was altered, or its name is taken; nothing was written.
    """
    make_usable()
    from sweeps.bundle import unpack
    from tracking.storage.bundle import Bundle

    bundle = Bundle.checked(Path(path).expanduser())
    store = store_of(tracking_uri)
    if is_made(store) and store.open().find_sweep(bundle.name) is not None:
        raise RecordError(f"the name {bundle.name} is taken in {store.tracking_uri}: see --tracking-uri")
    unpack(bundle, SweepStorage(files_of(storage), bundle.name))
    sweep = open(bundle.name, storage=storage, tracking_uri=tracking_uri, show=show)
    sweep.store.open(create=True)
    if (missing := sweep.report().missing) is not None:
        raise RecordError(
            f"{sweep.storage.uri} is unpacked, and {store.tracking_uri} lacks it: {missing}: see to it, then"
            f" `sweeps verify {sweep.name} --repair`"
        )
    return sweep


def open_run(
    run_id: str,
    *,
    storage: str | Path | None = None,
    tracking_uri: str | None = None,
    show: bool | Screen = True,
) -> tuple[Sweep, str]:
    """The sweep that a trial's run in MLflow belongs to, and the trial's key.

    Args:
        run_id: of a trial, or of a reproduction of it.
        storage: where the sweep's files are; None takes where the tracking store says that they are.
        tracking_uri: of MLflow: see `run`.
        show: whether the sweep's methods show progress.

    Raises:
        RecordError: there is no such run, or it is not a trial's.
    """
    make_usable()
    store = store_of(tracking_uri).open()
    name, key, where = store.find_trial(run_id)
    found = SweepStorage(open_storage(where) if storage is None else files_of(storage), name)
    if storage is None and not found.exists:
        found = SweepStorage(files_of(None), name)  # a copy of it, here
    return Sweep(found, lambda: store, _screen(show)), key


def export(
    run_id: str,
    out: str | Path,
    *,
    embeddings: bool = True,
    nll: bool = True,
    num_samples: int | None = None,
    force: bool = False,
    storage: str | Path | None = None,
    tracking_uri: str | None = None,
    progress: "Progress" = lambda what, fraction: None,
) -> "Exported":
    """Write what a trial's model says of every item of its data set: see `sweeps.results.export`.

    Args:
        run_id: of a complete trial in MLflow.
        out: the folder that gets ``train.parquet``, ``validation.parquet`` and ``test.parquet``.
        embeddings: write means and standard deviations of the latents.
        nll: write NLLs, in nats.
        num_samples: importance samples of the NLLs; None takes those of the trial's final evaluation.
        force: replace files that are there.
        storage: as of `open_run`.
        tracking_uri: of MLflow: see `run`.
        progress: hears what is computed, and the fraction done.

    Raises:
        UserError: there is no such run, its data changed, its model has no NLL, or the files are there.
    """
    from sweeps.results.export import export as write

    sweep, key = open_run(run_id, storage=storage, tracking_uri=tracking_uri, show=False)
    return write(
        sweep.storage,
        sweep.trial(key),
        Path(out),
        embeddings=embeddings,
        nll=nll,
        num_samples=num_samples,
        run_id=run_id,
        force=force,
        progress=progress,
    )


def submit(
    spec: Spec,
    *,
    cluster: str | None = None,
    set: Assignments | None = None,
    name: str | None = None,
    storage: str | None = None,
    tracking_uri: str | None = None,
) -> "Submitted":
    """Hand a sweep to a cluster's Job API and return.

    Args:
        spec: as of `run`.
        cluster: the dashboard of a Ray cluster, ``http://HOST:8265``; None takes ``RAY_API_SERVER_ADDRESS``.
        set: values of the spec by path.
        name: the sweep's name; None takes the spec's.
        storage: as the cluster's nodes see it: absolute; None takes ``SWEEPS_STORAGE``.
        tracking_uri: as the cluster's nodes see it; None takes ``MLFLOW_TRACKING_URI``.

    Returns:
        The job: ``name``, ``submission_id``, ``cluster``, ``storage``, ``tracking_uri``.

    Raises:
        UserError: the sweep cannot run there, or the name is taken; nothing was handed over.
    """
    checked = _checked(spec, set, name, here=False)
    make_usable()
    from sweeps.cluster.destination import Destination
    from sweeps.cluster.submit import submit as hand_over

    destination = Destination.checked(
        storage or os.environ.get("SWEEPS_STORAGE"), tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
    )
    return hand_over(checked, named_cluster(cluster), destination)


def draw_plan(spec: Spec, *, set: Assignments | None = None, name: str | None = None) -> list[PlannedTrial]:
    """The trials of a spec in their order, without starting anything; none yet for a model-based sampler.

    At equal seconds their epochs, and so their keys, are estimates: `run` measures what an epoch takes.

    Args:
        spec: as of `run`.
        set: values of the spec by path.
        name: the sweep's name; None takes the spec's.

    Raises:
        ConfigError: the spec is not allowed.
    """
    return plan_of(forecast(_checked(spec, set, name)))


def compare(first: Sweep | str, second: Sweep | str, *, storage: str | Path | None = None) -> "TwoSweeps":
    """The second sweep against the first, configuration by configuration, from storage alone.

    Args:
        first: a sweep, or its name.
        second: a sweep, or its name; `open` gives one of another storage.
        storage: where sweeps that are given by name are: see `run`.

    Returns:
        ``rows`` with the differences of validation NLL and training seconds, what else ``differs``, and
        ``to_dict()``.

    Raises:
        RecordError: there is no such sweep, the two were not measured with the same yardstick, or they have
            no configuration in common.
    """
    from tracking.analysis.two_sweeps.comparison import compare_sweeps  # loads SciPy

    both = (one if isinstance(one, Sweep) else open(one, storage=storage) for one in (first, second))
    return compare_sweeps(*(sweep.record() for sweep in both))


def _checked(spec: Spec, set: Assignments | None, name: str | None, *, here: bool = True) -> SweepSpec:
    """The spec with what is set in it, checked."""
    if isinstance(spec, SweepSpec):
        spec = spec.to_dict()
    return load_spec(spec, set or (), name, here=here)


def _screen(show: bool | Screen) -> Screen:
    if callable(show):
        return show
    return here if show else nowhere
