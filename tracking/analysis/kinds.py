"""The kinds of model in a table, each by its best configuration: what "which model?" is answered from."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from iwae.config.part import WHOLE, parse
from iwae.config.train import flatten
from tracking.analysis.configurations import Configuration, Table, text
from tracking.analysis.strata import describe, telling
from tracking.analysis.trials.columns import SCORE

# What makes another model of it, and not another size: the family, its posterior, its prior, its networks.
_KIND = re.compile(r"model\.(networks|likelihood|probabilistic|(\w+\.)*name)")

_IN_TITLE = ("model.name", "model.probabilistic")


@dataclass(frozen=True)
class Kind:
    """Configurations of one kind of model.

    Attributes:
        label: what tells it from the others: ``vae``, or ``vae with flow posterior``.
        best: the one with the lowest mean validation score, none that diverged while another did not.
        rows: all of them, in plan order.
    """

    label: str
    best: Configuration
    rows: tuple[Configuration, ...]

    @property
    def evidence(self) -> str:
        """What its likelihood is: ``estimate``, ``bound``, ``exact`` or ``none``."""
        return self.best.evidence


def kinds(table: Table) -> tuple[Kind, ...]:
    """The kinds of model, the best one first; nothing where there is only one."""
    paths = [path for path in table.distinct_paths if _KIND.fullmatch(path)]
    groups: dict[tuple[str, ...], list[Configuration]] = {}
    for row in table.configurations:
        groups.setdefault(_values(row.parameters, paths), []).append(row)
    if len(groups) < 2:
        return ()
    told = telling(paths, list(groups))
    found = [_kind(_label(rows[0], told), rows) for rows in groups.values()]
    return tuple(sorted(found, key=lambda kind: (bool(kind.best.diverged), kind.best.mean(SCORE) or 0.0)))


def _label(row: Configuration, told: Iterable[str]) -> str:
    """The family, and of what else tells the kinds apart what is not as the family has it by itself."""
    model = row.trials[0].config.model
    usual = flatten(
        {"model": parse(type(model), {"name": model.name}).model_dump(mode="json", context=WHOLE)}
    )
    other = [path for path in told if path not in _IN_TITLE and row.parameters.get(path) != usual.get(path)]
    rest = describe(row.parameters, other)
    return f"{model.title} with {rest}" if rest else model.title


def _values(parameters: Any, paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(text(parameters.get(path)) for path in paths)


def _kind(label: str, rows: list[Configuration]) -> Kind:
    steady = [row for row in rows if not row.diverged] or rows
    best = min(steady, key=lambda row: row.mean(SCORE) or 0.0)
    return Kind(label, best, tuple(rows))
