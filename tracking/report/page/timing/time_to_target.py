"""The blocks about time to a target."""

from tracking.analysis.analysis import Analysis
from tracking.analysis.curves.time_to_target import MARGIN, Target, TimeToTarget
from tracking.report.charts.time_to_target import nats_against_seconds
from tracking.report.page.blocks import Block, Cell, Table, Words, chart
from tracking.statistics.numbers import nats, number, plural
from tracking.statistics.survival import FEWEST_FOR_INTERVAL, MedianTime


def target_section(analysis: Analysis) -> list[Block]:
    """Nats against training seconds, and how long each K takes to the levels at which the others end."""
    found = analysis.time_to_target
    if found is None:
        absent = "Not available: it takes two K's whose validation curves were measured alike."
        return [Words(absent, "note")]
    caption = (
        "Thick: mean over seeds; thin: each seed. Dotted: the targets; rings: when half of the seeds have"
        " reached one."
    )
    head = ["validation NLL, nats", *(f"K = {k}, s" for k in found.stratum.num_samples)]
    rows = [[_level(one), *map(_time, one.times)] for one in found.targets]
    return [*chart(nats_against_seconds(found), caption), Table(head, rows), Words(_method(found), "note")]


def _level(target: Target) -> Cell:
    where = (
        f"{MARGIN:g} nats above the lowest"
        if target.ended_at is None
        else f"where K = {target.ended_at.num_samples} ends"
    )
    return Cell(nats(target.nll), where, target.nll)


def _time(time: MedianTime) -> Cell:
    """The median with its interval; with few seeds the shortest and the longest time."""
    if time.median is None:
        return Cell("not reached", f"{time.reached} of {time.count} seeds")
    shown = number(time.median)
    if time.low is not None:
        return Cell(
            shown, f"[{number(time.low)}, {'∞' if time.high is None else number(time.high)}]", time.median
        )
    if time.reached < time.count:
        return Cell(shown, f"{time.reached} of {time.count} seeds", time.median)
    few = time.first is None or time.last is None or time.count == 1
    return Cell(shown, "" if few else f"{number(time.first or 0)} to {number(time.last or 0)}", time.median)


def _method(found: TimeToTarget) -> str:
    evaluation = found.curves[0][0].trial.config.evaluation
    words = (
        "Median training time over seeds; a seed whose training ended before it got there counts as longer"
        " than that (Kaplan–Meier). A target counts as reached at the first evaluation at or below it, so a"
        f" time may be up to {number(found.resolution)} s late. The curves are measured with"
        f" {plural(evaluation.num_samples, 'importance sample')} and shifted by a constant to end at the"
        " final NLL."
    )
    brackets = any(time.low is not None for one in found.targets for time in one.times)
    ranges = any(time.low is None and time.median is not None for one in found.targets for time in one.times)
    if brackets:
        words += " Brackets: 95 % intervals."
    if ranges:
        words += f" Fewer than {FEWEST_FOR_INTERVAL} seeds have no interval: the range over seeds is given."
    return words
