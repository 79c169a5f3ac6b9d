"""The plan: every trial of a sweep, drawn before the first one starts where the sampler allows it.

Seeds are the outer loop: all configurations with the first seed come first, so a budget that ends early
leaves whole comparisons with fewer replicates, not fewer configurations. A configuration that a model-based
sampler suggests is planned with all its seeds at once, because the sampler hears their mean.
"""

import logging
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from iwae.errors import ConfigError
from sweeps.space.space import Space, describe
from sweeps.spec.spec import SweepSpec
from tracking.records.records import PlannedTrial

logger = logging.getLogger(__name__)

# Draws after which a small space counts as used up, for each configuration asked for.
_DRAWS_EACH = 50


class Point:
    """A chooser that reads each choice from a point of the unit cube.

    Args:
        coordinates: numbers in [0, 1) by the choice's name.
    """

    def __init__(self, coordinates: Mapping[str, float]) -> None:
        self._coordinates = coordinates

    def option(self, name: str, count: int) -> int:
        """Options share [0, 1) equally."""
        return int(self._coordinates[name] * count)

    def real(self, name: str, low: float, high: float, log: bool) -> float:
        """Linear, or linear in the logarithm."""
        at = self._coordinates[name]
        if log:
            return min(high, max(low, math.exp(math.log(low) + at * math.log(high / low))))
        return low + at * (high - low)

    def whole(self, name: str, low: int, high: int, step: int, log: bool) -> int:
        """Numbers share [0, 1) equally, or by the logarithm of their width."""
        at = self._coordinates[name]
        if log:
            lowest, highest = math.log(low - 0.5), math.log(high + 0.5)
            return min(high, max(low, round(math.exp(lowest + at * (highest - lowest)))))
        return low + step * int(at * ((high - low) // step + 1))


def draw_plan(spec: SweepSpec) -> list[PlannedTrial]:
    """Every trial of a grid, random or qmc sweep; none yet for a model-based sampler.

    The same spec gives the same plan, and one with more ``num_trials`` or seeds a plan that holds it. A
    configuration is planned once, however often it is drawn.

    Raises:
        ConfigError: a drawn point is not a valid configuration.
    """
    if spec.is_model_based:
        return []
    configurations = _configurations(spec)
    asked = spec.search.num_trials
    if asked is not None and len(configurations) < asked:
        logger.warning(
            "search.num_trials is %d, but the space holds only %d different configurations",
            asked,
            len(configurations),
        )
    return [
        PlannedTrial(index, overrides, spec.configuration(overrides, seed))
        for index, (seed, overrides) in enumerate(
            (seed, overrides) for seed in spec.search.seeds for overrides in configurations
        )
    ]


def trials_of(spec: SweepSpec, overrides: Mapping[str, Any], first_index: int) -> list[PlannedTrial]:
    """One configuration with every seed.

    Raises:
        ConfigError: it is not a valid configuration.
    """
    return [
        PlannedTrial(first_index + i, overrides, spec.configuration(overrides, seed))
        for i, seed in enumerate(spec.search.seeds)
    ]


def extend_plan(old: Sequence[PlannedTrial], spec: SweepSpec) -> list[PlannedTrial]:
    """The old plan, in its order and with its keys, and behind it what the extended spec adds.

    Where the space has a new path whose values include the base's, an old trial's ``overrides`` name it too.

    Raises:
        ConfigError: the extended spec does not hold a trial of the old plan, or would change it.
    """
    if spec.is_model_based:
        configurations = {trial.configuration_key: trial.overrides for trial in old}
        drawn = [trial for overrides in configurations.values() for trial in _again(spec, overrides)]
    else:
        drawn = draw_plan(spec)
    by_key = {trial.key: trial for trial in drawn}
    for trial in old:
        if trial.key not in by_key:
            raise ConfigError(
                "search",
                f"would lose or change trial {trial.index} ({describe(trial.overrides)}, seed"
                f" {trial.config.seed}): must keep everything that is planned, and may only add to it",
            )
    kept = [PlannedTrial(trial.index, by_key[trial.key].overrides, trial.config) for trial in old]
    known = {trial.key for trial in old}
    new = [trial for trial in drawn if trial.key not in known]
    return kept + [PlannedTrial(len(kept) + i, trial.overrides, trial.config) for i, trial in enumerate(new)]


def _again(spec: SweepSpec, overrides: Mapping[str, Any]) -> list[PlannedTrial]:
    return trials_of(spec, overrides, 0) if spec.space.locate(overrides) is not None else []


def _configurations(spec: SweepSpec) -> list[dict[str, Any]]:
    """Different configurations, in the order in which they are drawn."""
    found: dict[str, dict[str, Any]] = {}
    limit = spec.search.num_trials
    for point in _draws(spec):
        try:
            found.setdefault(spec.configuration(point).configuration_key, point)
        except ConfigError as error:
            raise ConfigError(
                "search.space", f"the point {describe(point)} is not allowed: {error}"
            ) from None
        if limit is not None and len(found) == limit:
            break
    return list(found.values())


def _draws(spec: SweepSpec) -> Iterator[dict[str, Any]]:
    if spec.search.sampler.name == "grid":
        return spec.space.points()
    asked, size = spec.search.num_trials or 0, spec.space.size
    most = _DRAWS_EACH * (asked if size is None else min(asked, size) + size)
    seed = spec.search.sampler.seed
    cube = _random_cube if spec.search.sampler.name == "random" else _sobol_cube
    return cube(spec.space, seed, most)


def _random_cube(space: Space, seed: int, most: int) -> Iterator[dict[str, Any]]:
    names, generator = list(space.choices), random.Random(seed)
    for _ in range(most):
        yield space.draw(Point({name: generator.random() for name in names}))


def _sobol_cube(space: Space, seed: int, most: int) -> Iterator[dict[str, Any]]:
    from scipy.stats import qmc

    names = list(space.choices)
    sequence = qmc.Sobol(len(names), scramble=True, seed=seed)
    drawn = 0
    while drawn < most:
        # Powers of two keep the sequence balanced; the points do not depend on how many are taken at once.
        for row in sequence.random(max(64, drawn)):
            yield space.draw(Point(dict(zip(names, map(float, row), strict=True))))
        drawn = sequence.num_generated
