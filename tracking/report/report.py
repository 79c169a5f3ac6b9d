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
from tracking.report.page.grids import Pair, Pictures, pairs, picture_blocks, save
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
        pictures: image grids by trial key, then by kind (``samples``, ``reconstructions``), ``uint8``
            ``[rows, columns, H, W]``; trials and kinds may be missing.
        links: where its runs are in MLflow, for links to them; None writes none.
        against: another sweep compared with this one, for a section of its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    analyses = [analyse(table) for table in tables(record)]
    headlines = [headline(analysis) for analysis in analyses]
    warnings = caveats(record, analyses)
    grids = [pairs(analysis, pictures) for analysis in analyses]
    texts = {table_name(i): to_csv(t) for i, t in enumerate([a.table for a in analyses] or [None])}
    texts["tradeoff.json"] = to_json(record, analyses, headlines, warnings)
    shown = {**texts, "spec.yaml": yaml.safe_dump(dict(record.spec), sort_keys=False, allow_unicode=True)}
    blocks = [picture_blocks(found) for found in grids]
    made = {"index.html": page(record, analyses, headlines, warnings, blocks, shown, links, against), **texts}
    files = [_write(folder / name, content) for name, content in made.items()]
    files += _draw(record, folder, analyses, grids)
    return Report(folder, summary(record, analyses, headlines, warnings), tuple(files))


def _draw(
    record: SweepRecord, folder: Path, analyses: Sequence[Analysis], grids: Sequence[Sequence[Pair]]
) -> list[Path]:
    from tracking.report.stills.tradeoff import draw_tradeoff  # matplotlib: only where a report is drawn

    files = []
    for index, (analysis, found) in enumerate(zip(analyses, grids, strict=True)):
        files.append(draw_tradeoff(analysis, record.name, folder / f"tradeoff{_number(index)}.png"))
        files += [save(pair, folder / f"{pair.kind}{_number(index)}.png") for pair in found]
    return files


def _number(index: int) -> str:
    return "" if index == 0 else f"-{index + 1}"


def _write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path
