"""When an entry of a search space applies: ``when: {model.name: [vae, conditional]}``."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from iwae.errors import ConfigError
from sweeps.space.choices import Node, Options

# A value of a whole part, with its defaults, by the part's path.
Complete = Callable[[str, Any], Any]


@dataclass(frozen=True)
class Condition:
    """What has to be chosen for an entry to apply; where it is not, the base's value stays.

    Attributes:
        allowed: for each path its values.
        complete: gives a part that was chosen with its defaults.
    """

    allowed: Mapping[str, tuple[Any, ...]]
    complete: Complete

    def holds(self, point: Mapping[str, Any]) -> bool:
        """Whether a point, as far as it is drawn, has one of the values at each path."""
        return all(value_at(point, path, self.complete) in values for path, values in self.allowed.items())


def value_at(point: Mapping[str, Any], path: str, complete: Complete) -> Any:
    """The value of a path in a point that varies it, or a part that holds it; None where it has none."""
    entry = owner_of(path, point)
    if entry is None:
        return None
    if entry == path:
        return point[path]
    value = complete(entry, point[entry])
    for name in path.removeprefix(f"{entry}.").split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def owner_of(path: str, entries: Iterable[str]) -> str | None:
    """The entry that is the path or holds it; None where no entry does."""
    return next((entry for entry in entries if path == entry or path.startswith(f"{entry}.")), None)


def parse_condition(raw: Any, where: str, before: Mapping[str, Node], complete: Complete) -> Condition:
    """The condition in ``raw``.

    Args:
        raw: plain data, as from YAML: a value or a list of values for each path.
        where: its place in the spec, for errors.
        before: the entries that stand before it in the space.
        complete: see ``Condition``.

    Raises:
        ConfigError: a path is not varied before it by grid or choice, or never has one of the values.
    """
    if not isinstance(raw, Mapping) or not raw:
        raise ConfigError(where, f"{raw} is not allowed: must be a mapping, as in {{model.name: vae}}")
    allowed = {}
    for path, given in raw.items():
        entry = owner_of(path, before)
        if entry is None or not isinstance(before[entry], Options):
            raise ConfigError(
                f"{where}.{path}",
                "not allowed: must be varied by grid or choice, and stand before this entry",
            )
        known = [value_at({entry: corner.value}, path, complete) for corner in before[entry].corners()]
        values = tuple(given) if isinstance(given, list | tuple) else (given,)
        for value in values:
            if value not in known:
                shown = ", ".join(dict.fromkeys(map(str, known)))
                raise ConfigError(f"{where}.{path}", f"{value} is not allowed: must be one of {shown}")
        allowed[path] = values
    return Condition(allowed, complete)
