"""The search space: what a sweep varies, by path of TrainConfig.

A path names a leaf (``objective.num_samples``) or a whole part (``annealing``). A leaf's value is set in the
base; a part's value replaces the base's part, with that part's own defaults. An entry may apply only ``when``
an entry before it has one of some values; elsewhere the base's value stays.
"""

import copy
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import create_model
from pydantic.fields import FieldInfo

from iwae.config.part import WHOLE, Part, parse
from iwae.config.train import TrainConfig
from iwae.errors import ConfigError, raise_all
from sweeps.space.choices import Corner, Node, Options, Real, product
from sweeps.space.choosers import Chooser
from sweeps.space.conditions import Condition, owner_of, parse_condition
from sweeps.space.entries import WHEN, parse_entry
from sweeps.space.paths import field_of, paths

# Behind an error at a range of reals where the field takes whole numbers.
_DRAW_WHOLE = " (int: [low, high] draws whole numbers)"


@dataclass(frozen=True)
class Space:
    """A parsed search space.

    Attributes:
        entries: a node for each path, in the order in which they were written.
        conditions: of the paths that do not always apply.
    """

    entries: Mapping[str, Node]
    conditions: Mapping[str, Condition] = field(default_factory=dict)

    @property
    def size(self) -> int | None:
        """How many points there are; None when they are not countable."""
        return self._size({}, list(self.entries))

    def _size(self, point: dict[str, Any], paths: list[str]) -> int | None:
        """Points that begin with ``point``. Of what no condition asks for, only the number counts."""
        if not paths:
            return 1
        path, *rest = paths
        size = self.entries[path].size() if self._applies(path, point) else 1
        if size is None or not self._applies(path, point) or not self._asked_for(path):
            return product(iter((size, self._size(point, rest))))
        return sum(self._size({**point, path: value}, rest) or 0 for value in self.entries[path].values())

    @property
    def choices(self) -> dict[str, Node]:
        """Everything that may have to be chosen to draw a point, by name, conditional choices included."""
        return {k: v for path, node in self.entries.items() for k, v in node.choices(path).items()}

    @property
    def ranges(self) -> tuple[str, ...]:
        """Places in the spec that a grid cannot enumerate."""
        return tuple(node.where for node in self.choices.values() if isinstance(node, Real))

    def points(self) -> Iterator[dict[str, Any]]:
        """Every point of a countable space; the path written first varies slowest."""
        yield from self._points({}, list(self.entries))

    def _points(self, point: dict[str, Any], paths: list[str]) -> Iterator[dict[str, Any]]:
        if not paths:
            yield point
            return
        path, *rest = paths
        if not self._applies(path, point):
            yield from self._points(point, rest)
            return
        for value in self.entries[path].values():
            yield from self._points({**point, path: value}, rest)

    def draw(self, chooser: Chooser) -> dict[str, Any]:
        """One point: plain values by path."""
        point: dict[str, Any] = {}
        for path, node in self.entries.items():
            if self._applies(path, point):
                point[path] = node.draw(chooser, path)
        return point

    def locate(self, point: Mapping[str, Any]) -> dict[str, Any] | None:
        """The choices that give ``point``, by name; None when the space does not hold it."""
        found: dict[str, Any] = {}
        applied = [path for path in self.entries if self._applies(path, point)]
        for path in applied:
            below = self.entries[path].locate(point[path], path) if path in point else None
            if below is None:
                return None
            found.update(below)
        return found if set(point) == set(applied) else None

    def _applies(self, path: str, point: Mapping[str, Any]) -> bool:
        condition = self.conditions.get(path)
        return condition is None or condition.holds(point)

    def _asked_for(self, path: str) -> bool:
        """Whether a condition depends on the path's value."""
        asked = (asked for condition in self.conditions.values() for asked in condition.allowed)
        return any(owner_of(one, [path]) is not None for one in asked)

    def extremes(self, path: str, base: Any) -> list[Any]:
        """The values of ``path`` at the corners of its entry; the base's own where it is not varied."""
        for entry_path, node in self.entries.items():
            own = [base] if entry_path in self.conditions else []
            if entry_path == path:
                return own + [corner.value for corner in node.corners()]
            below = path.removeprefix(f"{entry_path}.")
            if below != path:
                return own + [corner.value[below] for corner in node.corners() if below in corner.value]
        return [base]


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with the value at each path of ``overrides`` replaced; neither is changed."""
    merged: dict[str, Any] = copy.deepcopy(dict(base))
    for path, value in overrides.items():
        *parents, leaf = path.split(".")
        part = merged
        for parent in parents:
            part = part.setdefault(parent, {})
        part[leaf] = copy.deepcopy(value)
    return merged


def describe(overrides: Mapping[str, Any]) -> str:
    """A point in one line: ``objective.num_samples=5, annealing={name: linear}``."""
    return ", ".join(f"{path}={_plain(value)}" for path, value in overrides.items()) or "the base"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_plain(below)}" for name, below in value.items()) + "}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def parse_space(raw: Mapping[str, Any], base: TrainConfig, where: str = "search.space") -> Space:
    """The search space in ``raw``, every path and value of it checked against TrainConfig.

    Raises:
        ConfigError: a path does not exist or cannot be varied, an entry is malformed, a value is not
            allowed or appears twice, or two paths overlap; `ConfigErrors` where several are wrong.
    """
    entries: dict[str, Node] = {}
    conditions: dict[str, Condition] = {}
    wrong: list[ConfigError] = []
    for path, entry in raw.items():
        try:
            bare = {k: v for k, v in entry.items() if k != WHEN} if isinstance(entry, Mapping) else entry
            node = _entry(path, bare, base, where, entries)
            if bare is not entry and WHEN in entry:
                place = f"{where}.{path}.{WHEN}"
                conditions[path] = parse_condition(entry[WHEN], place, entries, _complete)
            entries[path] = node
        except ConfigError as error:
            wrong.append(error)
    raise_all(wrong)
    return Space(entries, conditions)


def _complete(path: str, value: Any) -> Any:
    """A value of a path, a part with all its defaults."""
    return _checked(_holder_at(path), Corner(value, {"": path}), whole=True)


@functools.cache
def _holder_at(path: str) -> type[Part]:
    return _holder(paths()[path])


def _entry(path: str, entry: Any, base: TrainConfig, where: str, others: Iterable[str]) -> Node:
    """One entry of a space, checked."""
    found = field_of(path, base, f"{where}.{path}")
    for other in others:
        if path.startswith(f"{other}.") or other.startswith(f"{path}."):
            raise ConfigError(f"{where}.{path}", f"overlaps {where}.{other}: must be varied in one of them")
    node = parse_entry(entry, f"{where}.{path}")
    _check_values(node, found)
    return node


def _check_values(node: Node, field: FieldInfo) -> None:
    """Check that every corner of the node is a value of the field, and that no two options are equal."""
    holder = _holder(field)
    hint = _DRAW_WHOLE if isinstance(node, Real) and _is_whole(field) else ""
    for corner in node.corners():
        _checked(holder, corner, hint)
    if not isinstance(node, Options):
        return
    seen: dict[str, str] = {}
    for option in node.options:
        if option.size() != 1:
            continue
        corner = next(option.corners())
        value = repr(_checked(holder, corner))
        if value in seen:
            raise ConfigError(
                option.where, f"{_plain(corner.value)} is not allowed: must differ from {seen[value]}"
            )
        seen[value] = option.where


def _holder(field: FieldInfo) -> type[Part]:
    """A part with nothing but this field, ``value``."""
    definition: Any = (field.annotation, field)
    return create_model("Value", __base__=Part, value=definition)


def _is_whole(field: FieldInfo) -> bool:
    """Whether the field takes whole numbers only."""
    types = set(_leaves(field.annotation))
    return int in types and float not in types


def _leaves(annotation: Any) -> Iterator[Any]:
    """The types that a union, an Annotated or a container is made of."""
    below = get_args(annotation)
    if not below:
        yield annotation
    for argument in below:
        yield from _leaves(argument)


def _checked(holder: type[Part], corner: Corner, hint: str = "", *, whole: bool = False) -> Any:
    """The value of a corner, as the field keeps it; an error names the place where it was written."""
    try:
        context = WHOLE if whole else None
        return parse(holder, {"value": corner.value}).model_dump(mode="json", context=context)["value"]
    except ConfigError as error:
        path = error.path.removeprefix("value")
        place = max((p for p in corner.written if path.startswith(p)), key=len)
        raise ConfigError(corner.written[place] + path[len(place) :], error.message + hint) from None
