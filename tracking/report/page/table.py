"""The table of all configurations."""

from tracking.analysis.analysis import Analysis
from tracking.analysis.configurations import Configuration, text
from tracking.analysis.strata import short_path
from tracking.report.page.html import MOST_OPEN_ROWS, Cell, estimate_cell, paragraph, table

MEASURES = (
    ("train seconds", "train_seconds", "number", 1.0),
    ("s / epoch", "seconds_per_epoch", "number", 1.0),
    ("validation NLL", "val_nll_final", "nats", 1.0),
    ("test NLL", "test_nll", "nats", 1.0),
    ("active units", "active_units", "number", 1.0),
    ("ESS", "ess", "number", 1.0),
    ("encoder SNR", "encoder_snr", "number", 1.0),
    ("peak memory, MiB", "peak_memory_bytes", "number", 2.0**20),
)
SECONDS = ("train_seconds", "seconds_per_epoch")


def configuration_table(analysis: Analysis) -> str:
    """The table of configurations, the best one tinted."""
    found = analysis.table
    paths = found.distinct_paths or found.paths
    everywhere = all(row.shared_timing for row in found.configurations)
    names = [name + "*" * (everywhere and column in SECONDS) for name, column, *_ in MEASURES]
    head = [*(short_path(path) for path in paths), "seeds", *names]
    if not paths:
        head.insert(0, "configuration")
    shown = list(found.configurations)
    if len(shown) > MOST_OPEN_ROWS:  # what scrolls out of sight is not the best
        shown.sort(key=lambda row: row.mean("val_nll_final") or 0.0)
    rows = []
    for row in shown:
        cells = [_parameter(row, path) for path in paths] or [Cell(row.name)]
        cells.append(Cell(str(len(row.trials)), f"of {row.planned}" * (len(row.trials) < row.planned)))
        for _, column, show, unit in MEASURES:
            cell = estimate_cell(row.estimate(column), show, unit)
            if column == "val_nll_final" and row.diverged:
                cell = Cell(cell.shown + "†", cell.small, cell.sort)
            if column in SECONDS and row.shared_timing and not everywhere:
                cell = Cell(cell.shown + "*", cell.small, cell.sort)
            cells.append(cell)
        rows.append(cells)
    words = "Means over seeds with 95 % t-intervals in brackets; NLLs in nats, smaller is better. "
    words += "Tinted: lowest mean validation NLL. Click a heading to sort."
    if any(len(row.trials) == 2 for row in found.configurations):
        words += " The t-interval of two seeds has one degree of freedom: it is wide, and may reach beyond"
        words += " what is possible."
    if any(row.diverged for row in found.configurations):
        words += " † Diverged: no part of any comparison."
    if any(row.shared_timing for row in found.configurations):
        words += " * Seconds measured beside other work."
    marked = next(i for i, row in enumerate(shown) if row is analysis.best_row)
    return paragraph(f"{found.yardstick.description}.") + table(head, rows, marked) + paragraph(words, "note")


def _parameter(row: Configuration, path: str) -> Cell:
    value = row.parameters.get(path)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Cell(f"{value:.4g}" if isinstance(value, float) else str(value), sort=float(value))
    return Cell(text(value) or "–")
