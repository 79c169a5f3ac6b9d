"""How much of the spread in validation NLL each parameter of the space accounts for: Optuna's fANOVA."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracking.report.strata import short_path
from tracking.report.tables import Table, text

FEWEST_CONFIGURATIONS = 10


@dataclass(frozen=True)
class Importance:
    """Shares of the variance of mean ``val/nll_final`` by parameter, largest first, or why there are none.

    Attributes:
        shares: by short name; they sum to 1.
        left_out: parameters that not every configuration has.
        reason: why it cannot be said; empty if it can.
    """

    shares: Mapping[str, float]
    left_out: tuple[str, ...] = ()
    reason: str = ""


def importance(table: Table) -> Importance:
    """Functional ANOVA (Hutter et al. 2014), a configuration a point; it does not know the seeds' noise."""
    rows, paths = table.configurations, table.distinct_paths
    left_out = tuple(p for p in paths if any(row.parameters.get(p) is None for row in rows))
    usable = [path for path in paths if path not in left_out]
    nlls = [row.mean("val_nll_final") for row in rows]
    hidden = tuple(short_path(path) for path in left_out)
    if len(usable) < 2:
        what = f"only {short_path(usable[0])} is" if usable else "no parameter is"
        return Importance(
            {}, hidden, f"{what} varied over the whole table: there is nothing to weigh it against"
        )
    if len(rows) < FEWEST_CONFIGURATIONS:
        return Importance(
            {}, hidden,
            f"{len(rows)} complete configurations are too few: at least {FEWEST_CONFIGURATIONS} are needed",
        )  # fmt: skip
    if len(set(nlls)) == 1:
        return Importance({}, hidden, "all configurations have the same validation NLL")
    shares = _fanova([{path: row.parameters[path] for path in usable} for row in rows], nlls)
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    return Importance({short_path(path): share for path, share in ordered}, hidden)


def _fanova(points: list[dict[str, Any]], values: list[float | None]) -> dict[str, float]:
    import optuna  # a second to import, and a sweep that varies one parameter needs none of it

    distributions = {path: _distribution([point[path] for point in points]) for path in points[0]}
    categorical = {
        p for p, d in distributions.items() if isinstance(d, optuna.distributions.CategoricalDistribution)
    }
    study = _silent_study()
    for point, value in zip(points, values, strict=True):
        params = {path: text(v) if path in categorical else v for path, v in point.items()}
        trial = optuna.trial.create_trial(params=params, distributions=distributions, value=value)
        study.add_trial(trial)
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


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
