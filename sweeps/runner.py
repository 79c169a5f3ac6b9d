"""Runs and resumes a plan on Ray.

One way: the spec becomes a plan in storage; Tune asks `PlanSearcher` for the plan's pending trials; each
writes to storage; the recorder brings MLflow to what storage holds; the report is made from storage. One
reader serves the whole session: of what a trial left nothing is read twice that did not change.
"""

import contextlib
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from iwae.errors import SweepError
from sweeps.execution.data_sets import prepare_data, refuse_missing_files
from sweeps.execution.display import Display, NoDisplay
from sweeps.execution.pacing import paced
from sweeps.execution.probing import probe_alone
from sweeps.execution.progress import Board
from sweeps.execution.recording import prove, published, record_in
from sweeps.execution.stopping import BUDGET, budgets, how_to_go_on, refuse_if_spent, stop_on_signals
from sweeps.execution.tune import run_trials
from sweeps.machines.local_ray import check_resources, ray_cluster, refuse_too_many_gpus
from sweeps.plan.forecast import Forecast
from sweeps.plan.outlook import in_words, outlook, places_of
from sweeps.plan.plan import draw_plan
from sweeps.plan.probes import known_forecast
from sweeps.result import SweepResult
from sweeps.spec.spec import SweepSpec
from tracking.addresses import secrets
from tracking.errors import RecordError, StorageError
from tracking.files.files import Files
from tracking.provenance import later_code, provenance
from tracking.recorder import Recorder
from tracking.records.contents import data_remarks
from tracking.records.records import PlannedTrial, TrialRecord, TrialState
from tracking.runs.claims import refuse_recorded
from tracking.storage.deletion import end_deletion
from tracking.storage.incremental import SweepReader
from tracking.storage.manifest import Decided
from tracking.storage.sessions import Session, refuse_if_live, stop_leftovers
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore
from tracking.verification.mend import mend

_log = logging.getLogger(__name__)


def run_sweep(
    spec: SweepSpec,
    files: Files,
    store: RunStore,
    *,
    address: str | None = None,
    display: Display | None = None,
) -> SweepResult:
    """Run a new sweep and wait for its end.

    Args:
        spec: what to run.
        files: the storage.
        store: the tracking store; made when it does not exist yet.
        address: of a Ray cluster; None starts Ray on this machine.
        display: shows what goes on; None shows nothing.

    Raises:
        UserError: the name is taken, data are missing, or resources are not there; nothing was started.
    """
    started, display = time.monotonic(), display or NoDisplay()
    storage = SweepStorage(files, spec.name)
    if storage.exists:
        raise _name_taken(spec.name, files.uri)
    storage.refuse_leftovers()
    prove(files)
    plan = draw_plan(spec)
    check_resources(spec, address)
    refuse_missing_files(plan, spec)
    store.probe()
    # What follows loads PyTorch and MLflow, which takes seconds: before it, mistakes; in it, words.
    with display.checking(f"sweep {spec.name}: checking data and tracking store"):
        refuse_too_many_gpus(spec, address)
        data = prepare_data(plan, spec)
        refuse_recorded(store.open(create=True).client, storage)
        record_in(spec, storage, store)
        code = provenance.code()
    _announce(spec, storage, len(plan), 0)
    with how_to_go_on(storage), ray_cluster(spec, address, display) as at_once:
        if (measured := paced(spec, display)) is not spec:
            spec, plan = measured, draw_plan(measured)
        try:
            storage.create(Decided.of(spec.to_dict(), plan, code, data))
        except StorageError as error:
            raise RecordError(f"{error}: must be a place to write in") from None
        reader = SweepReader(storage)
        with Session(storage, command=" ".join(secrets.command(sys.argv))) as session:
            for line in _remarks(code):
                _log.info(line)
            try:
                # An exception in the middle of MLflow's calls may be swallowed, or leave half a claim.
                with stop_on_signals(session):
                    refuse_recorded(store.client, storage)  # by one that began meanwhile
                    store.claim(reader.record())
            except RecordError as error:
                refused = error
            else:
                return _work(spec, reader, store, session, started, display, at_once)
        end_deletion(storage)  # nothing was started
        raise refused


