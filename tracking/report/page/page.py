"""The page: one HTML file that shows everything without a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from tracking.analysis.analysis import Analysis
from tracking.records.records import SweepRecord
from tracking.report.page.blocks import Block, Section
from tracking.report.page.sections import sections

# The browser itself refuses every request; plotly's parallel coordinates compile their drawing with eval.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline';"
    " img-src data: blob:; worker-src blob:; form-action 'none'; base-uri 'none'"
)


@dataclass(frozen=True)
class Group:
    """What the page shows of one table.

    Attributes:
        prefix: stands before its anchors; empty where the page has one group.
        name: ``Group 1``.
        title: what it was measured on; empty where the page has one group.
        answer: sentences.
        sections: in order.
    """

    prefix: str
    name: str
    title: str
    answer: Sequence[str]
    sections: Sequence[Section]


def page(
    record: SweepRecord,
    analyses: Sequence[Analysis],
    headlines: Sequence[Sequence[str]],
    warnings: Sequence[str],
    pictures: Sequence[Sequence[Block]],
) -> str:
    """The report as one HTML document.

    Args:
        record: the sweep.
        analyses: one for each table.
        headlines: the answer of each table, sentences.
        warnings: what the report cannot say, sentences.
        pictures: each table's image grids.
    """
    from plotly.offline import get_plotlyjs  # 5 MB of text: only where a report is drawn

    groups = []
    for number, (analysis, words, grids) in enumerate(zip(analyses, headlines, pictures, strict=True), 1):
        prefix = f"g{number}-" if len(analyses) > 1 else ""
        title = analysis.table.yardstick.description if prefix else ""
        groups.append(Group(prefix, f"Group {number}", title, words, sections(analysis, prefix, grids)))
    return (
        _environment()
        .get_template("page.html")
        .render(
            name=record.name,
            counts=_counts(record, analyses),
            groups=groups,
            warnings=warnings,
            nothing=NOTHING,
            policy=POLICY,
            plotly=get_plotlyjs(),
        )
    )


NOTHING = "No trial is complete yet: there are no final numbers to report."


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


def _counts(record: SweepRecord, analyses: Sequence[Analysis]) -> list[tuple[str, str]]:
    """The numbers at the top of the page, each with what it counts."""
    counted = [(len(record.trials), "trials planned")]
    counted += [(count, state.lower()) for state, count in record.counts.items()]
    counted.append(
        (sum(len(analysis.table.configurations) for analysis in analyses), "configurations in the tables")
    )
    return [(f"{count:,}", what) for count, what in counted]
