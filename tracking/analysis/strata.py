"""Configurations that differ in K alone, so that what K costs and buys is not mixed with anything else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracking.analysis.configurations import K_PATH, Configuration, Table, text
from tracking.records.records import TrialRecord


@dataclass(frozen=True)
class Stratum:
    """Configurations that differ in K alone.

    Attributes:
        label: what they have in common of what the table varies; empty where nothing else is varied.
        configurations: by ascending K.
    """

    label: str
    configurations: tuple[Configuration, ...]

    @property
    def num_samples(self) -> tuple[int, ...]:
        """The K's, ascending."""
        return tuple(c.num_samples for c in self.configurations)


def strata(table: Table) -> tuple[Stratum, ...]:
    """The table's configurations by all they vary but K, in plan order."""
    paths = [path for path in table.distinct_paths if path != K_PATH]
    groups: dict[tuple[str, ...], list[Configuration]] = {}
    for row in table.configurations:
        groups.setdefault(tuple(text(row.parameters.get(path)) for path in paths), []).append(row)
    told = telling(paths, list(groups))
    return tuple(
        Stratum(describe(rows[0].parameters, told), tuple(sorted(rows, key=lambda c: c.num_samples)))
        for rows in groups.values()
    )


def answering(groups: Sequence[Stratum], best: Sequence[TrialRecord]) -> Stratum | None:
    """The stratum that answers for K: that of the best configuration's trials, else the one with most K's."""
    several = [stratum for stratum in groups if len(stratum.configurations) > 1]
    with_best = [s for s in several if any(row.trials is best for row in s.configurations)]
    return max(with_best or several, key=lambda s: len(s.configurations), default=None)


def telling(paths: Sequence[str], keys: Sequence[tuple[str, ...]]) -> list[str]:
    """The paths that it takes to tell the keys apart: no warm-up length that goes with its schedule."""
    kept = list(range(len(paths)))
    for index in reversed(range(len(paths))):
        fewer = [place for place in kept if place != index]
        if len({tuple(key[place] for place in fewer) for key in keys}) == len(keys):
            kept = fewer
    return [paths[place] for place in kept]


def describe(parameters: Mapping[str, Any], paths: Sequence[str]) -> str:
    """Parameters in a few words: ``D = 20, linear annealing, warmup_epochs = 10``."""
    return ", ".join(_word(path, parameters[path]) for path in paths if path in parameters)


def short_path(path: str) -> str:
    """The name of a parameter in tables and on axes."""
    names = {
        K_PATH: "K",
        "model.latent_dim": "D",
    }
    leaf = path.rpartition(".")[2] or path
    return names.get(path, path.split(".")[-2] if leaf == "name" and "." in path else leaf)


def _word(path: str, value: Any) -> str:
    if path == "annealing.name":
        return "no annealing" if value == "none" else f"{value} annealing"
    if path in ("objective.name", "model.name"):
        return text(value)
    if path.startswith("model.") and isinstance(value, str):  # `flow posterior`, `conv networks`
        return f"{value} {short_path(path)}"
    shown = f"{value:.4g}" if isinstance(value, float) else text(value)
    return f"{short_path(path)} = {shown}"
