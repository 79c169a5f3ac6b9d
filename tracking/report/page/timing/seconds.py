"""The blocks about how the seconds were measured, and how right the forecast was."""

from collections.abc import Sequence
from statistics import fmean

from tracking.analysis.analysis import Analysis
from tracking.analysis.clocks.forecasts import Check, checks
from tracking.analysis.configurations import Configuration
from tracking.records.records import SweepRecord
from tracking.report.page.blocks import Block, Cell, Heading, Table, Words, estimate_cell
from tracking.report.words.time import forecast_sentences, how_measured
from tracking.statistics.numbers import number


def seconds_section(record: SweepRecord, analysis: Analysis) -> list[Block]:
    """What a step takes alone and what the trials measured; forecasts against what came."""
    blocks: list[Block] = []
    if analysis.table.timed_on is not None:
        blocks += [Words(sentence) for sentence in how_measured(analysis.table)]
        blocks.append(_alone(analysis.table.configurations))
        if any(row.shared_timing for row in analysis.table.configurations):
            blocks.append(Words("* On a shared machine, for at least one seed.", "note"))
    for one in checks(record):
        blocks += _forecast(one, analysis)
    return blocks


def _alone(rows: Sequence[Configuration]) -> Table:
    head = ["configuration", "steps", "ms a step, alone", "training alone, s", "as measured, s", "ratio"]
    return Table(head, [_row(row) for row in rows])


def _row(row: Configuration) -> list[Cell]:
    alone, seconds = row.alone, row.mean("train_seconds_exclusive")
    measured = row.estimate("train_seconds")
    if alone is None or seconds is None or measured is None:
        return [Cell(row.name), *[Cell("–")] * 5]
    steps = row.trials[0].history[-1].epoch * alone.steps_per_epoch
    ratio = measured.mean / seconds
    return [
        Cell(row.name),
        Cell(f"{steps:,}", sort=float(steps)),
        Cell(number(1e3 * alone.step_seconds), sort=alone.step_seconds),
        estimate_cell(row.estimate("train_seconds_exclusive")),
        Cell(number(measured.mean) + "*" * row.shared_timing, sort=measured.mean),
        Cell(f"×{number(ratio)}", sort=ratio),
    ]


def _forecast(one: Check, analysis: Analysis) -> list[Block]:
    """The sentences, and the trials of this table configuration by configuration."""
    rows = []
    for row in analysis.table.configurations:
        keys = {trial.key for trial in row.trials}
        pairs = [pair for pair in one.pairs if pair.trial.key in keys]
        if pairs:
            said, took = fmean(pair.said for pair in pairs), fmean(pair.took for pair in pairs)
            error = max(pair.error for pair in pairs)
            rows.append(
                [
                    Cell(row.name),
                    Cell(number(said), sort=said),
                    Cell(number(took), sort=took),
                    Cell(f"{100 * error:.0f} %", sort=error),
                ]
            )
    what = "a trial, s" if one.whole else "training, s"
    head = ["configuration", f"forecast, {what}", f"taken, {what}", "largest error"]
    blocks: list[Block] = [Heading("Forecast and what came of it")]
    blocks += [Words(sentence) for sentence in forecast_sentences(one)]
    return [*blocks, *([Table(head, rows)] if rows else [])]
