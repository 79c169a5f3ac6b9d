"""Whether the models use their codes, in sentences: those that do not first, with what to try."""

from collections.abc import Sequence

from tracking.analysis.analysis import Analysis
from tracking.analysis.configurations import Configuration
from tracking.analysis.winner import median_of
from tracking.records.collapse import Collapse, Kind, collapse
from tracking.statistics.numbers import listing, plural


def unused(analysis: Analysis) -> list[str]:
    """In a line, which configurations do not use their codes; nothing where all do."""
    found = _collapsed(analysis)
    if not found:
        return []
    named = listing([row.name for row, _, _ in found], 4)
    verb = "does" if len(found) == 1 else "do"
    return [f"{named} {verb} not use {'its' if len(found) == 1 else 'their'} latent code: see “Why?”."]


def alarms(analysis: Analysis) -> list[str]:
    """A statement for each configuration of which a seed does not use its code, with its likely cause."""
    return [
        f"{row.name}{_seeds(row, count)}: {said.sentence} {said.cause}"
        for row, said, count in _collapsed(analysis)
    ]


def statements(analysis: Analysis) -> list[tuple[str, str]]:
    """Every other configuration with what is said of its median seed."""
    apart = {id(row) for row, _, _ in _collapsed(analysis)}
    rest = [row for row in analysis.table.configurations if id(row) not in apart]
    found = [(row.name, _said(row)) for row in rest]
    return [(name, said.sentence) for name, said in found if said is not None]


def _collapsed(analysis: Analysis) -> Sequence[tuple[Configuration, Collapse, int]]:
    """Configurations with the first statement that is an alarm, and the number of seeds that have one."""
    found = []
    for row in analysis.table.configurations:
        said = [collapse(trial.config, trial.final or {}) for trial in row.trials]
        bad = [one for one in said if one is not None and one.kind is not Kind.NONE]
        if bad:
            found.append((row, bad[0], len(bad)))
    return found


def _seeds(row: Configuration, count: int) -> str:
    return "" if count == len(row.trials) else f" ({count} of {plural(len(row.trials), 'seed')})"


def _said(row: Configuration) -> Collapse | None:
    trial = median_of(row.trials)
    return collapse(trial.config, trial.final or {})
