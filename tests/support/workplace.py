"""A user's folder with a spec of a small real sweep, and the commands run in it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from support.started import start_sweeps
from sweeps.worker.options import TrialOptions
from tracking.files.folder import Folder
from tracking.storage.sweep import SweepStorage

SPEC = """
name: small
base:
  data: {name: digits, num_train: 200}
  model: {hidden_dims: [16], latent_dim: 2}
  batch_size: 50
  num_epochs: 4
  evaluation:
    {num_samples: 5, num_images: 50, final_num_samples: 100, final_num_images: 50, few_num_samples: 5}
search:
  space:
    objective.num_samples: {grid: [1, 5]}
  seeds: [0, 1]
checkpoint_every: 0.001
"""

K_GRID = "objective.num_samples: {grid: [1, 5]}"


class Workplace:
    """A folder with a tracking store and a storage of its own, as a user's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec = folder / "spec.yaml"
        self.spec.write_text(SPEC)

    def start(self, *words: object, cwd: Path | None = None) -> subprocess.Popen[str]:
        environment = {
            k: v for k, v in os.environ.items() if k not in ("MLFLOW_TRACKING_URI", "SWEEPS_STORAGE")
        }
        return start_sweeps(words, cwd or self.folder, environment)

    def sweeps(
        self, *words: object, cwd: Path | None = None, code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        process = self.start(*words, cwd=cwd)
        out, err = process.communicate(timeout=900)
        assert process.returncode == code, f"exit {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def json(self, *words: object, cwd: Path | None = None, code: int = 0) -> Any:
        return json.loads(self.sweeps(*words, "--json", cwd=cwd, code=code).stdout)

    def storage(self, name: str = "small") -> SweepStorage:
        return SweepStorage(Folder(self.folder / "sweeps-storage"), name)

    def files(self, pattern: str, name: str = "small") -> list[Path]:
        """Files of a sweep, for example ``trials/*/final.zip``."""
        return sorted((self.folder / "sweeps-storage" / name).glob(pattern))

    def table(self, name: str = "small") -> dict[str, Any]:
        """Everything that must be the same however often a sweep was interrupted."""
        return {
            trial.key: (
                trial.state,
                [(e.epoch, deterministic(e.metrics)) for e in trial.history],
                None if trial.final is None else deterministic(trial.final),
                weights(self.storage(name), trial.key),
            )
            for trial in self.storage(name).record().trials
        }


def deterministic(metrics: Any) -> dict[str, float]:
    return {k: v for k, v in metrics.items() if not k.startswith(("time/", "throughput/", "system/"))}


def weights(storage: SweepStorage, key: str) -> bytes | None:
    unit = storage.trial(key).newest()
    return None if unit is None else unit.weights


def worker_options(storage: SweepStorage, **others: Any) -> TrialOptions:
    """Of a worker on this machine's CPU that writes after every epoch."""
    values: dict[str, Any] = {
        "storage": storage.files.uri,
        "sweep": storage.name,
        "session": 1,
        "cpus": 2,
        "gpus": 0,
        "device": "cpu",
        "threads": 1,
        "checkpoint_every": 0.0,
        "keep": 2,
        "figures": False,
        "shrink_retries": 0,
        "code": "ab" * 32,
    }
    return TrialOptions(**{**values, **others})
