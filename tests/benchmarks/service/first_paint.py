"""How soon a browser paints the report: medians of the first contentful paint, in milliseconds.

    PYTHONPATH=.:tests python tests/benchmarks/service/first_paint.py [REPORT/index.html [TIMES]]

Without a report it makes three: of 4, 54 and 150 configurations. Each page is opened in a window of 1280×800
and of 400×850, from a file. Needs Chromium and its driver.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from support.browser import first_paint, look, opened
from support.factory import Factory
from tracking.report.report import write_report

PARTS = ({"name": "none"}, {"name": "linear", "warmup_epochs": 5}, {"name": "cyclical", "cycles": 2})


def made(folder: Path) -> Iterator[tuple[str, Path]]:
    """Reports of made-up sweeps."""
    make = Factory()
    wide = [
        {"objective.num_samples": k, "model.latent_dim": d, "annealing": part}
        for k in (1, 5, 20, 30, 50, 100)
        for d in (10, 20, 50)
        for part in PARTS
    ]
    many = [
        {"objective.num_samples": 1 + i % 97, "model.latent_dim": 2 + i % 61, "annealing": PARTS[i % 3]}
        for i in range(150)
    ]
    for points in (make.ks(1, 5, 20, 50), wide, many):
        name = f"{len(points)} configurations"
        record = make.sweep(points, seeds=(0, 1, 2) if len(points) < 100 else (0,))
        write_report(record, folder / name, make.pictures(record))
        yield name, folder / name / "index.html"


def main() -> None:
    """Print a row for each page and window."""
    given, times = sys.argv[1:2], int(sys.argv[2]) if len(sys.argv) > 2 else 9
    with tempfile.TemporaryDirectory() as folder, opened() as browser:
        pages = [(path, Path(path)) for path in given] or list(made(Path(folder)))
        print(f"{'page':<24}{'MB':>6}{'1280×800, ms':>15}{'400×850, ms':>15}")
        for name, path in pages:
            shown = []
            for size in ((1280, 800), (400, 850)):
                look(browser, *size)
                paints = []
                for _ in range(times):
                    browser.get("about:blank")
                    browser.get(path.resolve().as_uri())
                    paints.append(first_paint(browser))
                shown.append(median(paints))
            print(f"{name:<24}{path.stat().st_size / 1e6:>6.1f}{shown[0]:>15.0f}{shown[1]:>15.0f}")


if __name__ == "__main__":
    main()
