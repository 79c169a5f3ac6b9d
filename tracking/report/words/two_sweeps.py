"""Two sweeps against each other, in sentences."""

from tracking.analysis.two_sweeps.comparison import Row, TwoSweeps
from tracking.statistics.numbers import listing, plural

SHOWN = 8


def verdict_sentences(found: TwoSweeps) -> list[str]:
    """In which configurations B's validation score is better or worse than A's."""
    judged = [row for row in found.rows if row.validation.separable is not None]
    lines = [f"{row.name} diverged and is not judged: {row.diverged}." for row in found.rows if row.diverged]
    if not judged:
        return [*lines, "No interval: a configuration needs two seeds in each sweep to be judged."]
    better = [row.name for row in judged if is_better(row)]
    worse = [row.name for row in judged if is_worse(row)]
    if not better and not worse:
        what = f"No validation {found.score.name}"
        lines.append(f"{what} differs by more than the spread of the seeds explains.")
    for names, word in ((better, "lower (better)"), (worse, "higher (worse)")):
        if names:
            lines.append(f"B has a {word} validation {found.score.name} at {listing(names, SHOWN)}.")
    return lines


def remarks(found: TwoSweeps) -> list[str]:
    """How A and B were compared, what else differs between them, and what was left out."""
    judged = sum(row.validation.separable is not None for row in found.rows)
    lines = [f"The yardstick of both: {found.joined.first.yardstick.description}."]
    if judged:
        lines.append(
            f"Holm's correction over {plural(judged, 'configuration')}: of sweeps that do not differ, at most"
            " 5 % would show a difference. Seeds are not paired."
        )
    if found.joined.differs:
        what = listing([f"{name} ({old} → {new})" for name, old, new in found.joined.differs], SHOWN)
        lines.append(f"B also differs from A in {what}.")
    else:
        lines.append("Everything else (settings, code, machine) is the same.")
    if found.copies:
        lines.append(
            f"{plural(found.copies, 'trial')} ended with the same bits in both: one training, seen twice,"
            " which says nothing about a difference."
        )
    for letter, rows in (("A", found.joined.only_first), ("B", found.joined.only_second)):
        if rows:
            lines.append(f"Only in {letter}: {listing([row.name for row in rows], SHOWN)}.")
    return lines


def is_better(row: Row) -> bool:
    """Whether the second sweep's score is lower, by more than the seeds' spread explains."""
    return bool(row.validation.separable) and row.validation.value < 0


def is_worse(row: Row) -> bool:
    """Whether the second sweep's score is higher, by more than the seeds' spread explains."""
    return bool(row.validation.separable) and row.validation.value > 0
