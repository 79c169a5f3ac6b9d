"""``path=value`` on the command line: values of a spec replaced before it is checked."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from iwae.config import yaml
from iwae.errors import ConfigError
from sweeps.space.entries import KINDS
from sweeps.space.space import paths

_SPACE = "search.space"


def assign(document: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """``document`` with every assignment put in, in order; ``document`` itself stays.

    Keys of a search space hold dots: the longest that fits is taken, and it ends before ``grid``, ``choice``,
    ``uniform``, ``loguniform`` or ``int``. A new kind of entry replaces the old one, and
    ``search.space.PATH=null`` removes PATH from the space.

    Args:
        document: plain data, as from YAML.
        assignments: ``path=value`` with the value in YAML.

    Raises:
        ConfigError: one is not of that form, its value is not YAML, or its path leads through a plain value.
    """
    changed: dict[str, Any] = copy.deepcopy(dict(document))
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        path = path.strip()
        if not equals or not path or any(not name for name in path.split(".")):
            raise ConfigError(
                "", f"{assignment} is not allowed: must be path=value, as in search.seeds=[0,1]"
            )
        try:
            value = yaml.load(text)
        except ConfigError as error:
            raise ConfigError(path, error.message) from None
        _put(changed, path, value)
    return changed


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
