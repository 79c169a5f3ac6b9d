"""``path=value`` on the command line, a mapping in Python: values of a spec replaced before it is checked."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from iwae.config import yaml
from iwae.errors import ConfigError, raise_all
from sweeps.space.entries import KINDS
from sweeps.space.paths import paths

_SPACE = "search.space"

# ``path=value`` with the value in YAML, or values by path.
Assignments = Sequence[str] | Mapping[str, Any]


def assign(document: Mapping[str, Any], assignments: Assignments) -> dict[str, Any]:
    """``document`` with every assignment put in, in order; ``document`` itself stays.

    Keys of a search space hold dots: the longest that fits is taken, and it ends before ``grid``, ``choice``,
    ``uniform``, ``loguniform`` or ``int``. A new kind of entry replaces the old one, and
    ``search.space.PATH=null`` removes PATH from the space.

    Args:
        document: plain data, as from YAML.
        assignments: ``path=value`` with the value in YAML, or values by path; NumPy's count as Python's.

    Raises:
        ConfigError: one is not of that form, its value is not YAML, or its path leads through a plain value;
            `ConfigErrors` where several are wrong.
    """
    changed, wrong = assign_all(document, assignments)
    raise_all(wrong)
    return changed


def assign_all(
    document: Mapping[str, Any], assignments: Assignments
) -> tuple[dict[str, Any], list[ConfigError]]:
    """As `assign`, with what is wrong beside what could be put in, so that all mistakes can be told."""
    changed: dict[str, Any] = copy.deepcopy(dict(document))
    wrong: list[ConfigError] = []
    for assignment in assignments.items() if isinstance(assignments, Mapping) else assignments:
        try:
            _put(changed, *_pair(assignment))
        except ConfigError as error:
            wrong.append(error)
    return changed, wrong


def _pair(assignment: str | tuple[str, Any]) -> tuple[str, Any]:
    """A path and its value, as plain data."""
    if isinstance(assignment, tuple):
        path, value = assignment[0].strip(), plain(assignment[1])
        if not _is_path(path):
            raise ConfigError("", f"{path!r} is not allowed: must be a path, as in search.seeds")
        return path, value
    path, equals, text = assignment.partition("=")
    path = path.strip()
    if not equals or not _is_path(path):
        raise ConfigError("", f"{assignment} is not allowed: must be path=value, as in search.seeds=[0,1]")
    try:
        return path, yaml.load(text)
    except ConfigError as error:
        raise ConfigError(path, error.message) from None


def _is_path(text: str) -> bool:
    return all(text.split("."))


def plain(value: Any) -> Any:
    """``value`` as YAML would give it: tuples, ranges and arrays as lists, NumPy's numbers as Python's."""
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain(part) for part in value]
    # NumPy's arrays and numbers alike, without importing it.
    return value.tolist() if hasattr(value, "tolist") else value


def _put(document: dict[str, Any], path: str, value: Any) -> None:
    owner, done, names = document, "", path.split(".")
    while True:
        length = _key_length(owner, names, done == _SPACE)
        key, names = ".".join(names[:length]), names[length:]
        if not names:
            break
        if owner.get(key) is None:
            owner[key] = {}
        done = f"{done}.{key}" if done else key
        owner = owner[key]
        if not isinstance(owner, dict):
            raise ConfigError(path, f"cannot be set: {done} is {owner}, not a mapping")
    if done == _SPACE and value is None:
        owner.pop(key, None)
        return
    if done.startswith(_SPACE) and key in KINDS and key not in owner:
        owner.clear()
    owner[key] = value


def _key_length(owner: Mapping[str, Any], names: list[str], in_space: bool) -> int:
    """How many of the names make up the next key."""
    end = next((i for i, name in enumerate(names) if name in KINDS and i > 0), len(names))
    if in_space and ".".join(names[:end]) in paths():
        return end
    for length in range(len(names), 0, -1):
        if ".".join(names[:length]) in owner:
            return length
    return end if in_space else 1
