"""The table of all configurations."""

from collections.abc import Sequence
from dataclasses import replace

from tracking.analysis.analysis import Analysis
from tracking.analysis.configurations import Configuration, text
from tracking.analysis.configurations import Table as AnalysedTable
from tracking.analysis.strata import short_path
from tracking.analysis.trials.columns import SCORE, TEST_SCORE
from tracking.records.comparable.score import EVIDENCE
from tracking.report.page.blocks import MOST_OPEN_ROWS, Block, Cell, Table, Words, estimate_cell

Measure = tuple[str, str, str, float]
SECONDS_MEASURES: Sequence[Measure] = (
    ("train seconds", "train_seconds", "number", 1.0),
    ("s / epoch", "seconds_per_epoch", "number", 1.0),
)
PROBED_MEASURES: Sequence[Measure] = (
    ("train seconds, alone", "train_seconds_exclusive", "number", 1.0),
    ("as measured", "train_seconds", "number", 1.0),
)
MEASURES: Sequence[Measure] = (
    ("active units", "active_units", "number", 1.0),
    ("ESS", "ess", "number", 1.0),
    ("encoder SNR", "encoder_snr", "number", 1.0),
    ("memory of training, MiB", "training_memory_bytes", "number", 2.0**20),
    ("whole process, MiB", "peak_memory_bytes", "number", 2.0**20),
)
LATENT = ("active_units", "ess", "encoder_snr")  # what models without a likelihood may not have
# Beside an NLL: bits of pixels or nats of a float, and what the model makes of an item.
OF_LIKELIHOODS: Sequence[Measure] = (
    ("test bits / dim", "test_bits_per_dim", "number", 1.0),
    ("test nats / dim", "test_nll_per_dim", "number", 1.0),
    ("reconstruction error", "val_reconstruction_mse", "number", 1.0),
)
MEASURED_SECONDS = ("train_seconds", "seconds_per_epoch")


def configuration_table(analysis: Analysis) -> list[Block]:
    """The table of configurations, the best one highlighted."""
    found = analysis.table
    paths = found.distinct_paths or found.paths
    everywhere = all(row.shared_timing for row in found.configurations)
    measures = _measures(found)
    names = [name + "*" * (everywhere and column in MEASURED_SECONDS) for name, column, *_ in measures]
    head = [*(short_path(path) for path in paths), "seeds", *names]
    several = len({row.evidence for row in found.configurations}) > 1
    if several:
        head.append("NLL is")
    if not paths:
        head.insert(0, "configuration")
    shown = list(found.configurations)
    if len(shown) > MOST_OPEN_ROWS:  # the best must not be scrolled out of sight
        shown.sort(key=lambda row: row.mean(SCORE) or 0.0)
    rows = [_row(row, paths, measures, starred=not everywhere) for row in shown]
    if several:
        rows = [[*cells, Cell(EVIDENCE[row.evidence])] for cells, row in zip(rows, shown, strict=True)]
    marked = next(index for index, row in enumerate(shown) if row is analysis.best_row)
    return [
        Words(f"{found.yardstick.description}."),
        Table(head, rows, marked),
        Words(_legend(found), "note"),
    ]


def _measures(table: AnalysedTable) -> list[Measure]:
    """The columns, without those that say nothing here: what no configuration has is left out."""
    score = table.score
    show = "nats" if score.is_likelihood else "number"
    ranked: list[Measure] = [
        (f"validation {score.name}", SCORE, show, 1.0),
        (f"test {score.name}", TEST_SCORE, show, 1.0),
    ]
    if score.is_likelihood:
        ranked += OF_LIKELIHOODS
    optional = {column for _, column, *_ in OF_LIKELIHOODS} | set(() if score.is_likelihood else LATENT)
    found = [*(SECONDS_MEASURES if table.timed_on is None else PROBED_MEASURES), *ranked, *MEASURES]
    return [
        one
        for one in found
        if one[1] not in optional or any(row.values(one[1]) for row in table.configurations)
    ]


def _row(
    row: Configuration, paths: Sequence[str], measures: Sequence[Measure], *, starred: bool
) -> list[Cell]:
    cells = [_parameter(row, path) for path in paths] or [Cell(row.name)]
    cells.append(Cell(str(len(row.trials)), f"of {row.planned}" * (len(row.trials) < row.planned)))
    for _, column, show, unit in measures:
        cell = estimate_cell(row.estimate(column), show, unit)
        if column == SCORE and row.diverged:
            cell = replace(cell, shown=cell.shown + "†")
        if column in MEASURED_SECONDS and row.shared_timing and starred:
            cell = replace(cell, shown=cell.shown + "*")
        cells.append(cell)
    return cells


def _legend(table: AnalysedTable) -> str:
    """What brackets, highlight and marks of the table mean."""
    rows = table.configurations
    words = (
        "Means over seeds with 95 % intervals in brackets (of positive quantities on the logarithm); NLLs in"
    )
    words += " nats, lower is better."
    words += f" Highlighted: lowest mean validation {table.score.name}. Click a heading to sort."
    if any(len(row.trials) == 2 for row in rows):
        words += " The interval of two seeds has one degree of freedom and is wide."
    if any(row.diverged for row in rows):
        words += " † Diverged: excluded from every comparison."
    if any(row.shared_timing for row in rows):
        words += " * Seconds measured on a shared machine."
    if table.timed_on is not None:
        words += " Brackets of seconds alone: the 95 % interval of their measurement."
    return words


def _parameter(row: Configuration, path: str) -> Cell:
    value = row.parameters.get(path)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Cell(f"{value:.4g}" if isinstance(value, float) else str(value), sort=float(value))
    return Cell(text(value) or "–")
