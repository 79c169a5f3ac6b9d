"""Whether the slope of t = a + b K depends on what ran beside the trials: measured, and with steps alone.

    python tests/benchmarks/service/exclusive_seconds.py

The same small sweep (digits, K = 1, 5, 20, 50, two seeds) three times: one trial at a time, two at a time,
and two at a time in packs. About 2 minutes on two cores that have nothing else to do.
"""

import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from iwae.config import yaml
from tracking.analysis.analysis import analyse
from tracking.analysis.clocks.own import slowdown
from tracking.analysis.configurations import tables
from tracking.files.places import open_storage
from tracking.records.records import SweepRecord
from tracking.statistics.fits.line import LineFit
from tracking.storage.sweep import SweepStorage

WAYS: dict[str, dict[str, object]] = {
    "one at a time": {"max_concurrent": 1},
    "two at a time": {"max_concurrent": 2},
    "two at a time, in packs": {"max_concurrent": 2, "packing": "auto"},
}
SPEC: dict[str, object] = {
    "base": {
        "data": {"name": "digits"},
        "model": {"hidden_dims": [200, 200], "latent_dim": 20},
        "num_epochs": 15,
        "evaluation": {"every": 15, "num_samples": 10, "final_num_samples": 200, "snr_num_draws": 0},
    },
    "search": {"space": {"objective.num_samples": {"grid": [1, 5, 20, 50]}}, "seeds": [0, 1]},
    "tracking": {"figures": False},
}


def run(folder: Path, name: str, resources: dict[str, object]) -> SweepRecord:
    """The sweep, run by the command line."""
    spec, storage = folder / f"{name}.yaml", folder / "storage"
    spec.write_text(yaml.dump({**SPEC, "name": name, "resources": {"cpus": 1, **resources}}))
    where = ["--storage", str(storage), "--tracking-uri", f"sqlite:///{folder}/{name}.db"]
    subprocess.run([sys.executable, "-m", "sweeps", "run", str(spec), *where], check=True, cwd=folder)
    return SweepStorage(open_storage(str(storage)), name).record()


def line(record: SweepRecord) -> LineFit:
    """Training time against K."""
    return analyse(tables(record)[0]).fits[0].fit


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        records = {way: run(Path(folder), f"way-{i}", WAYS[way]) for i, way in enumerate(WAYS)}
    shown = Table(title="slope b of t = a + b K, ms a sample; against one at a time")
    for column in ("trials", "as measured", "ratio", "steps alone", "ratio", "measured / alone, median"):
        shown.add_column(column, justify="left" if column == "trials" else "right")
    first: tuple[float, float] | None = None
    for way, record in records.items():
        if not record.alone:
            raise SystemExit(f"{way}: its steps were not probed")
        slopes = line(replace(record, probes=())).slope, line(record).slope
        first = first or slopes
        slower = slowdown(tables(record)[0].configurations) or 0.0
        cells = [f"{1e3 * b:.2f}  {b / base:.3f}" for b, base in zip(slopes, first, strict=True)]
        shown.add_row(way, *(part for cell in cells for part in cell.split()), f"{slower:.2f}")
    Console().print(shown)


if __name__ == "__main__":
    main()
