"""The page: one HTML file that shows everything without a network."""

from collections.abc import Sequence
from html import escape

from plotly.offline import get_plotlyjs

from tracking.analysis.analysis import Analysis
from tracking.records.records import SweepRecord
from tracking.report.page.html import bullets, paragraph, section
from tracking.report.page.sections import sections
from tracking.report.page.style import CSS, SCRIPT

# The browser itself refuses every request; plotly's parallel coordinates compile their drawing with eval.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline';"
    " img-src data: blob:; worker-src blob:; form-action 'none'; base-uri 'none'"
)
FILES = "tradeoff.csv and tradeoff.json beside this page hold every number in it."


def page(
    record: SweepRecord,
    analyses: Sequence[Analysis],
    headlines: Sequence[Sequence[str]],
    warnings: Sequence[str],
    pictures: Sequence[str],
) -> str:
    """The report as one HTML document.

    Args:
        record: the sweep.
        analyses: one for each table.
        headlines: the answer of each table, sentences.
        warnings: what the report cannot say, sentences.
        pictures: markup of each table's image grids.
    """
    several = len(analyses) > 1
    contents: list[tuple[str, str]] = []
    body: list[str] = []
    for index, (analysis, words, grids) in enumerate(
        zip(analyses, headlines, pictures, strict=True), start=1
    ):
        prefix = f"g{index}-" if several else ""
        if several:
            title = f"Group {index}: {analysis.table.yardstick.description}"
            contents.append((f"{prefix}answer", f"Group {index}"))
            body.append(f'<h1 id="{prefix}answer" style="margin-top:70px">{escape(title)}</h1>')
            body.append(_answer(words, "The answer of this group"))
        made = sections(analysis, prefix, grids)
        contents += [(anchor, title) for anchor, title, _ in made]
        body += [markup for _, _, markup in made]
    contents.append(("limits", "What this report cannot say"))
    limits = bullets(warnings) if warnings else paragraph("There is nothing to say yet.")
    body.append(section("limits", "What this report cannot say", limits))
    opening = [_head(record, analyses), "" if several else _answer(headlines[0] if headlines else NOTHING)]
    return _document(record.name, "".join([*opening, _contents(contents), *body]))


NOTHING = ("No trial is complete yet: there are no final numbers to report.",)


def _head(record: SweepRecord, analyses: Sequence[Analysis]) -> str:
    configurations = sum(len(analysis.table.configurations) for analysis in analyses)
    counted = [(len(record.trials), "trials planned")]
    counted += [(count, state.lower()) for state, count in record.counts.items()]
    counted.append((configurations, "configurations in the tables"))
    boxes = "".join(f"<div><b>{count:,}</b><span>{escape(name)}</span></div>" for count, name in counted)
    sub = "How much training time is a larger K (importance samples of a training step) worth?"
    return f"<h1>{escape(record.name)}</h1>{paragraph(sub, 'sub')}<div class='counts'>{boxes}</div>" + (
        paragraph(
            f"Data, likelihood or final evaluation vary: {len(analyses)} groups, never compared.", "note"
        )
        if len(analyses) > 1
        else ""
    )


def _answer(sentences: Sequence[str], title: str = "The answer of this sweep") -> str:
    inner = "".join(paragraph(sentence) for sentence in sentences)
    return f'<div class="answer"><h2>{title}</h2>{inner}</div>'


def _contents(entries: Sequence[tuple[str, str]]) -> str:
    rows: list[list[str]] = [[]]
    for anchor, title in entries:
        if anchor.endswith("-answer") or anchor == "limits":  # a group starts a row of its own
            rows.append([])
        rows[-1].append(f'<a href="#{anchor}">{escape(title)}</a>')
    return "".join(f"<nav>{''.join(row)}</nav>" for row in rows if row)


def _document(name: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)}: trade-off report</title><style>{CSS}</style>"
        f"<script>{get_plotlyjs()}</script></head><body><main>{body}"
        f"<footer>{escape(FILES)}</footer></main><script>{SCRIPT}</script></body></html>"
    )