def resume_sweep(
    spec: SweepSpec,
    storage: SweepStorage,
    store: RunStore,
    *,
    address: str | None = None,
    plan: list[PlannedTrial] | None = None,
    retry_failed: bool = False,
    display: Display | None = None,
) -> SweepResult:
    """Run what is not complete of a sweep, each trial from its newest checkpoint.

    Args:
        spec: the sweep's spec, where budget, resources and tracking may have changed.
        storage: the sweep.
        store: the tracking store; made when it does not exist yet.
        address: of a Ray cluster; None starts Ray on this machine.
        plan: replaces the sweep's plan, whose trials it holds; None keeps it.
        retry_failed: run FAILED trials again too.
        display: shows what goes on; None shows nothing.

    Raises:
        UserError: another driver runs the sweep, data are missing, or resources are not there.
    """
    started, display = time.monotonic(), display or NoDisplay()
    prove(storage.files)
    refuse_if_live(storage)
    reader = SweepReader(storage)
    began = reader.record()
    refuse_if_spent(spec, began)
    check_resources(spec, address)
    planned = [trial.plan for trial in began.trials] if plan is None else plan
    refuse_missing_files(planned, spec, began)
    store.probe()
    with display.checking(f"sweep {spec.name}: checking data and tracking store"):
        refuse_too_many_gpus(spec, address)
        record_in(spec, storage, store.open(create=True))
        data = prepare_data(planned, spec, began)
        code = provenance.code()
    with (
        how_to_go_on(storage),
        Session(storage, command=" ".join(secrets.command(sys.argv))) as session,
    ):
        mended = [f"mended: {line}" for line in mend(storage)]
        for line in [*mended, *_remarks(code, storage, session.number)]:
            _log.info(line)
        record = reader.record()
        trials = record.trials
        again = [trial for trial in trials if retry_failed and trial.state is TrialState.FAILED]
        to_do = again or plan is not None or spec.is_model_based or not all(t.state.ended for t in trials)
        with stop_on_signals(session):
            store.claim(record)
        _announce(spec, storage, len(plan or trials), sum(t.state.ended for t in trials))
        # Nothing is written before the cluster has said that it can run it.
        with ray_cluster(spec, address, display) if to_do else contextlib.nullcontext(0) as at_once:
            if plan is not None:
                storage.write_plan(plan)
            storage.write_spec(spec.to_dict())
            storage.write_data(data)
            for trial in again:
                storage.trial(trial.key).clear_outcome()
            return _work(spec, reader, store, session, started, display, at_once)


def _work(
    spec: SweepSpec,
    reader: SweepReader,
    store: RunStore,
    session: Session,
    started: float,
    display: Display,
    at_once: int,
) -> SweepResult:
    """Bring a sweep in storage to its end, as far as budget and signals allow."""
    storage, record = session.storage, reader.record()
    pending = [trial.plan for trial in record.trials if not trial.state.ended]
    forecast = known_forecast([trial.config for trial in record.trials], spec.resources, record.probes)
    board = Board(storage, record.trials, session.started, forecast=forecast)
    trouble = None
    for line in data_remarks(record.data):
        _log.info(line)
    with (
        Recorder(storage, store) as recorder,
        stop_on_signals(session),
        budgets(spec, session),
    ):
        try:
            if pending or spec.is_model_based:
                _foretell(spec, session, pending, forecast)
                with display.trials(board, spec.name):
                    trouble = run_trials(spec, session, record, pending, board, at_once)
        finally:
            # Before the recorder has its last look.
            with contextlib.suppress(StorageError):
                if not session.superseded:
                    stop_leftovers(storage, "its driver ended first")
        if trouble is not None:
            raise SweepError(f"{trouble}: see to it, then `sweeps resume {spec.name}`")
        if session.superseded:
            raise SweepError(
                f"a later driver took {spec.name} over, when this one had not been heard of for long"
            )
        outcome = outcome_of(spec, reader.record().trials, storage.stop_requested())
        if outcome == "interrupted":
            recorder.hurry()
        elif pending or spec.is_model_based:
            probe_alone(spec, session, reader.record(), display)

    from tracking.analysis.winner import best  # loads SciPy: not before the sweep's first word

    session.close(outcome)
    record = reader.record()
    choice = best(record)
    parent, best_run, untold = published(recorder, record, storage, store, choice)
    return SweepResult(record, outcome, time.monotonic() - started, parent, choice, best_run, untold)


def _foretell(spec: SweepSpec, session: Session, pending: list[PlannedTrial], forecast: Forecast) -> None:
    """Keep what is said of the trials before the first one, where steps of theirs were measured before."""
    if forecast.basis != "probe" or not pending:
        return
    import ray

    there = ray.cluster_resources()  # type: ignore[no-untyped-call]
    places = places_of(spec.resources, there.get("CPU", 1), there.get("GPU", 0))
    found = outlook(spec, pending, forecast, places)
    with contextlib.suppress(StorageError):
        session.storage.write_forecast(session.number, found.at_launch(pending))
    _log.info(f"sweep {spec.name}: {in_words(found)}")


def _remarks(code: Mapping[str, Any], begun: SweepStorage | None = None, session: int = 0) -> list[str]:
    """What is to be said of the code that runs, and of how it differs from what a sweep began with."""
    changed = [] if begun is None else later_code.note(begun, session, code)
    return [*changed, *provenance.remarks(code)]


def outcome_of(spec: SweepSpec, trials: Sequence[TrialRecord], reason: str | None) -> str:
    """How a session ended.

    Args:
        spec: what it ran.
        trials: as they are now.
        reason: why it was asked to stop; None if it was not. Asked too late, it has finished all the same,
            but where more trials would have been suggested.
    """
    if all(trial.state.ended for trial in trials) and (reason is None or not spec.is_model_based):
        return "finished"
    return "budget" if reason == BUDGET else "interrupted"


def _name_taken(name: str, where: str) -> RecordError:
    return RecordError(
        f"name: {name} is not allowed: must be new in {where}; go on with `sweeps resume {name}`,"
        f" add to it with `sweeps extend {name}`, or choose another --name"
    )


def _announce(spec: SweepSpec, storage: SweepStorage, trials: int, done: int) -> None:
    """The first words of a sweep, once nothing stands against it and before Ray takes its seconds."""
    what = f"{trials} trials" + (f", {done} of them done" if done else "")
    if spec.is_model_based:
        what = f"{spec.search.num_trials} configurations suggested by {spec.search.sampler.name}" + (
            f", {what} so far" if trials else ""
        )
    _log.info(f"sweep {spec.name}: {what}; storage {storage.uri}")
