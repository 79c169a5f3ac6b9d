"""What the service costs beside training: `python tests/benchmarks/service/overhead.py [--trials 200]`.

1. Trials that train nothing (one step on one image, no pictures, one evaluation sample): seconds a trial,
   from the first trial's start to the last one's end and to the complete record, and the driver's memory.
2. The share of a quickstart trial's time that its worker spends on anything but training and evaluation.
"""

import argparse
import math
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from sweeps.plan.plan import draw_plan
from sweeps.runner import run_sweep
from sweeps.spec.spec import SweepSpec, load_spec
from tracking.addresses.uris import resolve_tracking_uri
from tracking.files.folder import Folder
from tracking.storage.manifest import Decided
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore

NOTHING: dict[str, Any] = {
    "data": {"name": "digits", "num_train": 1},
    "model": {"hidden_dims": [1], "latent_dim": 1},
    "batch_size": 1,
    "num_epochs": 1,
    "evaluation": {
        "num_samples": 1,
        "num_images": 2,
        "final_num_samples": 1,
        "final_num_images": 2,
        "few_num_samples": 1,
        "snr_num_draws": 0,
    },
}


def empty_trials(number: int, folder: Path) -> dict[str, float]:
    """Run `number` trials that train nothing; seconds and bytes a trial."""
    document = {
        "name": "nothing",
        "base": NOTHING,
        "search": {"space": {}, "seeds": list(range(number))},
        "tracking": {"figures": False},
    }
    storage = SweepStorage(Folder(folder / "storage"), "nothing")
    store = RunStore(resolve_tracking_uri(f"sqlite:///{folder}/mlflow.db"), "benchmark")
    store.open(create=True)
    memory: list[tuple[int, int]] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.5):
            ended = len(list((folder / "storage").glob("nothing/trials/*/final.zip")))
            memory.append((ended, psutil.Process().memory_info().rss))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        run_sweep(SweepSpec.parse(document), storage.files, store)
    finally:
        finished = time.time()
        done.set()
        watcher.join()
    record = storage.record()
    assert record.counts == {"COMPLETE": number}
    first = min(trial.attempts[0].started for trial in record.trials)
    last = max(trial.ended or 0.0 for trial in record.trials)
    # Growth between the first fifth, when everything is loaded, and the last trial.
    early = next(row for row in memory if row[0] >= number // 5)
    late = next(row for row in memory if row[0] >= number)
    return {
        "trials": (last - first) / number,
        "record": (finished - first) / number,
        "bytes": (late[1] - early[1]) / max(late[0] - early[0], 1),
    }


def worker_seconds(folder: Path) -> list[tuple[float, float]]:
    """Of some quickstart trials, run here one by one: seconds outside the trainer, and seconds in all."""
    from iwae.trainer.trainer import Trainer
    from sweeps.worker.group import TrialGroup
    from sweeps.worker.options import TrialOptions

    spec = load_spec("quickstart")
    storage = SweepStorage(Folder(folder / "storage"), spec.name)
    plan = draw_plan(spec)
    storage.create(Decided.of(spec.to_dict(), plan, {}))
    inside = [0.0]

    def timed(function: Any) -> Any:
        def call(*args: Any) -> Any:
            begin = time.perf_counter()
            try:
                return function(*args)
            finally:
                inside[0] += time.perf_counter() - begin

        return call

    class TimedTrainer(Trainer):
        def epochs(self) -> Any:
            iterator = super().epochs()
            step = timed(lambda: next(iterator, None))
            return iter(step, None)

        finish = timed(Trainer.finish)

    import sweeps.worker.trial

    sweeps.worker.trial.Trainer = TimedTrainer  # type: ignore[misc]
    options = TrialOptions(
        storage=storage.files.uri,
        sweep=storage.name,
        session=0,
        device="cpu",
        threads=1,
        cpus=1,
        gpus=0,
        checkpoint_every=spec.checkpoint_every,
        keep=spec.keep_checkpoints,
        figures=True,
        shrink_retries=0,
        code="ab" * 32,
    )
    seconds: list[tuple[float, float]] = []
    trial = None
    # Every other trial, one of them the first of its process: as in a sweep with two workers.
    for planned in plan[::2]:
        inside[0], begin = 0.0, time.perf_counter()
        if trial is None:
            trial = TrialGroup(options, [planned])
        else:
            trial.begin_next([planned])
        while not trial.step()["done"]:
            pass
        total = time.perf_counter() - begin
        seconds.append((total - inside[0], total))
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=200)
    number = parser.parse_args().trials
    with tempfile.TemporaryDirectory() as folder:
        empty = empty_trials(number, Path(folder))
        seconds = worker_seconds(Path(folder))
    shares = [outside / total for outside, total in seconds]
    together = sum(outside for outside, _ in seconds) / sum(total for _, total in seconds)
    table = Table("what", "measured", "limit", "verdict")
    rows = [
        (f"s a trial, {number} that train nothing", empty["trials"], 0.3, "{:.3f}"),
        ("s a trial, until MLflow and the report are complete", empty["record"], 0.3, "{:.3f}"),
        ("driver's growth, MB a trial", empty["bytes"] / 1e6, 1.0, "{:.3f}"),
        ("worker's time outside training and evaluation, median", statistics.median(shares), 0.05, "{:.1%}"),
        (f"  the same, {len(shares)} trials together", together, 0.05, "{:.1%}"),
        ("  the same, the first one, which reads the data", shares[0], math.inf, "{:.1%}"),
    ]
    for what, value, limit, form in rows:
        verdict = "" if limit == math.inf else "ok" if value <= limit else "TOO MUCH"
        table.add_row(what, form.format(value), "" if limit == math.inf else form.format(limit), verdict)
    Console().print(table)


if __name__ == "__main__":
    main()
