"""Checks across the parts of a spec: sampler, space, early stopping and every drawn configuration."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iwae.config.part import Part, parse
from iwae.config.schedules import AnnealingConfig
from iwae.config.train import TrainConfig
from iwae.errors import ConfigError
from sweeps.space.choices import Real, Whole
from sweeps.space.choosers import Prober
from sweeps.space.space import Space, describe
from sweeps.spec.early_stopping import AshaScheduler, MedianScheduler, NoScheduler
from sweeps.spec.extent import Extent
from sweeps.spec.search import MAX_TRIALS, METRIC, MODEL_BASED, RECONSTRUCTION, SearchSpec
from tracking.records.comparable.yardstick import Yardstick

PROBES = 256
_WHERE = "search.space"


@dataclass(frozen=True)
class CheckedSearch:
    """What is known of a search once it is checked.

    Attributes:
        extent: how large K becomes, and how few samples the final likelihood has.
        grid: every point of a grid with its configuration (seed 0), in order; empty for other samplers.
    """

    extent: Extent
    grid: tuple[tuple[Mapping[str, Any], TrainConfig], ...]


def check_search(
    search: SearchSpec,
    space: Space,
    scheduler: NoScheduler | AshaScheduler | MedianScheduler,
    base: TrainConfig,
    configuration: Callable[[Mapping[str, Any]], TrainConfig],
) -> CheckedSearch:
    """Check that a search can work and that its trials can be compared.

    Raises:
        ConfigError: with the path of what must change.
    """
    _check_sampler(search, space)
    if search.equal_seconds:
        _check_equal_seconds(space, scheduler)
    points = _checked_points(search, space, configuration)
    configs = [config for _, config in points]
    _check_metric(search.metric, configs)
    if search.sampler.name in MODEL_BASED or scheduler.name != "none":
        user = f"sampler {search.sampler.name}" if search.sampler.name in MODEL_BASED else scheduler.name
        _check_comparable({Yardstick.of(config) for config in configs}, user)
    if not isinstance(scheduler, NoScheduler):
        _check_early_stopping(space, scheduler, base)
    extent = Extent(
        max(config.objective.num_samples for config in configs),
        min(config.evaluation.final_num_samples for config in configs),
    )
    return CheckedSearch(extent, points if search.sampler.name == "grid" else ())


def _check_metric(metric: str, configs: Sequence[TrainConfig]) -> None:
    without = all(config.model.evidence == "none" for config in configs)
    if without and metric == METRIC:
        why = "no model of this sweep has a likelihood"
        raise ConfigError("search.metric", f"{metric} is not allowed: must be {RECONSTRUCTION}: {why}")
    if not without and metric == RECONSTRUCTION:
        named = next(config.model.name for config in configs if config.model.evidence != "none")
        why = f"{named} has a likelihood, and models without one are compared by reconstruction beside it"
        raise ConfigError("search.metric", f"{metric} is not allowed: must be {METRIC}: {why}")


def _check_sampler(search: SearchSpec, space: Space) -> None:
    name = search.sampler.name
    if name == "grid":
        if space.ranges:
            raise ConfigError(
                space.ranges[0],
                "not allowed with sampler grid, which cannot enumerate a range:"
                " must be {grid: [...]}, or search.sampler.name random, qmc, tpe, gp or cmaes",
            )
        trials = (space.size or 0) * len(search.seeds)
        if trials > MAX_TRIALS:
            raise ConfigError(_WHERE, f"a grid of {trials} trials is not allowed: must be <= {MAX_TRIALS}")
        return
    if not space.entries:
        raise ConfigError(
            _WHERE, f"{{}} is not allowed: must vary something when search.sampler.name is {name}"
        )
    if (search.num_trials or 0) * len(search.seeds) > MAX_TRIALS:
        most = MAX_TRIALS // len(search.seeds)
        raise ConfigError("search.num_trials", f"{search.num_trials} is not allowed: must be <= {most}")
    if space.conditions and name in ("gp", "cmaes"):
        path = next(iter(space.conditions))
        raise ConfigError(
            f"{_WHERE}.{path}.when",
            f"not allowed with sampler {name}, all of whose points have the same parameters: must be left"
            " out, or search.sampler.name grid, random, qmc or tpe",
        )
    numeric = [path for path, node in space.entries.items() if isinstance(node, Real | Whole)]
    if name == "cmaes" and not numeric:
        raise ConfigError(
            "search.sampler.name",
            "cmaes is not allowed: must be grid, random, qmc, tpe or gp when no path"
            " of search.space is a range (uniform, loguniform or int): CMA-ES moves numbers, not options",
        )


def _checked_points(
    search: SearchSpec, space: Space, configuration: Callable[[Mapping[str, Any]], TrainConfig]
) -> tuple[tuple[Mapping[str, Any], TrainConfig], ...]:
    """Every point of a grid, or corners and random points of another space, each with its configuration."""
    if search.sampler.name == "grid":
        points = space.points()
    else:
        prober = Prober()
        points = (space.draw(prober) for _ in range(PROBES))
    return tuple((point, checked_point(point, configuration)) for point in points)


def checked_point(
    point: Mapping[str, Any], configuration: Callable[[Mapping[str, Any]], TrainConfig]
) -> TrainConfig:
    """The configuration of a point.

    Raises:
        ConfigError: it is not valid; the error names the point.
    """
    try:
        return configuration(point)
    except ConfigError as error:
        raise ConfigError(_WHERE, f"the point {describe(point)} is not allowed: {error}") from None


def _check_comparable(yardsticks: Collection[Yardstick], user: str) -> None:
    """Refuses to compare trials by numbers that are not of the same kind."""
    if len(yardsticks) < 2:
        return
    what = "data or likelihood vary", "NLLs of different data"
    if len({one.score for one in yardsticks}) > 1:
        what = "models with and without a likelihood vary", "NLLs with reconstruction errors"
    elif len({one.conditional for one in yardsticks}) > 1:
        what = "conditional and other models vary", "NLLs of x given y with NLLs of x"
    raise ConfigError(
        _WHERE,
        f"{what[0]}, and {user} would compare {what[1]}:"
        " must be one sweep for each, or sampler grid, random or qmc with scheduler none",
    )


class _Annealed(Part):
    annealing: AnnealingConfig


def longest_warm_up(space: Space, base: TrainConfig) -> int:
    """The most epochs that any annealing of the space takes to reach its end value; 0 without annealing."""
    own = getattr(base.annealing, "warmup_epochs", 0)
    if "annealing" in space.entries:
        kinds = space.extremes("annealing", None)
        return max(_warm_up(kind) for kind in kinds)
    return int(max(space.extremes("annealing.warmup_epochs", own)))


def _warm_up(annealing: Mapping[str, Any]) -> int:
    return int(getattr(parse(_Annealed, {"annealing": annealing}).annealing, "warmup_epochs", 0))


def grace_epochs(
    space: Space, scheduler: NoScheduler | AshaScheduler | MedianScheduler, base: TrainConfig
) -> int:
    """Epochs before which early stopping ends no trial.

    By default the longest warm-up in the space, rounded up to a whole number of ``evaluation.every``, so that
    every rung falls on an evaluated epoch.
    """
    if isinstance(scheduler, NoScheduler):
        return base.num_epochs
    if scheduler.grace_epochs is not None:
        return scheduler.grace_epochs
    every = base.evaluation.every
    return max(1, math.ceil(longest_warm_up(space, base) / every)) * every


def _check_equal_seconds(space: Space, scheduler: NoScheduler | AshaScheduler | MedianScheduler) -> None:
    if "num_epochs" in space.entries:
        raise ConfigError(
            f"{_WHERE}.num_epochs",
            "not allowed with search.equal_seconds, which decides the epochs: must be set in base.num_epochs",
        )
    if not isinstance(scheduler, NoScheduler):
        raise ConfigError(
            "search.equal_seconds",
            f"not allowed with scheduler {scheduler.name}, which compares trials at the same epoch:"
            " must be scheduler.name none",
        )


def _check_early_stopping(
    space: Space, scheduler: AshaScheduler | MedianScheduler, base: TrainConfig
) -> None:
    if "num_epochs" in space.entries:
        raise ConfigError(
            f"{_WHERE}.num_epochs",
            f"not allowed with scheduler {scheduler.name}, which compares trials at"
            " the same epoch of the same schedule: must be set in base.num_epochs, or scheduler.name none",
        )
    kinds = [v["name"] for v in space.extremes("annealing", base.annealing.model_dump())]
    if "cyclical" in kinds:
        raise ConfigError(
            "scheduler.name",
            f"{scheduler.name} is not allowed: must be none with cyclical annealing, whose"
            " curves cross at every restart",
        )
    grace = grace_epochs(space, scheduler, base)
    _check_grace(grace, longest_warm_up(space, base), base)
    if isinstance(scheduler, AshaScheduler):
        _check_brackets(grace, scheduler, base)


def _check_grace(grace: int, warm_up: int, base: TrainConfig) -> None:
    every = base.evaluation.every
    where = "scheduler.grace_epochs"
    if grace < warm_up:
        raise ConfigError(
            where, f"{grace} is not allowed: must be >= {warm_up}, the longest warm-up in the space"
        )
    if grace % every:
        raise ConfigError(
            where, f"{grace} is not allowed: must be a multiple of base.evaluation.every ({every})"
        )
    if grace >= base.num_epochs:
        raise ConfigError(
            where,
            f"{grace} is not allowed: must be < base.num_epochs ({base.num_epochs}),"
            f" and >= {warm_up}, the longest warm-up",
        )


def _check_brackets(grace: int, scheduler: AshaScheduler, base: TrainConfig) -> None:
    rungs = 1
    while grace * scheduler.reduction_factor**rungs < base.num_epochs:
        rungs += 1
    if scheduler.brackets > rungs:
        raise ConfigError(
            "scheduler.brackets",
            f"{scheduler.brackets} is not allowed: must be <= {rungs}:"
            f" there are {rungs} rungs between {grace} and {base.num_epochs} epochs",
        )
