"""The report's table and numbers as text to copy: Markdown, LaTeX, BibTeX, CSV, JSON and the spec."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tracking.records.records import SweepRecord
from tracking.report.page.blocks import Cell, Table

_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "→": r"$\to$",
    "–": "--",
    "…": r"\dots{}",
}


@dataclass(frozen=True)
class Copy:
    """Something to copy.

    Attributes:
        name: on the button.
        file: what it is called when it is saved.
        text: what is copied.
    """

    name: str
    file: str
    text: str


def copies(record: SweepRecord, tables: Sequence[tuple[Table, str]], files: Mapping[str, str]) -> list[Copy]:
    """Everything that the page offers to copy.

    Args:
        record: the sweep.
        tables: of the first screens, each with its note.
        files: the report's other texts by their file's name.
    """
    made = []
    if tables:
        made = [
            Copy("Markdown", "table.md", "\n\n".join(markdown(*one) for one in tables) + "\n"),
            Copy("LaTeX", "table.tex", "\n\n".join(latex(*one) for one in tables) + "\n"),
        ]
    made.append(Copy("BibTeX", f"{record.name}.bib", bibtex(record)))
    return made + [Copy(_shown(name), name, text) for name, text in files.items()]


def _shown(name: str) -> str:
    stem, _, kind = name.rpartition(".")
    return "spec" if stem == "spec" else kind.upper() + stem.removeprefix("tradeoff").replace("-", " ")


def _columns(table: Table) -> list[int]:
    """The columns that are text: links to runs mean nothing on paper."""
    return [index for index in range(len(table.head)) if not any(row[index].runs for row in table.rows)]


def _words(cell: Cell) -> str:
    return f"{cell.shown} {cell.small}".strip()


def markdown(table: Table, note: str) -> str:
    """The table in Markdown, its note below."""
    kept = _columns(table)
    lines = [[table.head[index] for index in kept], ["---:" if table.numeric[i] else "---" for i in kept]]
    lines += [[_plain(_words(row[index])) for index in kept] for row in table.rows]
    drawn = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{drawn}\n\n{_plain(' '.join(filter(None, [table.title and f'With {table.title}.', note])))}"


def _plain(words: str) -> str:
    return re.sub(r"([\\`*_|<>#])", r"\\\1", words)


def latex(table: Table, note: str) -> str:
    """The table in LaTeX with ``booktabs``, its note as the caption."""
    kept = _columns(table)
    caption = escaped(" ".join(filter(None, [table.title and f"With {table.title}.", note])))
    lines = [
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{caption}}}",
        f"  \\begin{{tabular}}{{{''.join('r' if table.numeric[index] else 'l' for index in kept)}}}",
        r"    \toprule",
        f"    {' & '.join(escaped(table.head[index]) for index in kept)} \\\\",
        r"    \midrule",
        *(f"    {' & '.join(escaped(_words(row[index])) for index in kept)} \\\\" for row in table.rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "% \\usepackage{booktabs}\n" + "\n".join(lines)


def escaped(words: str) -> str:
    """Text as LaTeX prints it."""
    return "".join(_LATEX.get(sign, sign) for sign in words)


def bibtex(record: SweepRecord) -> str:
    """An entry that names the sweep, who ran it and when, and the code that ran it."""
    users = dict.fromkeys(session.user for session in record.sessions if session.user)
    started = min((session.started for session in record.sessions), default=None)
    commit, version = record.code.get("commit"), record.code.get("package_version")
    fields = {
        "author": " and ".join(escaped(user) for user in users),
        "title": f"{{{escaped(record.name)}: a sweep of importance weighted autoencoders}}",
        "year": "" if started is None else str(datetime.fromtimestamp(started, UTC).year),
        "note": escaped(
            ", ".join(
                filter(
                    None,
                    [
                        f"iwae-sweeps {version}" if version else "",
                        f"git commit {commit}" if commit else "",
                        f"sweep SHA-256 {record.decided}" if record.decided else "",
                    ],
                )
            )
        ),
    }
    key = re.sub(r"[^A-Za-z0-9-]", "-", record.name)
    lines = [f"  {name} = {{{text}}}," for name, text in fields.items() if text]
    return "\n".join([f"@misc{{{key},", *lines, "}"]) + "\n"
