"""Model-based samplers: Optuna suggests configurations as results come in.

The study is in memory. On resume it is filled again from storage, so TPE and GP continue from what was
observed, and CMA-ES starts again with its first generation. The same seed gives the same
suggestions where one trial runs at a time; with several, they depend on the order in which trials end.
"""

import math
import random
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState as OptunaState

from iwae.errors import ConfigError
from sweeps.plan.plan import trials_of
from sweeps.space.choosers import Point
from sweeps.spec.search import CmaEsSampler, GpSampler, TpeSampler
from sweeps.spec.spec import SweepSpec
from tracking.records.comparable.score import score_of
from tracking.records.records import PlannedTrial, SweepRecord, TrialRecord, TrialState

# Suggestions in a row that bring nothing new before a point is drawn at random, and such draws before the
# space counts as used up.
SUGGESTIONS = 20
DRAWS = 2000


def source_for(spec: SweepSpec, record: SweepRecord) -> "Suggester":
    """The sampler of a model-based sweep, knowing what ``record`` holds."""
    suggester = Suggester(spec)
    suggester.tell(record)
    return suggester


class Suggester:
    """Suggests configurations from the results of earlier ones; never the same one twice.

    Args:
        spec: a sweep with sampler ``tpe``, ``gp`` or ``cmaes``.
    """

    def __init__(self, spec: SweepSpec) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._spec = spec
        self._study = optuna.create_study(direction="minimize", sampler=_optuna_sampler(spec))
        self._random = random.Random(spec.search.sampler.seed)
        # By configuration key: the number of Optuna's trial, and the value it was told (None: no value).
        self._numbers: dict[str, int] = {}
        self._values: dict[str, float | None] = {}
        self._num_trials = 0

    def ask(self) -> list[PlannedTrial] | None:
        """The trials of one more configuration, one a seed; empty when there is none left.

        A suggestion that was made before, or that is not a valid configuration, is answered with what is
        known about it, and another one is asked for, so nothing is trained twice.
        """
        if len(self._numbers) >= (self._spec.search.num_trials or 0):
            return []
        for _ in range(SUGGESTIONS):
            suggestion = self._study.ask()
            trials = self._trials(self._spec.space.draw(_Suggest(suggestion)))
            if trials and trials[0].configuration_key not in self._numbers:
                return self._accept(trials, suggestion.number)
            value = self._values.get(trials[0].configuration_key) if trials else None
            if value is None:
                self._study.tell(suggestion, state=OptunaState.FAIL)
            else:
                self._study.tell(suggestion, value)
        return self._drawn_at_random()

    def tell(self, record: SweepRecord) -> None:
        """Learn the results of the configurations whose trials have all ended.

        A result is the mean over the seeds of what ranks the trials (``val/nll_final``). A pruned
        configuration counts as worse than every complete one (TPE) or is left out (GP, CMA-ES); a failed one
        is left out. Configurations that
        another process suggested are learned with their values; those still open count as running.
        """
        self._num_trials = max(self._num_trials, len(record.trials))
        for key, trials in record.configurations.items():
            if key not in self._numbers and not self._learn(trials[0].plan):
                continue
            if key not in self._values and all(trial.state.ended for trial in trials):
                state, value = _outcome(trials)
                self._study.tell(self._numbers[key], value, state=state)
                self._values[key] = value

    def _trials(self, overrides: Mapping[str, Any]) -> list[PlannedTrial]:
        try:
            return trials_of(self._spec, overrides, self._num_trials)
        except ConfigError:
            return []

    def _accept(self, trials: list[PlannedTrial], number: int) -> list[PlannedTrial]:
        self._numbers[trials[0].configuration_key] = number
        self._num_trials += len(trials)
        return trials

    def _drawn_at_random(self) -> list[PlannedTrial]:
        space = self._spec.space
        names = list(space.choices)
        for _ in range(DRAWS):
            trials = self._trials(space.draw(Point({name: self._random.random() for name in names})))
            if trials and trials[0].configuration_key not in self._numbers:
                self._learn(trials[0])
                return self._accept(trials, self._numbers[trials[0].configuration_key])
        return []

    def _learn(self, planned: PlannedTrial) -> bool:
        """Add a configuration that the study did not suggest as a running trial; False if it cannot."""
        choices = self._spec.space.locate(planned.overrides)
        if choices is None:
            return False
        replay = _Replay(choices)
        self._spec.space.draw(replay)
        trial = optuna.trial.create_trial(
            state=OptunaState.RUNNING, params=choices, distributions=replay.distributions
        )
        self._study.add_trial(trial)
        self._numbers[planned.configuration_key] = self._study.get_trials(deepcopy=False)[-1].number
        return True


def _outcome(trials: Sequence[TrialRecord]) -> tuple[OptunaState, float | None]:
    if any(trial.state is TrialState.PRUNED for trial in trials):
        return OptunaState.PRUNED, None
    finals = [trial.final[score_of(trial.config).final] for trial in trials if trial.final is not None]
    mean = math.fsum(finals) / len(finals) if len(finals) == len(trials) else math.nan
    return (OptunaState.COMPLETE, mean) if math.isfinite(mean) else (OptunaState.FAIL, None)


class _Suggest:
    """A chooser that asks an Optuna trial."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial

    def option(self, name: str, count: int) -> int:
        return int(self._trial.suggest_categorical(name, list(range(count))))

    def real(self, name: str, low: float, high: float, log: bool) -> float:
        return float(self._trial.suggest_float(name, low, high, log=log))

    def whole(self, name: str, low: int, high: int, step: int, log: bool) -> int:
        return int(self._trial.suggest_int(name, low, high, step=step, log=log))


class _Replay:
    """A chooser that repeats known choices and notes the distributions from which Optuna would draw them."""

    def __init__(self, choices: Mapping[str, Any]) -> None:
        self._choices = choices
        self.distributions: dict[str, BaseDistribution] = {}

    def option(self, name: str, count: int) -> int:
        self.distributions[name] = CategoricalDistribution(list(range(count)))
        return int(self._choices[name])

    def real(self, name: str, low: float, high: float, log: bool) -> float:
        self.distributions[name] = FloatDistribution(low, high, log=log)
        return float(self._choices[name])

    def whole(self, name: str, low: int, high: int, step: int, log: bool) -> int:
        self.distributions[name] = IntDistribution(low, high, step=step, log=log)
        return int(self._choices[name])


def _optuna_sampler(spec: SweepSpec) -> optuna.samplers.BaseSampler:
    sampler = spec.search.sampler
    with warnings.catch_warnings():
        # Grouping, constant liars and the GP are marked experimental; the tests hold what is relied on.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if isinstance(sampler, TpeSampler):
            return optuna.samplers.TPESampler(
                seed=sampler.seed,
                n_startup_trials=sampler.startup_trials,
                n_ei_candidates=sampler.candidates,
                multivariate=True,
                group=True,
                constant_liar=True,
            )
        if isinstance(sampler, GpSampler):
            return optuna.samplers.GPSampler(seed=sampler.seed, n_startup_trials=sampler.startup_trials)
        assert isinstance(sampler, CmaEsSampler)
        return optuna.samplers.CmaEsSampler(
            seed=sampler.seed,
            n_startup_trials=sampler.startup_trials,
            sigma0=sampler.sigma,
            popsize=sampler.population,
            warn_independent_sampling=False,
        )
