"""Writes the trade-off report of a sweep: a pure function of its records."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tracking.analysis.analysis import Analysis, analyse
from tracking.analysis.configurations import tables
from tracking.analysis.two_sweeps.comparison import TwoSweeps
from tracking.records.records import SweepRecord
from tracking.report.files import to_json
from tracking.report.links import Links
from tracking.report.page.grids import KINDS, Pictures, Shown, picture_blocks, save, shown
from tracking.report.page.page import page
from tracking.report.table_csv import table_name, to_csv
from tracking.report.words.caveats import caveats
from tracking.report.words.headline import headline
from tracking.report.words.summary import summary


@dataclass(frozen=True)
class Report:
    """A written report.

    Attributes:
        folder: where its files are.
        summary_markdown: the answer in under 5,000 characters of Markdown.
        files: everything that was written, ``index.html`` first.
    """

    folder: Path
    summary_markdown: str
    files: tuple[Path, ...]


def write_report(
    record: SweepRecord,
    folder: Path,
    pictures: Pictures,
    links: Links | None = None,
    against: TwoSweeps | None = None,
) -> Report:
    """Writes ``index.html``, ``tradeoff.csv``, ``tradeoff.json`` and PNGs into ``folder``.

    Every sweep has a report, one without a complete trial too. Trials whose data, likelihood or final
    evaluation differ are never put into one table: the table with most trials is ``tradeoff.csv`` and
    ``tradeoff.png``, the next ``tradeoff-2.csv`` and so on. The same record gives the same files.

    Args:
        record: the sweep.
        folder: made if it is missing; files of the same names are replaced.
        pictures: arrays by trial key, then by name, as `iwae.evaluation.pictures` makes them; trials and
            names may be missing.
        links: where its runs are in MLflow, for links to them; None writes none.
        against: another sweep compared with this one, for a section of its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    analyses = [analyse(table) for table in tables(record)]
    headlines = [headline(analysis) for analysis in analyses]
    warnings = caveats(record, analyses)
    drawn = [shown(analysis, pictures) for analysis in analyses]
    texts = {table_name(i): to_csv(t) for i, t in enumerate([a.table for a in analyses] or [None])}
    texts["tradeoff.json"] = to_json(record, analyses, headlines, warnings)
    offered = {**texts, "spec.yaml": yaml.safe_dump(dict(record.spec), sort_keys=False, allow_unicode=True)}
    blocks = [picture_blocks(*pair) for pair in zip(analyses, drawn, strict=True)]
    made = {
        "index.html": page(record, analyses, headlines, warnings, blocks, offered, links, against),
        **texts,
    }
    files = [_write(folder / name, content) for name, content in made.items()]
    files += _draw(record, folder, analyses, drawn)
    return Report(folder, summary(record, analyses, headlines, warnings), tuple(files))


def _draw(
    record: SweepRecord, folder: Path, analyses: Sequence[Analysis], drawn: Sequence[Sequence[Shown]]
) -> list[Path]:
    from tracking.report.stills.tradeoff import draw_tradeoff  # matplotlib: only where a report is drawn

    files = []
    for index, (analysis, found) in enumerate(zip(analyses, drawn, strict=True)):
        files.append(draw_tradeoff(analysis, record.name, folder / f"tradeoff{_number(index)}.png"))
        having = {kind: [one for one in found if kind in one.arrays] for kind in KINDS}
        files += [
            save(kind, some, folder / f"{kind}{_number(index)}.png") for kind, some in having.items() if some
        ]
    return files


def _number(index: int) -> str:
    return "" if index == 0 else f"-{index + 1}"


def _write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path
