"""PlanSearcher: hands Tune the trials of the plan, alone or in packs, and hears how each ended."""

import contextlib
import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from ray.tune.search import Searcher

from sweeps.execution.packs import Packing
from sweeps.execution.progress import Board
from sweeps.worker.outcomes import OTHER_CODE, SCORE, UNSTORED
from sweeps.worker.trial_files import patient
from tracking.errors import StorageError
from tracking.records.records import PlannedTrial, SweepRecord, TrialRecord, TrialState
from tracking.storage.sessions import Session

# How often a trial that cannot begin is handed out again.
MOST_RETURNS = 20


class Source(Protocol):
    """Where trials come from when the plan is used up: a model-based sampler."""

    def ask(self) -> list[PlannedTrial] | None:
        """The trials of one more configuration; None when it wants to hear results first, [] at the end."""
        ...

    def tell(self, record: SweepRecord) -> None:
        """Hear the results of every configuration in the record whose trials have all ended."""
        ...


class PlanSearcher(Searcher):
    """Tune's view of the plan.

    Args:
        session: this driver's, of the sweep whose plan grows when the source suggests more. Once another
            driver has taken the sweep over nothing is handed out or written any more.
        pending: planned trials that are to be run, in order.
        source: the model-based sampler, or None when the plan was drawn before the start.
        board: what the display shows.
        options: what every trial gets beside its line of the plan (see `sweeps.worker.options`).
        retries: how often a trial is begun again whose worker died.
        packing: which of them train together: Tune takes a pack for one trial.
        max_concurrent: how many trials, or packs, may run at once; None sets no limit.

    Attributes:
        trouble: why no more trials are begun: storage did not take what one wrote, or a worker's code or
            data are not the sweep's.
    """

    def __init__(
        self,
        session: Session,
        pending: list[PlannedTrial],
        source: Source | None,
        board: Board,
        *,
        options: dict[str, Any],
        retries: int,
        packing: Packing,
        max_concurrent: int | None = None,
    ) -> None:
        super().__init__(metric=SCORE, mode="min")
        self._session = session
        self._storage = storage = session.storage
        self._pending = list(pending)
        self._packing = packing
        self._source = source
        self._options = options
        self._retries = retries
        self._max_concurrent = max_concurrent
        self._board = board
        self._live: dict[str, dict[str, PlannedTrial]] = {}
        self._returned: Counter[str] = Counter()
        self._looked, self._stopping = -math.inf, False
        self.trouble: str | None = None
        # A model-based sampler hears every result; reading the whole sweep for each would be quadratic.
        self._record = None if source is None else storage.record()
        self._replicates: dict[str, dict[str, TrialRecord]] = {}
        for trial in self._record.trials if self._record is not None else ():
            self._replicates.setdefault(trial.plan.configuration_key, {})[trial.key] = trial

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """The next trial's config, None to wait, or FINISHED."""
        if self.trouble is not None or self._is_stopping():
            return str(Searcher.FINISHED)
        if self._max_concurrent is not None and len(self._live) >= self._max_concurrent:
            return None
        if not self._pending and self._source is not None:
            suggested = self._source.ask()
            if suggested is None:
                return None if self._live else str(Searcher.FINISHED)
            if suggested:
                try:
                    patient(lambda: self._extend(suggested))
                except StorageError as trouble:
                    self.trouble = str(trouble)
                if self.trouble is not None or self._stopping:
                    return str(Searcher.FINISHED)
                self._board.add(suggested)
                self._pending = list(suggested)
        if not self._pending:
            # What runs now may come back, from a machine that is lost.
            return None if self._live else str(Searcher.FINISHED)
        trials, slots = self._packing.take(self._pending)
        self._live[trial_id] = {planned.key: planned for planned in trials}
        for planned in trials:
            self._board.begin(planned.key)
        return {
            "options": self._options,
            "planned": [planned.to_json() for planned in trials],
            "slots": slots,
        }

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Hear of the trials of a pack that end before the others."""
        for told in result["trials"]:
            if told["over"]:
                self._end(trial_id, told["key"], told)

    def prune(self, trial_id: str, key: str) -> None:
        """The scheduler ends a trial of a pack, which goes on without it."""
        self._end(trial_id, key, {})

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Write the outcome that the worker could not, and pass results on to the sampler."""
        told = {one["key"]: one for one in (result or {}).get("trials", ())}
        for key in reversed(list(self._live.get(trial_id, ()))):  # what comes back is put first
            self._end(trial_id, key, told.get(key, result or {}), error)
        self._live.pop(trial_id, None)

    def _end(self, trial_id: str, key: str, told: Mapping[str, Any], error: bool = False) -> None:
        """A trial ended, or Tune did not get it back: say so in storage and pass it on."""
        planned = self._live[trial_id].pop(key, None)
        if planned is None:
            return
        if told.get("outcome") in (UNSTORED, OTHER_CODE):
            self.trouble = str(told["error"])
        if told.get("outcome") == OTHER_CODE:
            # What other workers train goes on from its checkpoint, once all of them run the same code.
            with contextlib.suppress(StorageError):
                self._session.request_stop(self.trouble or "")
        try:
            ended = patient(lambda: self._close(planned, told, error))
        except StorageError as trouble:
            self.trouble = str(trouble)
            return
        self._board.update(ended)
        if self._source is not None and self._record is not None:
            replicates = self._replicates.setdefault(planned.configuration_key, {})
            replicates[planned.key] = ended
            self._source.tell(replace(self._record, trials=tuple(replicates.values())))

    def _close(self, planned: PlannedTrial, told: Mapping[str, Any], error: bool) -> TrialRecord:
        """What a trial left, once it is written how it ended."""
        ended = self._storage.trial(planned.key).record(planned)
        if error and not ended.state.ended:
            died = self._workers(ended)
            if ended.state is TrialState.STOPPED and died:
                return ended
            # Ray counts what it could not even begin, on a machine that is gone, as a failure too.
            if died <= self._retries and self._returned[planned.key] < MOST_RETURNS:
                self._returned[planned.key] += 1
                self._pending.insert(0, planned)
                return ended
            if died > self._retries and self._packing.let_alone(planned):
                # What the others need may be what a pack had too little of.
                self._pending.insert(0, planned)
                return ended
            cause = f"its worker died {died} times; see the attempts in the record"
            if not died:
                cause = f"no worker could begin it, {MOST_RETURNS + 1} times: see the logs of Ray's machines"
            return self._written(planned, TrialState.FAILED, cause)
        if not error and ended.state is TrialState.RUNNING and not told.get("over", False):
            return self._written(planned, TrialState.PRUNED)
        return ended

    def _workers(self, trial: TrialRecord) -> int:
        """How many workers of this session began the trial as it is run now, out of memory more than once."""
        attempts = [a for a in trial.attempts if a is not None and a.session == self._session.number]
        slots = self._packing.slots_of(trial.key)
        return len({(a.hostname, a.pid) for a in attempts if a.slots == slots})

    def _written(self, planned: PlannedTrial, state: TrialState, error: str | None = None) -> TrialRecord:
        if not self._is_superseded():
            self._storage.trial(planned.key).write_outcome(state, error)
        return self._storage.trial(planned.key).record(planned)

    def _is_superseded(self) -> bool:
        superseded = self._session.superseded
        self._stopping = self._stopping or superseded
        return superseded

    def _is_stopping(self) -> bool:
        """Whether somebody asked to stop; Tune calls often, and a bucket bills every look."""
        now = time.monotonic()
        if now - self._looked >= self._storage.files.poll_seconds:
            self._looked = now
            with contextlib.suppress(StorageError):
                self._stopping = self._is_superseded() or self._storage.stop_requested() is not None
        return self._stopping

    def _extend(self, suggested: list[PlannedTrial]) -> None:
        """Add a configuration's trials to the plan, unless it is another driver's by now."""
        if self._is_superseded():
            return
        for planned in suggested:
            waiting = TrialRecord(planned, TrialState.WAITING)
            self._replicates.setdefault(planned.configuration_key, {})[planned.key] = waiting
        trials = [trial.plan for replicates in self._replicates.values() for trial in replicates.values()]
        self._storage.write_plan(sorted(trials, key=lambda planned: planned.index))

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tuner pickles its searcher for a `restore` that is never used."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the plan is in storage."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the plan is in storage."""
