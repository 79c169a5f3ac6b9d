"""Training time against K: one line for each stratum, and one over the whole table, adjusted for the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tracking.analysis.configurations import K_PATH, Configuration, Table, text
from tracking.analysis.strata import Stratum, short_path
from tracking.analysis.trials.columns import SECONDS
from tracking.statistics.fits.line import Floats, LineFit, fit_line
from tracking.statistics.numbers import listing

MOST_LEVELS = 6


@dataclass(frozen=True)
class TimeFit:
    """A line t = a + b K and what it was drawn through.

    Attributes:
        label: the stratum's, or what the line is adjusted for.
        fit: the line.
        num_samples: K of the points, ``[N]``.
        seconds: mean training seconds of the points, ``[N]``.
        epochs: epochs of every point, where they all have the same number; else None.
        steps_per_epoch: optimizer steps of an epoch, where it is known and the same; else None.
        adjusted_for: short names of what was adjusted for; empty within a stratum.
        not_adjusted_for: varied, but left out: a leaf that not every configuration has, or too many levels.
    """

    label: str
    fit: LineFit
    num_samples: tuple[int, ...]
    seconds: tuple[float, ...]
    epochs: int | None
    steps_per_epoch: int | None
    adjusted_for: tuple[str, ...] = ()
    not_adjusted_for: tuple[str, ...] = ()

    @property
    def per_step(self) -> float | None:
        """Seconds for one more importance sample in one optimizer step: b over all steps."""
        if self.epochs is None or self.steps_per_epoch is None:
            return None
        return self.fit.slope / (self.epochs * self.steps_per_epoch)


def stratum_fit(stratum: Stratum) -> TimeFit | None:
    """The line through one stratum's configurations; None with fewer than two K's."""
    return _fit(stratum.label, stratum.configurations, None)


def adjusted_fit(table: Table) -> TimeFit | None:
    """One line through the whole table, the other varied parameters entering additively.

    Numbers enter linearly, everything else by level. None where that leaves b undetermined.
    """
    rows = tuple(c for c in table.configurations if c.mean(SECONDS) is not None)
    columns: list[Floats] = []
    used: list[str] = []
    left_out: list[str] = []
    for path in (path for path in table.distinct_paths if path != K_PATH):
        encoded = _encode([row.parameters.get(path) for row in rows])
        if encoded is None:
            left_out.append(short_path(path))
            continue
        candidate = np.concatenate([*columns, encoded], axis=1)
        if np.linalg.matrix_rank(candidate - candidate.mean(axis=0)) == candidate.shape[1]:
            columns, used = [candidate], [*used, short_path(path)]
    if not used:
        return None
    found = _fit("", rows, columns[0])
    if found is None or found.fit.degrees < 1:
        return None
    label = f"all configurations, adjusted for {listing(used)}"
    return TimeFit(
        label,
        found.fit,
        found.num_samples,
        found.seconds,
        found.epochs,
        found.steps_per_epoch,
        tuple(used),
        tuple(left_out),
    )


def _fit(label: str, rows: Sequence[Configuration], others: Floats | None) -> TimeFit | None:
    timed = [(row, row.mean(SECONDS)) for row in rows]
    points = [(row, seconds) for row, seconds in timed if seconds is not None]
    num_samples = tuple(row.num_samples for row, _ in points)
    seconds = tuple(value for _, value in points)
    line = fit_line(num_samples, seconds, others)
    if line is None:
        return None
    epochs = {row.trials[0].config.num_epochs for row, _ in points}
    steps = {_steps_per_epoch(row) for row, _ in points}
    return TimeFit(
        label,
        line,
        num_samples,
        seconds,
        epochs.pop() if len(epochs) == 1 else None,
        steps.pop() if len(steps) == 1 else None,
    )


def _steps_per_epoch(row: Configuration) -> int | None:
    """Optimizer steps of an epoch: as probed, else examples a second times its seconds, as measured."""
    if row.alone is not None:
        return row.alone.steps_per_epoch
    for epoch in row.trials[0].history:
        speed = epoch.metrics.get("throughput/examples_per_second")
        seconds = epoch.metrics.get("time/epoch_seconds")
        if speed and seconds:
            return -(-round(speed * seconds) // row.trials[0].config.batch_size)
    return None


def _encode(values: Sequence[object]) -> Floats | None:
    """A parameter as columns ``[N, P]``: itself if it is a number, else one column a level but the first."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.array([[float(str(value))] for value in values])
    levels = sorted({text(value) for value in values})
    if len(levels) > MOST_LEVELS:
        return None
    return np.array([[float(text(value) == level) for level in levels[1:]] for value in values])
