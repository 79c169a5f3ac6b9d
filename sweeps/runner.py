"""Runs and resumes a plan on Ray.

One way: the spec becomes a plan in storage; Tune asks `PlanSearcher` for the plan's pending trials; each
writes to storage; the recorder brings MLflow to what storage holds; the report is made from storage.
"""

import contextlib
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console

from iwae.binarization import refuse_gray
from iwae.data import load_dataset
from iwae.errors import ConfigError, RecordError
from sweeps.board import Board
from sweeps.display import Display
from sweeps.plan import draw_plan
from sweeps.spec import SweepSpec
from tracking import provenance
from tracking.publication import publish
from tracking.recorder import Recorder
from tracking.records import PlannedTrial, SweepRecord, TrialState
from tracking.report.tables import Best, best
from tracking.sessions import Session, refuse_if_live
from tracking.storage import SweepStorage
from tracking.store import RunStore

# Ray reads these when it is imported or started; what the user has set stays.
RAY_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    "TUNE_MAX_PENDING_TRIALS_PG": "2",
    "TUNE_WARN_THRESHOLD_S": "60",
    "RAY_DEDUP_LOGS": "0",
}


@dataclass(frozen=True)
class SweepResult:
    """What `run` and `resume` give back.

    Attributes:
        outcome: ``finished``, ``budget`` or ``interrupted``.
        seconds: of this session, from the first check to the written report.
        parent_run_id: the sweep's run in MLflow; None when the server was away to the end.
    """

    record: SweepRecord
    outcome: str
    seconds: float
    parent_run_id: str | None
    best: Best | None
    best_run_id: str | None
    tracking_complete: bool

    @property
    def failed(self) -> bool:
        """Whether a trial failed."""
        return any(trial.state is TrialState.FAILED for trial in self.record.trials)


def run_sweep(
    spec: SweepSpec, root: Path, store: RunStore, *, console: Console, address: str | None = None
) -> SweepResult:
    """Run a new sweep and wait for its end.

    Args:
        spec: what to run.
        root: the storage folder, absolute.
        store: the tracking store; made when it does not exist yet.
        console: where progress is shown.
        address: of a Ray cluster; None starts Ray on this machine.

    Raises:
        UserError: the name is taken, data are missing, or resources are not there; nothing was started.
    """
    storage = SweepStorage(root, spec.name)
    if storage.exists:
        raise _name_taken(spec.name, str(root))
    plan = draw_plan(spec)
    check_resources(spec, address)
    prepare_data(plan, spec)
    if store.open(create=True).find_sweep(spec.name) is not None:
        raise _name_taken(spec.name, store.tracking_uri)
    with ray_cluster(spec, address):
        storage.create(spec.to_dict(), plan, provenance.code())
        return _work(spec, storage, store, console=console)


def resume_sweep(
    spec: SweepSpec, storage: SweepStorage, store: RunStore, *, console: Console,
    address: str | None = None, retry_failed: bool = False,
) -> SweepResult:  # fmt: skip
    """Run what is not complete of a sweep, each trial from its newest checkpoint.

    Args:
        spec: the sweep's spec, where budget, resources and tracking may have changed.
        storage: the sweep.
        store: the tracking store, open.
        console: where progress is shown.
        address: of a Ray cluster; None starts Ray on this machine.
        retry_failed: run FAILED trials again too.
    """
    refuse_if_live(storage)
    check_resources(spec, address)
    prepare_data(storage.plan(), spec)
    with ray_cluster(spec, address):
        storage.write_spec(spec.to_dict())
        return _work(spec, storage, store, console=console, retry_failed=retry_failed)


def _work(
    spec: SweepSpec, storage: SweepStorage, store: RunStore, *, console: Console, retry_failed: bool = False
) -> SweepResult:
    """Bring a sweep in storage to its end, as far as budget and signals allow."""
    started = time.monotonic()
    with Session(storage, command=" ".join(sys.argv)) as session:
        storage.clear_stop()
        record = storage.record()
        if retry_failed:
            for trial in record.trials:
                if trial.state is TrialState.FAILED:
                    storage.clear_outcome(trial.key)
            record = storage.record()
        pending = [trial.plan for trial in record.trials if not trial.state.ended]
        board = Board(storage, record.trials)
        _announce(spec, storage, record, pending, console)
        with Recorder(storage, store) as recorder, _stop_on_signals(storage, console), _budget(spec, storage):
            if pending or spec.is_model_based:
                with Display(board, spec.name, console):
                    _tune(spec, storage, record, pending, board)
            reason = storage.stop_requested()
            outcome = "finished" if reason is None else "budget" if reason == "budget" else "interrupted"
        session.close(outcome)
        record = storage.record()
        complete = recorder.complete
        parent = publish(record, storage, store) if complete else None
    choice = best(record)
    run_ids = store.trial_run_ids(record.name) if complete else {}
    return SweepResult(
        record, outcome, time.monotonic() - started, parent, choice,
        None if choice is None else run_ids.get(choice.trial.key), complete,
    )  # fmt: skip


def _name_taken(name: str, where: str) -> RecordError:
    return RecordError(
        f"name: {name} is not allowed: must be new in {where}; go on with `sweeps resume {name}`,"
        f" add to it with `sweeps extend {name}`, or choose another --name"
    )


