"""Which configurations of two sweeps belong together, and what the sweeps differ in."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from iwae.config.data import DataConfig
from tracking.analysis.configurations import Configuration, Table, tables
from tracking.analysis.strata import short_path
from tracking.errors import RecordError
from tracking.records.comparable.yardstick import Yardstick
from tracking.records.records import SweepRecord

# Where a trial runs is told by the machine; seeds are replicates; the yardstick is compared on its own.
_APART = re.compile(r"seed|device|threads|chunk_size|activation_bytes|evaluation\..*|data\.(?!num_train).*")
_DATA = tuple(DataConfig.model_fields)
_MEASURED = {
    "measured": "what is measured",
    "final_num_samples": "evaluation.final_num_samples",
    "final_num_images": "evaluation.final_num_images",
    "few_num_samples": "evaluation.few_num_samples",
}
_ABSENT = object()


@dataclass(frozen=True)
class Joined:
    """Two tables of one yardstick, joined by the values of what either sweep varies.

    Attributes:
        first: the first sweep's table.
        second: the second sweep's.
        paths: what is varied in either, by path.
        pairs: configurations with the same values, in the first plan's order.
        only_first: configurations that the second sweep does not have.
        only_second: configurations that the first does not have.
        differs: what else is not the same: a name, its value in the first and in the second sweep.
    """

    first: Table
    second: Table
    paths: tuple[str, ...]
    pairs: tuple[tuple[Configuration, Configuration], ...]
    only_first: tuple[Configuration, ...]
    only_second: tuple[Configuration, ...]
    differs: tuple[tuple[str, str, str], ...]


def join(first: SweepRecord, second: SweepRecord) -> Joined:
    """The configurations of two sweeps, joined.

    Raises:
        RecordError: a sweep has no complete trial, their yardsticks differ, or no configuration is in both.
    """
    one, other = _same_yardstick(first, second)
    paths = tuple(dict.fromkeys(one.distinct_paths + other.distinct_paths))
    here = {_values(row, paths): row for row in one.configurations}
    there = {_values(row, paths): row for row in other.configurations}
    pairs = tuple((row, there[values]) for values, row in here.items() if values in there)
    if not pairs:
        raise RecordError(
            f"{first.name} and {second.name} have no configuration in common: they vary"
            f" {', '.join(map(short_path, paths)) or 'nothing'}, and no values of it are in both"
        )
    return Joined(
        one,
        other,
        paths,
        pairs,
        tuple(row for values, row in here.items() if values not in there),
        tuple(row for values, row in there.items() if values not in here),
        (*_other_settings(pairs[0], paths), *_other_surroundings(first, second)),
    )


def _same_yardstick(first: SweepRecord, second: SweepRecord) -> tuple[Table, Table]:
    """The tables of the yardstick that both have, the one with most trials of the first."""
    ours, theirs = tables(first), tables(second)
    for record, found in ((first, ours), (second, theirs)):
        if not found:
            raise RecordError(f"{record.name} has no complete trial yet: there is nothing to compare")
    for one in ours:
        for other in theirs:
            if not _yardsticks_differ(one.yardstick, other.yardstick):
                return one, other
    what = "; ".join(
        f"{name} is {was} in {first.name} and {now} in {second.name}"
        for name, was, now in _yardsticks_differ(ours[0].yardstick, theirs[0].yardstick)
    )
    raise RecordError(f"the numbers of {first.name} and {second.name} cannot be compared: {what}")


def _yardsticks_differ(old: Yardstick, new: Yardstick) -> list[tuple[str, str, str]]:
    """The parts of two yardsticks that are not the same, by their paths in a spec's base."""
    if old.content and old.content == new.content:  # the same data, whatever the file is called
        old, new = (replace(one, data=one.data.model_copy(update={"path": None})) for one in (old, new))
    parts = [
        *((f"data.{name}", getattr(old.data, name), getattr(new.data, name)) for name in _DATA),
        *((path, getattr(old, name), getattr(new, name)) for name, path in _MEASURED.items()),
    ]
    found = [(path, _word(was, path), _word(now, path)) for path, was, now in parts if was != now]
    if not found and old.content and new.content and old.content != new.content:
        return [("the data's SHA-256", f"{old.content[:12]}…", f"{new.content[:12]}…")]
    return found


def _values(row: Configuration, paths: Sequence[str]) -> tuple[str, ...]:
    settings = _settings(row)
    return tuple(_word(settings.get(path, _ABSENT)) for path in paths)


def _settings(row: Configuration) -> Mapping[str, Any]:
    return row.trials[0].config.flat(whole=True)


def _other_settings(
    pair: tuple[Configuration, Configuration], paths: Sequence[str]
) -> list[tuple[str, str, str]]:
    """Settings that neither sweep varies and that are not the same in both."""
    old, new = _settings(pair[0]), _settings(pair[1])
    return [
        (path, _word(old.get(path, _ABSENT), path), _word(new.get(path, _ABSENT), path))
        for path in dict.fromkeys((*old, *new))
        if path not in paths
        and not _APART.fullmatch(path)
        and old.get(path, _ABSENT) != new.get(path, _ABSENT)
    ]


def _other_surroundings(first: SweepRecord, second: SweepRecord) -> list[tuple[str, str, str]]:
    """The code, the libraries and the machines, where they are not the same."""
    old, new = _surroundings(first), _surroundings(second)
    if _sources(first.code) and _sources(first.code) == _sources(second.code):
        new["code"] = old["code"]  # another commit that changed none of the sources
    return [(name, old[name], new[name]) for name in old if old[name] != new[name]]


def _surroundings(record: SweepRecord) -> dict[str, str]:
    code, places = record.code, [trial.provenance for trial in record.trials if trial.provenance]
    packages = code.get("packages") or {}
    return {
        "code": _code(code),
        **{name: packages.get(name) or "unknown" for name in ("torch", "numpy")},
        "processor": _listed(place.get("cpu") for place in places),
        "device": _listed(place.get("gpu") or place.get("device") for place in places),
        "threads": _listed(place.get("threads") for place in places),
        "definitions of the metrics": _listed(place.get("definitions") for place in places),
    }


def _code(code: Mapping[str, Any]) -> str:
    """A commit, and the hash of the sources that ran: a commit alone does not say what was uncommitted."""
    where = (code.get("commit") or "")[:9] or code.get("package_version") or "unknown"
    return f"{where} (sources {_sources(code)[:9]})" if _sources(code) else str(where)


def _sources(code: Mapping[str, Any]) -> str:
    return str((code.get("sources") or {}).get("sha256") or "")


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(dict.fromkeys(str(value) for value in values if value not in (None, ""))) or "unknown"


def _word(value: Any, path: str = "") -> str:
    if value is _ABSENT:
        return "absent"
    if value is None:
        return "all" if path.endswith("num_images") else "the default"
    return f"{value:g}" if isinstance(value, float) else str(value)
