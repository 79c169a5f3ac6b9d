"""The runs of a sweep's trials: brought to what storage holds, idempotently."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from tracking.errors import RefusedError
from tracking.mlflow import mapping as view
from tracking.mlflow.client import MAX_METRICS, Client, Run
from tracking.provenance.codes import code_of
from tracking.records import chain
from tracking.records.records import EpochRecord, SweepRecord, TrialRecord, TrialState
from tracking.records.source import Unit
from tracking.runs.carry_over import carry_over
from tracking.storage.turns import Turn

_log = logging.getLogger(__name__)
# The figures of a complete trial by their paths among its artifacts, from its record and its last unit.
Draw = Callable[[TrialRecord, Unit], dict[str, bytes]]
_SYNCED = "sweeps.synced"
_UNFINISHED = (TrialState.STOPPED, TrialState.FAILED)


@dataclass
class _Known:
    """What MLflow is known to hold of a trial; a cache that may be dropped at any time.

    Attributes:
        times: when each logged epoch was completed, by step; None until MLflow was asked.
        attempts: how many attempts' provenance was uploaded.
        fingerprint: of the trial as it was when everything had arrived.
        chain: the end of the trial's chain of hashes then.
        figures: the hashes of the figures that were uploaded, as a tag's text.
        trial: the record with this fingerprint, when this process saw it.
    """

    run_id: str
    status: str
    state: str
    params: set[str]
    times: dict[int, int] | None = None
    attempts: int = 0
    fingerprint: str = ""
    chain: str | None = None
    figures: str = ""
    trial: TrialRecord | None = None

    @classmethod
    def of(cls, run: Run) -> "_Known":
        state = run.tags.get("sweeps.state", "")
        as_told = state in view.STATUS and run.status == view.STATUS[TrialState(state)]
        fingerprint = run.tags.get(_SYNCED, "") if as_told else ""
        head = run.tags.get(chain.TAG)
        return cls(run.id, run.status, state, set(run.params), fingerprint=fingerprint, chain=head)


@dataclass
class TrialRuns:
    """The runs of one sweep's trials; one at a time may write them.

    Attributes:
        experiment_id: where new runs go.
        draw: draws the figures of a complete trial; None stores none.
        trusting: believe a run's note that everything had arrived; else look at everything again.
    """

    client: Client
    experiment_id: str
    name: str
    draw: Draw | None = None
    trusting: bool = True

    @cached_property
    def _known(self) -> dict[str, _Known]:
        found: dict[str, _Known] = {}
        for run in self.client.runs({"sweeps.kind": "trial", "sweeps.name": self.name}):
            known = _Known.of(run)
            if not self.trusting:
                known.fingerprint = ""
            found.setdefault(run.tags.get("sweeps.trial_key", ""), known)
        return found

    def sync_all(self, record: SweepRecord, parent_id: str, turn: Turn) -> list[RefusedError]:
        """Bring the runs of all trials that have begun to what the record says, several at a time.

        Returns:
            What the store refused, one error a trial; the other trials are recorded all the same.
        """
        begun = [trial for trial in record.trials if trial.state is not TrialState.WAITING]
        changed = [trial for trial in begun if not self._is_known(trial)]

        def refusal(trial: TrialRecord) -> RefusedError | None:
            try:
                self.sync(record, parent_id, trial, turn)
            except RefusedError as error:
                return RefusedError(f"{trial.plan.name}: {error}")
            return None

        return [error for error in self.client.each(refusal, changed) if error is not None]

    def _is_known(self, trial: TrialRecord) -> bool:
        known = self._known.get(trial.key)
        return known is not None and known.trial is trial

    def sync(self, record: SweepRecord, parent_id: str, trial: TrialRecord, turn: Turn) -> str:
        """Bring the run of a trial that has begun to what its record says; returns the run's id."""
        known = self._known.get(trial.key)
        if known is not None and known.trial is trial:
            return known.run_id
        fingerprint = view.fingerprint(trial)
        if known is not None and known.fingerprint == fingerprint:
            known.trial = trial
            return known.run_id
        turn.check()
        if known is not None and (what := chain.altered(known.chain, trial)) is not None:
            _log.warning("%s: %s was altered: run %s stays as it is", trial.plan.name, what, known.run_id)
            return known.run_id
        if known is not None and known.status == "FINISHED" and trial.state in _UNFINISHED:
            return known.run_id  # its result is there and lost in storage: `resume` trains the trial again
        if known is not None and self._contradicts(trial, known):
            _log.warning("%s: storage and run %s disagree: rebuilding the run", trial.plan.name, known.run_id)
            before = self.client.run(known.run_id)
            self.client.delete(known.run_id)
            known = self._known[trial.key] = self._create(parent_id, trial)
            carry_over(self.client, before, known.run_id, trial, view.metric_names(record))
        if known is None:
            known = self._known[trial.key] = self._create(parent_id, trial)
        self._reopen(trial, known)
        self._log_epochs(trial, known)
        self._store_files(record, trial, known)
        if trial.state is not TrialState.RUNNING:
            known.status = view.STATUS[trial.state]
            self.client.end(known.run_id, known.status, view.trial_end(trial))
        tags = {
            **view.trial_tags(trial),
            "mlflow.parentRunId": parent_id,
            "sweeps.configuration_key": trial.plan.configuration_key,
            _SYNCED: fingerprint,
        }
        if known.figures:
            tags[view.FIGURES] = known.figures
        self.client.log(known.run_id, tags=tags)
        known.state, known.fingerprint, known.trial = trial.state.value, fingerprint, trial
        known.chain = tags.get(chain.TAG)
        return known.run_id

    def _contradicts(self, trial: TrialRecord, known: _Known) -> bool:
        """Whether an epoch or the end that storage holds was logged as another one.

        It happens when a checkpoint is lost after its epochs were logged and they are trained again. A run
        cannot take a value back, so one run cannot hold both.
        """
        if known.times is None:
            points = self.client.histories.of(known.run_id, view.MARKER)
            known.times = {point.step: point.time for point in points}
        times = known.times
        if trial.final is not None and known.state == TrialState.COMPLETE.value:
            first = view.final_points(trial)[0]
            if any(point != first for point in self.client.histories.of(known.run_id, first.key)):
                return True
        return any(
            times.get(epoch.epoch, view.milliseconds(epoch.time)) != view.milliseconds(epoch.time)
            for epoch in trial.history
        )

    def _create(self, parent_id: str, trial: TrialRecord) -> _Known:
        tags = {
            **view.identity_tags(self.name, trial.key),
            **view.trial_tags(trial),
            "mlflow.parentRunId": parent_id,
            "sweeps.configuration_key": trial.plan.configuration_key,
        }
        run = self.client.create_run(self.experiment_id, trial.plan.name, view.trial_start(trial), tags)
        return _Known(run.id, run.status, trial.state.value, set(), times={})

    def _reopen(self, trial: TrialRecord, known: _Known) -> None:
        if trial.state is TrialState.RUNNING and known.status != "RUNNING":
            self.client.reopen(known.run_id)
            known.status = "RUNNING"

    def _log_epochs(self, trial: TrialRecord, known: _Known) -> None:
        """Parameters, epochs and final numbers in as few calls as MLflow allows: each waits for its disk."""
        params = {name: text for name, text in view.params(trial.config).items() if name not in known.params}
        assert known.times is not None
        missing = (epoch for epoch in trial.history if epoch.epoch not in known.times)
        calls = [view.epoch_points(epochs) for epochs in batches(missing)]
        final = view.final_points(trial)  # the same points again are no new points
        if calls and len(calls[-1]) + len(final) <= MAX_METRICS:
            calls[-1] += final
        elif final:
            calls.append(final)
        if params and not calls:
            calls.append([])
        for number, points in enumerate(calls):
            self.client.log(known.run_id, points, params if number == 0 else None)
        known.params.update(params)
        known.times.update({epoch.epoch: view.milliseconds(epoch.time) for epoch in trial.history})

    def _store_files(self, record: SweepRecord, trial: TrialRecord, known: _Known) -> None:
        assert record.source is not None
        files: dict[str, bytes] = {}
        if len(trial.attempts) != known.attempts:
            files[view.CODE] = view.pretty_json(code_of(record.source, record, trial))
        if files or trial.state is TrialState.FAILED:
            files.update(view.trial_files(trial))
        if trial.state is TrialState.COMPLETE:
            unit = record.source.trial(trial.key).newest()
            if unit is not None:
                files.update(view.unit_files(unit))
            if unit is not None and self.draw is not None:
                figures = self.draw(trial, unit)
                known.figures = view.hashes(figures) if figures else ""
                files.update(figures)
        if files:
            self.client.artifacts.upload(known.run_id, files)
        content = trial.provenance.get("dataset_hash")
        if content and len(trial.attempts) != known.attempts:
            self.client.log_dataset(known.run_id, trial.config.data, str(content))
        if known.state == TrialState.FAILED.value and trial.state is not TrialState.FAILED:
            self.client.artifacts.remove(known.run_id, view.ERROR)
        known.attempts = len(trial.attempts)


def batches(epochs: Iterable[EpochRecord]) -> Iterator[list[EpochRecord]]:
    """Whole epochs, as many as MLflow takes at once: an epoch arrives entirely or not at all."""
    batch: list[EpochRecord] = []
    size = 0
    for epoch in epochs:
        if batch and size + len(epoch.metrics) > MAX_METRICS:
            yield batch
            batch, size = [], 0
        batch.append(epoch)
        size += len(epoch.metrics)
    if batch:
        yield batch