def check_resources(spec: SweepSpec, address: str | None) -> None:
    """Refuse what this machine cannot give; a cluster is asked once Ray is connected.

    Raises:
        ConfigError: more CPUs or GPUs than there are.
    """
    if address is not None:
        return
    import torch

    _check_at_most(spec.resources.cpus, os.cpu_count() or 1, "cpus", "CPUs on this machine")
    _check_at_most(spec.resources.gpus, torch.cuda.device_count(), "gpus", "GPUs on this machine")


def _check_at_most(asked: float, there: float, name: str, what: str) -> None:
    if asked > there:
        raise ConfigError(f"resources.{name}", f"{asked:g} is not allowed: must be <= {there:g}, the {what}")


def prepare_data(plan: list[PlannedTrial], spec: SweepSpec) -> None:
    """Download and read every data set of the plan before Ray starts.

    Raises:
        UserError: a data set is missing, malformed, or does not suit its model.
    """
    for config in dict.fromkeys(trial.config.data for trial in plan) or [spec.base.data]:
        dataset = load_dataset(config, download=True)
        bernoulli = any(t.config.model.likelihood == "bernoulli" for t in plan if t.config.data == config)
        if bernoulli and config.binarization == "none":
            for split in (dataset.train, dataset.validation, dataset.test):
                refuse_gray(split, dataset.name)


def _announce(
    spec: SweepSpec, storage: SweepStorage, record: SweepRecord, pending: list[PlannedTrial], console: Console
) -> None:
    done = len(record.trials) - len(pending)
    what = f"{len(record.trials)} trials" + (f", {done} of them done" if done else "")
    if spec.is_model_based:
        what = f"{spec.search.num_trials} configurations suggested by {spec.search.sampler.name}" + (
            f", {what} so far" if record.trials else ""
        )
    console.print(f"sweep {spec.name}: {what}; storage {storage.folder}", soft_wrap=True, highlight=False)


def _tune(
    spec: SweepSpec, storage: SweepStorage, record: SweepRecord, pending: list[PlannedTrial], board: Board
) -> None:
    from ray import tune

    from sweeps.samplers import source_for
    from sweeps.schedulers import ray_scheduler
    from sweeps.searcher import PlanSearcher
    from sweeps.trial import IwaeTrial

    resources = spec.resources
    options = {
        "storage": str(storage.root), "sweep": storage.name,
        "device": "cuda" if resources.gpus else "cpu", "threads": max(1, int(resources.cpus)),
        "shared_device": 0 < resources.gpus < 1,
        "checkpoint_every": spec.checkpoint_every, "keep": spec.keep_checkpoints,
        "figures": spec.tracking.figures, "retries": spec.retries,
    }  # fmt: skip
    source = source_for(spec, record) if spec.is_model_based else None
    searcher = PlanSearcher(storage, pending, source, options, resources.max_concurrent, board)
    with tempfile.TemporaryDirectory(prefix="sweeps-tune-") as scratch:
        tuner = tune.Tuner(
            tune.with_resources(IwaeTrial, {"CPU": resources.cpus, "GPU": resources.gpus}),
            tune_config=tune.TuneConfig(
                search_alg=searcher, scheduler=ray_scheduler(spec), num_samples=-1, reuse_actors=True,
                metric="val/nll", mode="min", trial_dirname_creator=lambda trial: str(trial.trial_id),
                trial_name_creator=lambda trial: str(trial.trial_id),
            ),
            run_config=tune.RunConfig(
                name="tune", storage_path=scratch, verbose=0,
                failure_config=tune.FailureConfig(max_failures=spec.retries),
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            ),
        )  # fmt: skip
        tuner.fit()


@contextlib.contextmanager
def ray_cluster(spec: SweepSpec, address: str | None) -> Iterator[None]:
    """Ray, started here or connected, and shut down again.

    Raises:
        ConfigError: a trial asks for more than the cluster has.
        RecordError: no cluster answers at the address.
    """
    for name, value in RAY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray

    logging.getLogger("ray").setLevel(logging.ERROR)
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address is None:
        ray.init(address="local", include_dashboard=False, num_cpus=os.cpu_count(), **quiet)
    else:
        try:
            ray.init(address=address, **quiet)
        except ConnectionError as error:
            raise RecordError(f"no Ray cluster answers at {address}: {error}") from None
    try:
        there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        _check_at_most(spec.resources.cpus, there.get("CPU", 0), "cpus", "CPUs of the cluster")
        _check_at_most(spec.resources.gpus, there.get("GPU", 0), "gpus", "GPUs of the cluster")
        yield
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _stop_on_signals(storage: SweepStorage, console: Console) -> Iterator[None]:
    """The first SIGINT or SIGTERM asks the trials to stop, through storage; the second ends at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        storage.request_stop(signal.Signals(number).name)
        console.print("stopping: every trial writes a checkpoint first (once more to end at once)")

    previous = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in previous.items():
            signal.signal(number, old)


@contextlib.contextmanager
def _budget(spec: SweepSpec, storage: SweepStorage) -> Iterator[None]:
    """Asks the trials to stop when this session's wall clock is used up."""
    if spec.budget.wall_clock is None:
        yield
        return
    timer = threading.Timer(spec.budget.wall_clock, storage.request_stop, ["budget"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
