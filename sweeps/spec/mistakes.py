"""Everything that is wrong with a spec at once, and not its first mistake alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from iwae.config.part import Part, all_mistakes
from iwae.config.train import TrainConfig
from iwae.errors import ConfigError
from sweeps.space.space import parse_space

_BASE, _SPACE = "base.", "search.space"


def mistakes(error: ValidationError, model: type[Part], values: Any, path: str = "") -> list[ConfigError]:
    """What is wrong with a spec, in the order of its sections.

    Args:
        error: of its validation, which looks at the search space only where everything else is right.
        model: of the spec.
        values: the spec as it was written.
        path: what stands before every path.
    """
    found = all_mistakes(error, model, path)
    if not any(one.path.startswith(f"{path}{_SPACE}") for one in found):
        found += _in_space(values, [one.path.removeprefix(path) for one in found])
    order = {name: place for place, name in enumerate(model.model_fields)}
    return sorted(found, key=lambda one: order.get(one.path.removeprefix(path).split(".")[0], len(order)))


def _in_space(values: Any, wrong: Sequence[str]) -> list[ConfigError]:
    """Mistakes in the search space of a spec that is wrong elsewhere, as far as its base is right."""
    if not isinstance(values, Mapping):
        return []
    base, search = values.get("base"), values.get("search")
    space = search.get("space") if isinstance(search, Mapping) else None
    if not isinstance(space, Mapping) or not isinstance(base, Mapping | None):
        return []
    unclear = {path.removeprefix(_BASE).split(".")[0] for path in wrong if path.startswith(_BASE)}
    known = {name: part for name, part in (base or {}).items() if name not in unclear}
    entries = {path: entry for path, entry in space.items() if str(path).split(".")[0] not in unclear}
    try:
        rest = TrainConfig.parse(known)
    except ConfigError:
        return []
    try:
        parse_space(entries, rest)
    except ConfigError as error:
        return list(error.errors)
    return []
