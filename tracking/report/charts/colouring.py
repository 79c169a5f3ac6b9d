"""What tells configurations apart by colour: their K, or their kind of model where that varies."""

from collections.abc import Mapping
from dataclasses import dataclass

from tracking.analysis.analysis import Analysis
from tracking.analysis.configurations import Configuration
from tracking.report.charts.palette import HUES, k_colours, k_legend


@dataclass(frozen=True)
class Colouring:
    """The groups of a table's configurations, in the order of the legend.

    Attributes:
        labels: of each group.
        colours: ``#rrggbb`` of each group, by label.
        named: the groups that the legend names.
        of: the group of each configuration, by its key.
    """

    labels: tuple[str, ...]
    colours: Mapping[str, str]
    named: frozenset[str]
    of: Mapping[str, str]

    def colour(self, row: Configuration) -> str:
        """The colour of a configuration."""
        return self.colours[self.of[row.key]]


def colouring(analysis: Analysis) -> Colouring:
    """By kind of model where several are in the table, else by K."""
    if analysis.kinds:
        labels = tuple(kind.label for kind in analysis.kinds)
        colours = {label: HUES[index % len(HUES)] for index, label in enumerate(labels)}
        of = {row.key: kind.label for kind in analysis.kinds for row in kind.rows}
        return Colouring(labels, colours, frozenset(labels), of)
    ks = analysis.table.num_samples
    by_k, named = k_colours(ks), k_legend(ks)
    return Colouring(
        tuple(f"K = {k}" for k in ks),
        {f"K = {k}": colour for k, colour in by_k.items()},
        frozenset(f"K = {k}" for k in named),
        {row.key: f"K = {row.num_samples}" for row in analysis.table.configurations},
    )
