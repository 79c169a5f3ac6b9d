"""The search space: what a sweep varies, by path of TrainConfig.

A path names a leaf (``objective.num_samples``) or a whole part (``annealing``). A leaf's value is set in the
base; a part's value replaces the base's part, with that part's own defaults.
"""

import copy
import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import create_model
from pydantic.fields import FieldInfo

from iwae.config.part import Part, names_of, parse
from iwae.config.train import TrainConfig
from iwae.errors import ConfigError, raise_all
from sweeps.space.choices import Corner, Node, Options, Real, Structure, product
from sweeps.space.choosers import Chooser
from sweeps.space.entries import parse_entry

_ELSEWHERE = {
    "seed": "seeds are replicates, not a parameter: must be set in search.seeds",
    "device": "where a trial runs is not a parameter: must be set in resources.gpus",
    "threads": "where a trial runs is not a parameter: must be set in resources.cpus",
    "evaluation": "every trial is measured with the same yardstick: must be set in base.evaluation",
}
# Behind an error at a range of reals where the field takes whole numbers.
_DRAW_WHOLE = " (int: [low, high] draws whole numbers)"


@dataclass(frozen=True)
class Space:
    """A parsed search space.

    Attributes:
        entries: a node for each path, in the order in which they were written.
    """

    entries: Mapping[str, Node]

    @property
    def size(self) -> int | None:
        """How many points there are; None when they are not countable."""
        return product(node.size() for node in self.entries.values())

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
        yield from Structure(self.entries, "").values()

    def draw(self, chooser: Chooser) -> dict[str, Any]:
        """One point: plain values by path."""
        return {path: node.draw(chooser, path) for path, node in self.entries.items()}

    def locate(self, point: Mapping[str, Any]) -> dict[str, Any] | None:
        """The choices that give ``point``, by name; None when the space does not hold it."""
        found: dict[str, Any] = {}
        for path, node in self.entries.items():
            below = node.locate(point[path], path) if path in point else None
            if below is None:
                return None
            found.update(below)
        return found if set(point) == set(self.entries) else None

    def extremes(self, path: str, base: Any) -> list[Any]:
        """The values of ``path`` at the corners of its entry; the base's own where it is not varied."""
        for entry_path, node in self.entries.items():
            if entry_path == path:
                return [corner.value for corner in node.corners()]
            below = path.removeprefix(f"{entry_path}.")
            if below != path:
                return [corner.value[below] for corner in node.corners() if below in corner.value]
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
    wrong: list[ConfigError] = []
    for path, entry in raw.items():
        try:
            entries[path] = _entry(path, entry, base, where, entries)
        except ConfigError as error:
            wrong.append(error)
    raise_all(wrong)
    return Space(entries)


def _entry(path: str, entry: Any, base: TrainConfig, where: str, others: Iterable[str]) -> Node:
    """One entry of a space, checked."""
    field = _field(path, base, f"{where}.{path}")
    for other in others:
        if path.startswith(f"{other}.") or other.startswith(f"{path}."):
            raise ConfigError(f"{where}.{path}", f"overlaps {where}.{other}: must be varied in one of them")
    node = parse_entry(entry, f"{where}.{path}")
    _check_values(node, field)
    return node


def paths(model: type[Part] = TrainConfig, prefix: str = "") -> dict[str, FieldInfo]:
    """Every path that a space may hold, leaves and whole parts.

    The name of a part that comes in kinds is a path of its own only where it may be left out (``model.name``,
    ``objective.name``): elsewhere the kinds share too little.
    """
    found: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        if not prefix and name in _ELSEWHERE:
            continue
        kinds = parts_of(field.annotation)
        found[prefix + name] = field
        for kind in kinds:
            below = paths(kind, f"{prefix}{name}.")
            found.update(below)
        if len(kinds) > 1:
            found.pop(f"{prefix}{name}.name")
            if any(not kind.model_fields["name"].is_required() for kind in kinds):
                found[f"{prefix}{name}.name"] = _any_name(kinds)
    return found


def _any_name(kinds: list[type[Part]]) -> FieldInfo:
    """The name of a part of any of these kinds."""
    names = tuple(name for kind in kinds for name in names_of(kind))
    annotation: Any = Literal.__getitem__(names)
    return FieldInfo(annotation=annotation)


def parts_of(annotation: Any) -> list[type[Part]]:
    """The parts in a field's type: none for a leaf, several where a part comes in kinds."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return [annotation]
    return [part for argument in get_args(annotation) for part in parts_of(argument)]


def _field(path: str, base: TrainConfig, where: str) -> FieldInfo:
    """The field that ``path`` names in the base."""
    names = path.split(".")
    if names[0] in _ELSEWHERE:
        raise ConfigError(where, f"not allowed in the space: {_ELSEWHERE[names[0]]}")
    part: Any = base
    for depth, name in enumerate(names):
        fields = type(part).model_fields if isinstance(part, Part) else {}
        field = fields.get(name)
        if field is None:
            raise _unknown(path, ".".join(names[:depth]), part, where)
        if depth == len(names) - 1:
            if name != "name":
                return field
            if path not in paths():
                owner = ".".join(names[:-1])
                raise ConfigError(
                    where,
                    f"not allowed: must vary the whole part, as in"
                    f" {owner}: {{grid: [{{name: ...}}, {{name: ...}}]}}",
                )
            return paths()[path]
        part = getattr(part, name)
    raise AssertionError(path)


def _unknown(path: str, owner: str, part: Any, where: str) -> ConfigError:
    known = paths()
    if path in known:
        return ConfigError(
            where, f"unknown path: base.{owner} is {part.name}, which has no {path.split('.')[-1]}"
        )
    close = difflib.get_close_matches(path, known, n=1)
    hint = f"did you mean {close[0]}?" if close else "must be a path of the configuration (`sweeps schema`)"
    return ConfigError(where, f"unknown path: {hint}")


def _check_values(node: Node, field: FieldInfo) -> None:
    """Check that every corner of the node is a value of the field, and that no two options are equal."""
    definition: Any = (field.annotation, field)
    holder = create_model("Value", __base__=Part, value=definition)
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


def _checked(holder: type[Part], corner: Corner, hint: str = "") -> Any:
    """The value of a corner, as the field keeps it; an error names the place where it was written."""
    try:
        return parse(holder, {"value": corner.value}).model_dump(mode="json")["value"]
    except ConfigError as error:
        path = error.path.removeprefix("value")
        place = max((p for p in corner.written if path.startswith(p)), key=len)
        raise ConfigError(corner.written[place] + path[len(place) :], error.message + hint) from None
