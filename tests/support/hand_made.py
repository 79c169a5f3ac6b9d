"""Sweeps whose storage is written by hand, one step at a time."""

from pathlib import Path

import numpy as np
from safetensors.numpy import save

from iwae.config.train import TrainConfig
from tracking.files.folder import Folder
from tracking.records.exclusive import machine_kind, shape_of
from tracking.records.records import EpochRecord, PlannedTrial
from tracking.records.shapes import Attempt, LaunchForecast, SessionEntry, ShapeProbe, TrialForecast
from tracking.storage.checkpoint import Checkpoint
from tracking.storage.manifest import Decided
from tracking.storage.sweep import SweepStorage

EPOCHS = 4
STEPS = 10  # of an epoch
MACHINE = {"device": "cpu", "threads": 1, "dataset_hash": "ab" * 32, "seed": 0}
STARTED = 1_700_000_000.0
METRICS = ("train/bound", "val/nll", "time/train_seconds")


def planned(num_samples: int, seed: int = 0, index: int = 0) -> PlannedTrial:
    config = TrainConfig.parse(
        {
            "data": {"name": "digits"},
            "objective": {"num_samples": num_samples},
            "seed": seed,
            "model": {"hidden_dims": [8], "latent_dim": 2},
            "num_epochs": EPOCHS,
        }
    )
    return PlannedTrial(index, {"objective.num_samples": num_samples}, config)


def probe(trial: PlannedTrial, step_seconds: float, machine: str = machine_kind(MACHINE)) -> ShapeProbe:
    """What a trial's step takes alone, known within 2 %."""
    return ShapeProbe(
        shape=shape_of(trial.config),
        machine=machine,
        steps_per_epoch=STEPS,
        step_seconds=step_seconds,
        low=step_seconds / 1.02,
        high=step_seconds * 1.02,
        rounds=7,
    )


def forecast(*trials: PlannedTrial) -> LaunchForecast:
    """40 s for everything, 3 s of training for each."""
    each = {trial.key: TrialForecast(train_seconds=3.0, seconds=5.0) for trial in trials}
    return LaunchForecast(made=STARTED, wall_seconds=40.0, wall_low=30.0, wall_high=60.0, trials=each)


def history(epochs: int, offset: float = 0.0) -> tuple[EpochRecord, ...]:
    return tuple(
        EpochRecord(n, STARTED + offset + 2 * n, {key: n + 0.1 * i + 1 / 3 for i, key in enumerate(METRICS)})
        for n in range(1, epochs + 1)
    )


class Sweep:
    """A sweep in storage whose trials are written by hand, one step at a time."""

    def __init__(
        self, root: Path, name: str = "tiny", ks: tuple[int, ...] = (1, 5, 20), seeds: int = 1
    ) -> None:
        self.folder = root / name
        self.storage = SweepStorage(Folder(root), name)
        self.plan = [planned(k, seed, seeds * i + seed) for i, k in enumerate(ks) for seed in range(seeds)]
        spec = {"name": name, "base": {"num_epochs": EPOCHS}, "search": {"space": list(ks)}, "scheduler": {}}
        code = {"commit": "c0ffee", "diff": "--- a\n+++ b\n", "packages": {"torch": "2"}}
        self.storage.create(Decided.of({**spec, "tracking": {"figures": False}}, self.plan, code))
        self.session = SessionEntry(
            hostname="elsewhere", pid=1, started=STARTED, heartbeat=STARTED, ended=None, outcome=None
        )
        self.storage.write_session(1, self.session)

    def begin(self, index: int, from_epoch: int = 0) -> None:
        attempt = Attempt(
            started=STARTED + index,
            hostname="elsewhere",
            pid=2,
            from_epoch=from_epoch,
            provenance=MACHINE,
        )
        self.storage.trial(self.plan[index].key).begin_attempt(attempt)

    def trial_folder(self, index: int) -> Path:
        return self.folder / "trials" / self.plan[index].key

    def checkpoint(self, index: int, epochs: int, offset: float = 0.0) -> None:
        unit = Checkpoint(epochs * STEPS, history(epochs, offset), state=b"state")
        self.storage.trial(self.plan[index].key).write_checkpoint(unit)

    def complete(self, index: int) -> None:
        final = {"val/nll_final": 20.0 + index, "test/nll": 21.0 + index}
        weights = save({"w": np.full(3, index, dtype=np.float32)})
        unit = Checkpoint(EPOCHS * STEPS, history(EPOCHS), final=final, weights=weights, time=STARTED + 60)
        self.storage.trial(self.plan[index].key).write_checkpoint(unit)

    def close(self, outcome: str = "finished") -> None:
        self.storage.write_session(
            1, self.session.model_copy(update={"ended": STARTED + 99, "outcome": outcome})
        )

    def finish(self) -> None:
        for index in range(len(self.plan)):
            self.begin(index)
            self.complete(index)
        self.close()
