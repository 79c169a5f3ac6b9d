"""The sections of a sweep's spec beside ``base``: what is searched, how long, with what."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from iwae.limits import Count
from iwae.validation import Part, PartError

MAX_TRIALS = 10_000
METRIC = "val/nll_final"
MODEL_BASED = ("tpe", "gp", "cmaes")

_UNITS = {"h": 3600, "m": 60, "s": 1}
_BOUND = "a bound tightens with K, so it ranks K and not models"
_WHY_NOT = {
    "train/bound": _BOUND,
    "train/objective": _BOUND,
    "val/nll": "it is a curve over few samples and few images, which flatters small K",
}


def _seconds(value: Any) -> Any:
    if isinstance(value, str):
        match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?", value.strip())
        if match is None or not any(match.groups()):
            raise ValueError("seconds, or text such as 45s, 90m, 2h or 1h30m")
        return sum(float(n) * unit for n, unit in zip(match.groups(), _UNITS.values(), strict=True) if n)
    return value


Seconds = Annotated[
    float,
    Field(gt=0),
    BeforeValidator(_seconds),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": r"^(\d+h)?(\d+m)?(\d+(\.\d+)?s)?$", "minLength": 2},
            ]
        }
    ),
]


class GridSampler(Part):
    """Every combination, in order; the path written first varies slowest.

    Attributes:
        seed: not used: a grid draws nothing.
    """

    name: Literal["grid"]
    seed: int = Field(default=0, ge=0, lt=2**32)


class RandomSampler(Part):
    """Independent draws (Bergstra and Bengio 2012)."""

    name: Literal["random"]
    seed: int = Field(default=0, ge=0, lt=2**32)


class QmcSampler(Part):
    """A scrambled Sobol sequence: draws that cover the space evenly; best with 2, 4, 8, ... trials."""

    name: Literal["qmc"]
    seed: int = Field(default=0, ge=0, lt=2**32)


class TpeSampler(Part):
    """Tree-structured Parzen estimator (Bergstra et al. 2011), multivariate, grouped by condition.

    Attributes:
        startup_trials: configurations drawn at random before the model is used.
        candidates: points among which the best expected one is suggested.
    """

    name: Literal["tpe"]
    seed: int = Field(default=0, ge=0, lt=2**32)
    startup_trials: int = Field(default=10, ge=1, le=MAX_TRIALS)
    candidates: int = Field(default=24, ge=1, le=MAX_TRIALS)


class GpSampler(Part):
    """Gaussian process with log expected improvement; for spaces of a few parameters.

    Attributes:
        startup_trials: configurations drawn at random before the model is used.
    """

    name: Literal["gp"]
    seed: int = Field(default=0, ge=0, lt=2**32)
    startup_trials: int = Field(default=10, ge=1, le=MAX_TRIALS)


class CmaEsSampler(Part):
    """CMA-ES (Hansen) over the numeric parameters that are always present; the others are drawn at random.

    Attributes:
        startup_trials: configurations drawn at random before the first generation.
        population: configurations a generation; null is 4 + 3 ln(dimensions).
        sigma: first standard deviation, in units of the parameters' transformed ranges; null is a sixth of
            the narrowest.
    """

    name: Literal["cmaes"]
    seed: int = Field(default=0, ge=0, lt=2**32)
    startup_trials: int = Field(default=1, ge=1, le=MAX_TRIALS)
    population: int | None = Field(default=None, ge=2, le=MAX_TRIALS)
    sigma: float | None = Field(default=None, gt=0)


Sampler = Annotated[
    GridSampler | RandomSampler | QmcSampler | TpeSampler | GpSampler | CmaEsSampler,
    Field(discriminator="name"),
]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class SearchSpec(Part):
    """What is varied and how configurations are drawn.

    Attributes:
        metric: what ranks trials: −L at ``final_num_samples`` on validation data, at the end of training.
        space: for each path of the configuration ``{grid: [...]}``, ``{choice: [...]}``,
            ``{uniform: [low, high]}``, ``{loguniform: [low, high]}`` or ``{int: [low, high]}``.
        num_trials: number of configurations (not counting seeds); needed by every sampler but grid.
        seeds: replicates: every configuration is trained once with each.
    """

    metric: Annotated[str, WithJsonSchema({"const": METRIC})] = METRIC
    space: dict[str, Any]
    sampler: Sampler = GridSampler(name="grid")
    num_trials: int | None = Field(default=None, ge=1, le=MAX_TRIALS)
    seeds: Annotated[tuple[Seed, ...], Field(strict=False, min_length=1)] = (0,)

    @model_validator(mode="after")
    def _ranks_models(self) -> Self:
        if self.metric != METRIC:
            why = _WHY_NOT.get(self.metric, "")
            if self.metric.startswith("test/"):
                why = "test data are touched once and select nothing"
            raise PartError("metric", self.metric, METRIC + (f": {why}" if why else ""))
        return self

    @model_validator(mode="after")
    def _seeds_differ(self) -> Self:
        for index, seed in enumerate(self.seeds):
            if seed in self.seeds[:index]:
                first = self.seeds.index(seed)
                raise PartError(f"seeds[{index}]", seed, f"different from search.seeds[{first}]")
        return self

    @model_validator(mode="after")
    def _number_suits_sampler(self) -> Self:
        name = self.sampler.name
        if name == "grid" and self.num_trials is not None:
            raise PartError("num_trials", self.num_trials, "null when search.sampler.name is grid")
        if name != "grid" and self.num_trials is None:
            raise PartError("num_trials", "null", f"a whole number >= 1 when search.sampler.name is {name}")
        return self


class NoScheduler(Part):
    """Every trial runs to its end."""

    name: Literal["none"]


class AshaScheduler(Part):
    """Asynchronous successive halving (Li et al. 2020): at each rung only the best 1/η go on.

    Rungs lie at ``grace_epochs · η^i`` epochs. With several brackets, bracket s leaves out the first s rungs
    (Hyperband's hedge against slow starters); a trial's bracket is drawn at random, the early-stopping ones
    more often.

    Attributes:
        grace_epochs: first rung; null is the longest warm-up in the space, at least one evaluation.
        reduction_factor: η.
        brackets: number of brackets.
    """

    name: Literal["asha"]
    grace_epochs: Count | None = None
    reduction_factor: int = Field(default=3, ge=2, le=MAX_TRIALS)
    brackets: int = Field(default=1, ge=1, le=MAX_TRIALS)


class MedianScheduler(Part):
    """Median stopping (Golovin et al. 2017): a trial ends when its best is worse than the median of averages.

    Attributes:
        grace_epochs: epochs before a trial may end; null is the longest warm-up, at least one evaluation.
        min_trials: other trials that must have got as far before one may end.
    """

    name: Literal["median"]
    grace_epochs: Count | None = None
    min_trials: int = Field(default=3, ge=1, le=MAX_TRIALS)


Scheduler = Annotated[NoScheduler | AshaScheduler | MedianScheduler, Field(discriminator="name")]


class Budget(Part):
    """When to stop although trials are left; null has no limit.

    Attributes:
        wall_clock: of one `run` or `resume`: seconds, or text such as ``2h``, ``90m``, ``1h30m``.
        gpu_hours: that all trials of the sweep hold, every `resume` counted; a share of a GPU counts as such.
        cpu_hours: the same of CPUs, for sweeps without GPUs.
    """

    wall_clock: Seconds | None = None
    gpu_hours: float | None = Field(default=None, gt=0)
    cpu_hours: float | None = Field(default=None, gt=0)


class Resources(Part):
    """What a trial occupies.

    Attributes:
        cpus: CPUs of a trial; its number of threads is this, rounded down, at least 1.
        gpus: GPUs of a trial; 0.25 lets four share one.
        max_concurrent: most trials at once; null is as many as fit.
    """

    cpus: float = Field(default=1, gt=0)
    gpus: float = Field(default=0, ge=0)
    max_concurrent: int | None = Field(default=None, ge=1, le=MAX_TRIALS)

    @model_validator(mode="after")
    def _whole_above_one(self) -> Self:
        for name in ("cpus", "gpus"):
            amount = getattr(self, name)
            if amount > 1 and amount != int(amount):
                raise PartError(name, amount, "a whole number above 1")
        return self


class Tracking(Part):
    """What MLflow is told.

    Attributes:
        experiment: the MLflow experiment.
        figures: whether a trial stores samples, reconstructions and latents as pictures.
    """

    experiment: str = Field(default="iwae-sweeps", min_length=1)
    figures: bool = True
