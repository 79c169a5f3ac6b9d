"""Which paths of the configuration a search space may vary."""

import difflib
from typing import Any, Literal, get_args

from pydantic.fields import FieldInfo

from iwae.config.part import Part, names_of
from iwae.config.train import TrainConfig
from iwae.errors import ConfigError

_ELSEWHERE = {
    "seed": "seeds are replicates, not a parameter: must be set in search.seeds",
    "device": "where a trial runs is not a parameter: must be set in resources.gpus",
    "threads": "where a trial runs is not a parameter: must be set in resources.cpus",
    "evaluation": "every trial is measured with the same yardstick: must be set in base.evaluation",
}


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


def field_of(path: str, base: TrainConfig, where: str) -> FieldInfo:
    """The field that ``path`` names in the base.

    Raises:
        ConfigError: it names none, or one that is not varied; at ``where``.
    """
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
