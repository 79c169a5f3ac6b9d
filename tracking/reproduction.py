"""Trains a recorded trial again and says whether it is the same to the bit, within noise, or another one."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.data.load import load_dataset
from iwae.pack.pack import Pack
from iwae.trainer.metrics import redefined, trained_otherwise
from iwae.trainer.trainer import Trainer
from tracking.comparison import Difference, Verdict, compare, verdict_of
from tracking.errors import RecordError
from tracking.provenance import sources
from tracking.provenance.changed import changed, changed_files
from tracking.provenance.machine import environment
from tracking.provenance.provenance import code
from tracking.records.records import EpochRecord, SweepRecord, TrialRecord


@dataclass(frozen=True)
class Reproduction:
    """What came of training a trial again.

    Attributes:
        verdict: ``BITWISE``, ``WITHIN_NOISE`` or ``DIVERGED``.
        explanation: why, in a sentence.
        first_different_epoch: from 1; None when every epoch is the same.
        differences: the numbers that differ in that epoch, and the final ones that differ.
        changed: what changed in environment and code that can change bits: ``{path: [then, now]}``.
        history: the epochs of the second training.
        final: its final numbers, when the original has some.
        environment: of the second training.
        run_id: its run, once it is recorded.
        original_run_id: the run that was reproduced.
        source: which ``record`` in storage was compared with, and the ``tracking_uri`` of its run.
    """

    verdict: Verdict
    explanation: str
    first_different_epoch: int | None
    differences: tuple[Difference, ...]
    changed: Mapping[str, list[Any]]
    history: tuple[EpochRecord, ...] = field(repr=False)
    final: Mapping[str, float] | None
    environment: Mapping[str, Any] = field(repr=False)
    run_id: str | None = None
    original_run_id: str | None = None
    source: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As ``--json`` prints it and the run's artifact holds it."""
        return {
            "run_id": self.run_id,
            "original_run_id": self.original_run_id,
            "source": dict(self.source),
            "verdict": self.verdict,
            "explanation": self.explanation,
            "first_different_epoch": self.first_different_epoch,
            "differences": [difference._asdict() for difference in self.differences],
            "environment": {"changed": dict(self.changed)},
        }


def reproduce(
    record: SweepRecord,
    trial: TrialRecord,
    *,
    ran: Mapping[str, Any] | None = None,
    on_epoch: Callable[[int, bool], None] | None = None,
) -> Reproduction:
    """Train a trial again, on the recorded kind of device, with the recorded threads, and compare.

    A trial without final numbers (stopped, pruned) is trained up to its last recorded epoch.

    Args:
        record: the sweep, whose seeds say what noise is.
        trial: one of its trials.
        ran: the code that the trial ran under; None is that of the sweep's start.
        on_epoch: hears each epoch and whether it was the same.

    Raises:
        RecordError: nothing was recorded, the data are not the same, or the device is not there.
    """
    then = trial.provenance
    if not then or not trial.history:
        raise RecordError(f"{trial.plan.name} of {record.name} has no recorded epoch to compare with")
    config, dataset = _restored(trial)
    with _restored_threads(then["threads"]):
        trainer = Trainer(config, dataset)
        history: list[EpochRecord] = []
        unlike = redefined(int(trial.provenance.get("definitions", 1)), trial.config)
        for epoch in _epochs(trainer, then.get("pack_slots")):
            history.append(epoch)
            original = trial.history[len(history) - 1]
            if on_epoch is not None:
                on_epoch(epoch.epoch, not compare(original.metrics, epoch.metrics, epoch.epoch, unlike))
            if len(history) == len(trial.history):
                break
        final = None if trial.final is None else trainer.finish()
        now = environment(
            device=str(trainer.device),
            threads=torch.get_num_threads(),
            dataset_hash=dataset.content_hash,
            seed=config.seed,
            chunk_size=config.chunk_size,
            slots=then.get("pack_slots"),
        )
    ran, runs = record.code if ran is None else ran, code()
    differing = changed(then, now, ran, runs)
    judged = judge(record, trial, tuple(history), final, now, differing)
    return replace(judged, explanation=judged.explanation + _other_code(differing, ran, runs))


def _epochs(trainer: Trainer, slots: int | None) -> Iterator[EpochRecord]:
    """Its epochs, trained in a pack of as many slots as the original's, whose neighbours do not matter."""
    if slots is None:
        yield from trainer.epochs()
        return
    pack, epochs = Pack(trainer, slots), trainer.epochs()
    for _ in range(trainer.config.num_epochs):
        pack.train_epoch([trainer])
        yield next(epochs)


def _other_code(differing: Mapping[str, Any], ran: Mapping[str, Any], runs: Mapping[str, Any]) -> str:
    """That the trainer is not the one that the trial ran under; empty where it is."""
    if not any(name.startswith("code.") for name in differing):
        return ""
    files = sources.listed(changed_files(ran, runs)) or "which files differ is not recorded"
    return f"; the code is not the same: {files}"


def judge(
    record: SweepRecord,
    trial: TrialRecord,
    history: tuple[EpochRecord, ...],
    final: Mapping[str, float] | None,
    now: Mapping[str, Any],
    changed: Mapping[str, list[Any]],
) -> Reproduction:
    """Compare a second training with the record.

    Args:
        record: the sweep, whose seeds say what noise is.
        trial: what was recorded.
        history: epochs of the second training, as many as were recorded.
        final: its final numbers, when the record has some.
        now: the environment of the second training.
        changed: what changed in environment and code.
    """
    version = int(trial.provenance.get("definitions", 1))
    unlike = redefined(version, trial.config)
    epochs = [
        compare(old.metrics, new.metrics, old.epoch, unlike)
        for old, new in zip(trial.history, history, strict=True)
    ]
    finals = compare(trial.final or {}, final or {}, None, unlike)
    different = [position for position, found in enumerate(epochs) if found]
    shown = [*(epochs[different[0]] if different else []), *finals]
    verdict, explanation = verdict_of(record, trial, final, epochs, finals)
    if left_out := sorted(unlike & {*(trial.final or {}), *(final or {})}):
        explanation += f"; recorded under an older definition and not compared: {', '.join(left_out)}"
    if why := trained_otherwise(version, trial.config):
        explanation += f"; when it was recorded {why}"
    first = trial.history[different[0]].epoch if different else len(history) if finals else None
    return Reproduction(verdict, explanation, first, tuple(shown), changed, history, final, now)


def _restored(trial: TrialRecord) -> tuple[TrainConfig, Dataset]:
    then = trial.provenance
    kind = str(then["device"]).partition(":")[0]
    if kind == "cuda" and not torch.cuda.is_available():
        raise RecordError(
            f"{trial.plan.name} was trained on {then.get('gpu') or 'cuda'}: this machine has none"
        )
    runtime = {"device": kind, "threads": then["threads"], "chunk_size": then.get("chunk_size")}
    config = TrainConfig.parse({**trial.config.to_dict(), **runtime})
    dataset = load_dataset(config.data, moved=True)
    if dataset.content_hash != then["dataset_hash"]:
        raise RecordError(
            f"data: {config.data.name} is not what the run was trained on: its SHA-256 is"
            f" {dataset.content_hash[:12]}… and was {str(then['dataset_hash'])[:12]}…"
        )
    return config, dataset


@contextmanager
def _restored_threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
