"""Functional ANOVA of configurations that are no full grid: Optuna's random forest (Hutter et al. 2014)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracking.analysis.configurations import text
from tracking.statistics.factorial import Share

INTERACTIONS = "interactions"
_SEED = 0
_TREES = 64
_DRAWS = 39  # the range of so many holds 95 %


def forest_shares(
    points: Sequence[Mapping[str, Any]], means: Sequence[float], noise: float
) -> dict[str, Share]:
    """Main effects as shares of the variance that a random forest sees, the rest as ``INTERACTIONS``.

    Args:
        points: the parameters of each configuration, by path; every path in each.
        means: mean NLL of each configuration, nats.
        noise: variance of a mean between seeds.

    Returns:
        By path, with the range of what the seeds' noise makes of it.
    """
    values = np.asarray(means)
    found = _shares(points, values, _TREES)
    spread = float(values.var(ddof=1))
    centre = values.mean() + (values - values.mean()) * np.sqrt(max(0.0, 1 - noise / spread))
    rng = np.random.default_rng(_SEED)
    # A tree of 300 configurations takes 40 ms. Fewer trees scatter more, which widens the range.
    trees = min(16, max(4, 1200 // len(values)))
    drawn = [
        _shares(points, centre + np.sqrt(noise) * rng.standard_normal(len(values)), trees)
        for _ in range(_DRAWS)
    ]
    ranges = {name: [value, *(draw[name] for draw in drawn)] for name, value in found.items()}
    return {name: Share(values[0], min(values), max(values)) for name, values in ranges.items()}


def _shares(points: Sequence[Mapping[str, Any]], values: NDArray[np.float64], trees: int) -> dict[str, float]:
    import optuna  # a second to import, and most reports need none of it

    distributions = {path: _distribution([point[path] for point in points]) for path in points[0]}
    categorical = {
        p for p, d in distributions.items() if isinstance(d, optuna.distributions.CategoricalDistribution)
    }
    study = _silent_study()
    for point, value in zip(points, values, strict=True):
        params = {path: text(v) if path in categorical else v for path, v in point.items()}
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=distributions, value=float(value))
        )
    # The evaluator's own numbers: `get_param_importances` scales them to sum to 1, which hides interactions.
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=_SEED, n_trees=trees)
    main = {name: float(value) for name, value in evaluator.evaluate(study).items()}
    return {**main, INTERACTIONS: max(0.0, 1 - sum(main.values()))}


def _silent_study() -> Any:
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it announces every study on standard error
    try:
        return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    finally:
        optuna.logging.set_verbosity(verbosity)


def _distribution(values: list[Any]) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        return CategoricalDistribution(sorted({text(value) for value in values}))
    low, high = min(values), max(values)
    wide = low > 0 and high / low >= 20
    if all(isinstance(value, int) for value in values):
        return IntDistribution(low, high, log=wide)
    return FloatDistribution(float(low), float(high), log=wide)
