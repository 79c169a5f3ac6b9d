"""The plan: every trial of a sweep, drawn before the first one starts where the sampler allows it.

Seeds are the outer loop: all configurations with the first seed come first, so a budget that ends early
leaves whole comparisons with fewer replicates, not fewer configurations. A configuration that a model-based
sampler suggests is planned with all its seeds at once, because the sampler hears their mean.
"""

import itertools
import json
import logging
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from iwae.config.train import TrainConfig
from iwae.errors import ConfigError
from sweeps.space.choosers import Point
from sweeps.space.space import Space, describe
from sweeps.spec.checks import checked_point
from sweeps.spec.spec import SweepSpec, with_seed
from tracking.records.records import PlannedTrial

logger = logging.getLogger(__name__)

# Draws after which a small space counts as used up, for each configuration asked for.
_DRAWS_EACH = 50


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
        PlannedTrial(index, overrides, with_seed(config, seed))
        for index, (seed, (overrides, config)) in enumerate(
            itertools.product(spec.search.seeds, configurations)
        )
    ]


def trials_of(spec: SweepSpec, overrides: Mapping[str, Any], first_index: int) -> list[PlannedTrial]:
    """One configuration with every seed.

    Raises:
        ConfigError: it is not a valid configuration.
    """
    config = spec.configuration(overrides)
    return [
        PlannedTrial(first_index + i, overrides, with_seed(config, seed))
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


def _configurations(spec: SweepSpec) -> list[tuple[Mapping[str, Any], TrainConfig]]:
    """Different configurations, in the order in which they are drawn, each with its point of the space."""
    if spec.search.sampler.name == "grid":
        return _different(spec.grid)
    return _different(_parsed(spec, _draws(spec)), spec.search.num_trials)


def _different(
    drawn: Iterable[tuple[Mapping[str, Any], TrainConfig]], limit: int | None = None
) -> list[tuple[Mapping[str, Any], TrainConfig]]:
    found: dict[str, tuple[Mapping[str, Any], TrainConfig]] = {}
    for point, config in drawn:
        found.setdefault(config.configuration_key, (point, config))
        if len(found) == limit:
            break
    return list(found.values())


def _parsed(
    spec: SweepSpec, points: Iterable[Mapping[str, Any]]
) -> Iterator[tuple[Mapping[str, Any], TrainConfig]]:
    """Each different point with its configuration, parsed once however often it is drawn."""
    seen: set[str] = set()
    for point in points:
        if (text := json.dumps(point)) not in seen:
            seen.add(text)
            yield point, checked_point(point, spec.configuration)


def _draws(spec: SweepSpec) -> Iterator[dict[str, Any]]:
    """Points of a random or qmc sweep, so many that a countable space is used up."""
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
