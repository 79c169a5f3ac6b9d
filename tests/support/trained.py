"""A sweep that the real trainer trained: two configurations of two seeds on scikit-learn's digits."""

import io
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from iwae.config.train import TrainConfig
from iwae.data.load import load_dataset
from iwae.trainer.trainer import Trainer
from tracking.files.folder import Folder
from tracking.provenance.machine import environment
from tracking.provenance.provenance import code
from tracking.records.records import PlannedTrial
from tracking.records.shapes import Attempt, SessionEntry
from tracking.storage.checkpoint import Checkpoint
from tracking.storage.manifest import Decided
from tracking.storage.sweep import SweepStorage

BASE: Mapping[str, Any] = {
    "data": {"name": "digits", "num_train": 200},
    "model": {"hidden_dims": [16], "latent_dim": 4},
    "optimizer": {"lr": 1e-2},
    "num_epochs": 4,
    "evaluation": {
        "every": 2,
        "num_samples": 5,
        "final_num_samples": 100,
        "snr_num_draws": 0,
        "num_images": 100,
    },
}


def plan(base: Mapping[str, Any] = BASE) -> list[PlannedTrial]:
    points = [(k, seed) for k in (1, 5) for seed in (0, 1)]
    return [
        PlannedTrial(
            index,
            {"objective.num_samples": k},
            TrainConfig.parse({**base, "objective": {"num_samples": k}, "seed": seed}),
        )
        for index, (k, seed) in enumerate(points)
    ]


def train_sweep(root: Path, name: str = "trained", base: Mapping[str, Any] = BASE) -> SweepStorage:
    storage = SweepStorage(Folder(root), name)
    trials = plan(base)
    storage.create(
        Decided.of({"name": name, "base": dict(base), "search": {}, "scheduler": {}}, trials, code())
    )
    storage.write_session(
        1,
        SessionEntry(
            hostname="elsewhere",
            pid=1,
            started=time.time(),
            heartbeat=0.0,
            ended=time.time(),
            outcome="finished",
        ),
    )
    for trial in trials:
        train(storage, trial)
    return storage


def train(storage: SweepStorage, trial: PlannedTrial, threads: int = 1) -> None:
    before = torch.get_num_threads()
    dataset = load_dataset(trial.config.data)
    torch.set_num_threads(threads)
    trainer = Trainer(trial.config, dataset)
    provenance = environment("cpu", threads, dataset.content_hash, trial.config.seed)
    storage.trial(trial.key).begin_attempt(
        Attempt(
            started=time.time(),
            hostname=socket.gethostname(),
            pid=1,
            from_epoch=0,
            provenance=provenance,
        ),
    )
    history = tuple(trainer.epochs())
    final = trainer.final_evaluation()
    torch.set_num_threads(before)
    images = io.BytesIO()
    np.savez_compressed(images, **final.images)  # type: ignore[arg-type]
    unit = Checkpoint(
        len(history), history, final=final.metrics, weights=trainer.weights(), likelihoods=images.getvalue()
    )
    storage.trial(trial.key).write_checkpoint(unit)
