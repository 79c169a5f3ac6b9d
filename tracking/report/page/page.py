"""The page: one HTML file that shows everything without a network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from tracking.analysis.analysis import Analysis
from tracking.analysis.two_sweeps.comparison import TwoSweeps
from tracking.records.records import SweepRecord
from tracking.report.charts.palette import dark
from tracking.report.links import Links
from tracking.report.page.blocks import Block, Section
from tracking.report.page.comparisons import against_section
from tracking.report.page.copies import copies
from tracking.report.page.first import First, first
from tracking.report.page.origin import origin
from tracking.report.page.sections import sections
from tracking.statistics.numbers import listing, plural

# The browser itself refuses every request; plotly's parallel coordinates compile their drawing with eval.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline';"
    " img-src data: blob:; worker-src blob:; form-action 'none'; base-uri 'none'"
)
NOTHING = "No trial is complete yet: there are no final numbers to report."


@dataclass(frozen=True)
class Group:
    """What the page shows of one table.

    Attributes:
        prefix: stands before its anchors; empty where the page has one group.
        name: ``Group 1``.
        title: what it was measured on; empty where the page has one group.
        first: the answer, its picture and its table.
        sections: in order.
    """

    prefix: str
    name: str
    title: str
    first: First
    sections: Sequence[Section]


def page(
    record: SweepRecord,
    analyses: Sequence[Analysis],
    headlines: Sequence[Sequence[str]],
    warnings: Sequence[str],
    pictures: Sequence[Sequence[Block]],
    files: Mapping[str, str],
    links: Links | None,
    against: TwoSweeps | None = None,
) -> str:
    """The report as one HTML document.

    Args:
        record: the sweep.
        analyses: one for each table.
        headlines: the answer of each table, sentences.
        warnings: what the report cannot say, sentences.
        pictures: each table's image grids.
        files: texts that the page offers to copy, by their file's name.
        links: the sweep's pages in MLflow; None where they are not known.
        against: another sweep compared with this one, which is its second; None shows none.
    """
    from plotly.offline import get_plotlyjs  # 5 MB of text: only where a report is drawn

    groups = []
    for number, (analysis, words, grids) in enumerate(zip(analyses, headlines, pictures, strict=True), 1):
        prefix = f"g{number}-" if len(analyses) > 1 else ""
        title = analysis.table.yardstick.description if prefix else ""
        made = sections(record, analysis, prefix, grids)
        if against is not None and against.joined.second.yardstick == analysis.table.yardstick:
            made.append(against_section(against, prefix))
        groups.append(Group(prefix, f"Group {number}", title, first(analysis, words), made))
    tables = [(group.first.table, group.first.note) for group in groups]
    return (
        _environment()
        .get_template("page.html")
        .render(
            name=record.name,
            progress=_progress(record),
            groups=groups,
            warnings=warnings,
            nothing=NOTHING,
            apart=_apart(analyses),
            origin=origin(record, links),
            copies=copies(record, tables, files),
            links=links,
            policy=POLICY,
            dark=dark(analysis.table.num_samples for analysis in analyses),
            plotly=get_plotlyjs(),
        )
    )


def _apart(analyses: Sequence[Analysis]) -> str:
    """Why there are several groups, in a line."""
    ranked = [analysis.table.score.is_likelihood for analysis in analyses]
    if all(ranked) or not any(ranked):
        return f"Data, likelihood or final evaluation vary: {len(analyses)} groups, never compared."
    without = [str(number) for number, likelihood in enumerate(ranked, 1) if not likelihood]
    rest = " The others differ in data, likelihood or final evaluation." if sum(ranked) > 1 else ""
    return (
        f"Models without a likelihood are in group {listing(without)}, by reconstruction error: the groups"
        f" are never compared.{rest}"
    )


@cache
def _environment() -> Environment:
    """Everything that a template writes is escaped; style sheet and script are templates without blocks."""
    made = Environment(
        loader=PackageLoader("tracking.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["json.dumps_kwargs"] = {"allow_nan": False}
    return made


def _progress(record: SweepRecord) -> str:
    """How far the sweep is, in a few words: ``24 trials, all complete``."""
    counted = plural(len(record.trials), "trial")
    if record.trials and len(record.complete) == len(record.trials):
        return f"{counted}, all complete"
    states = listing([f"{count:,} {state.lower()}" for state, count in record.counts.items()])
    return f"{counted}: {states}" if states else counted
