"""How right `sweeps plan` is: three sweeps are planned, run, and compared with what was said of them.

    IWAE_DATA_DIR=... python tests/benchmarks/service/forecast.py [quickstart] [mnist] [npz]

The quickstart, twelve trials of MNIST, and a file of one's own with images of another size. The plan probes
into an empty cache. A trial's seconds are those from its start to its end in storage, a sweep's those of its
command on the clock. Takes about six minutes on two quiet cores; on a busy machine it measures neighbours.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

from sweeps.plan.forecast import trial_seconds
from tracking.files.places import open_storage
from tracking.records.records import SweepRecord
from tracking.storage.sweep import SweepStorage

MOST_MEDIAN, MOST_ERROR = 0.15, 0.40
FEW = {"num_samples": 50, "num_images": 200, "final_num_samples": 200, "final_num_images": 500}


def mnist() -> dict[str, Any]:
    """Twelve small trials."""
    base = {"data": {"name": "mnist", "num_train": 5000}, "num_epochs": 3, "evaluation": FEW}
    space = {"objective.num_samples": {"grid": [1, 5, 20, 50]}}
    return {"name": "mnist", "base": base, "search": {"space": space, "seeds": [0, 1, 2]}}


def npz(folder: Path) -> dict[str, Any]:
    """Ten trials of random binary images of 20 x 14 pixels."""
    source = np.random.default_rng(0)
    images = {
        split: (source.random((count, 20, 14)) < 0.3)
        for split, count in (("train", 4000), ("validation", 500), ("test", 700))
    }
    np.savez(folder / "own.npz", **images)
    base = {
        "data": {"name": "npz", "path": str(folder / "own.npz")},
        "model": {"hidden_dims": [200], "latent_dim": 10},
        "num_epochs": 6,
        "evaluation": FEW,
    }
    space = {"objective.num_samples": {"grid": [1, 5, 10, 20, 50]}}
    return {"name": "npz", "base": base, "search": {"space": space, "seeds": [0, 1]}}


def sweeps(command: str, spec: str, folder: Path) -> tuple[dict[str, Any], float]:
    """What `sweeps COMMAND SPEC --json` says, and its wall-clock seconds."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "sweeps", command, spec, "--json"],
        cwd=folder,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout), time.monotonic() - began


def compared(name: str, folder: Path) -> tuple[list[float], dict[str, Any], float, SweepRecord]:
    """Errors of the trials' seconds, the plan, the sweep's seconds and its record."""
    spec = name
    if name != "quickstart":
        spec = f"{name}.yaml"
        values = mnist() if name == "mnist" else npz(folder)
        (folder / spec).write_text(yaml.safe_dump(values))
    plan, _ = sweeps("plan", spec, folder)
    _, wall = sweeps("run", spec, folder)
    record = SweepStorage(open_storage(str(folder / "sweeps-storage")), name).record()
    said = {trial["key"]: trial["seconds"] for trial in plan["trials"]}
    errors = [said[trial.key] / (trial_seconds(trial) or 0) - 1 for trial in record.complete]
    return errors, plan["forecast"], wall, record


def beside(record: SweepRecord, wall: float) -> str:
    """What the constants of `sweeps.plan.wall` stand for, as this sweep had it."""
    session = record.sessions[0]
    ended = max(trial.ended or 0 for trial in record.complete)
    first = min(one.started for trial in record.complete for one in trial.attempts if one is not None)
    spans = [trial_seconds(trial) or 0 for trial in record.complete]
    own = [
        sum(e.metrics["time/epoch_seconds"] for e in trial.history) / trial.history[-1].epoch
        for trial in record.complete
    ]
    inside = (session.ended or 0) - session.started - (ended - first)
    return (
        f"{inside:.1f} s of the session and {wall - (session.ended or 0) + session.started:.1f} s of the"
        f" command beside the trials, which took {mean(spans):.2f} s on average"
        f" ({mean(own):.3f} s of training an epoch)"
    )


def main() -> None:
    """Print errors and intervals, and what the constants were."""
    table = Table("sweep", "trials", "median error", "largest", "wall, s", "said, s", "interval", "inside")
    notes, right = [], True
    for name in sys.argv[1:] or ["quickstart", "mnist", "npz"]:
        with tempfile.TemporaryDirectory() as folder:
            errors, forecast, wall, record = compared(name, Path(folder))
            said = forecast["wall_seconds"]
            middle, worst = median(map(abs, errors)), max(errors, key=abs)
            inside = said["low"] <= wall <= said["high"]
            right &= middle <= MOST_MEDIAN and abs(worst) <= MOST_ERROR and inside
            table.add_row(
                name,
                str(len(errors)),
                f"{middle:.0%}",
                f"{worst:+.0%}",
                f"{wall:.0f}",
                f"{said['median']:.0f}",
                f"{said['low']:.0f} to {said['high']:.0f}",
                "yes" if inside else "NO",
            )
            notes.append(
                f"{name}: median of said / measured {1 + median(errors):.2f}; {beside(record, wall)}"
            )
    console = Console(width=120, markup=False, highlight=False)
    console.print(table)
    for note in notes:
        console.print(note)
    console.print(
        "all as asked" if right else "not as asked: a median of 15 %, none above 40 %, walls inside"
    )


if __name__ == "__main__":
    main()
