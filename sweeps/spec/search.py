"""What a sweep tries: the space, the sampler and the seeds."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from iwae.config.part import Part, PartError
from sweeps.pace.equal_seconds import EqualSeconds

MAX_TRIALS = 10_000
METRIC = "val/nll_final"
# Of a sweep none of whose models has a likelihood.
RECONSTRUCTION = "val/reconstruction_mse_final"
MODEL_BASED = ("tpe", "gp", "cmaes")

_BOUND = "a bound tightens with K, so it ranks K and not models"
_WHY_NOT = {
    "train/bound": _BOUND,
    "train/objective": _BOUND,
    "val/nll": "it is a curve over few samples and few images, which flatters small K",
}


class GridSampler(Part):
    """Every combination, in order; the path written first varies slowest.

    Attributes:
        seed: has no effect: a grid draws nothing.
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


def _rule(value: Any) -> Any:
    if isinstance(value, bool):
        return {} if value else None
    if value is not None and not isinstance(value, Mapping | EqualSeconds):
        raise ValueError("true or false, or a mapping as in {seconds: 10m}")
    return value


def _or_true(schema: dict[str, Any]) -> None:
    schema["anyOf"].append({"type": "boolean"})


EqualTimes = Annotated[EqualSeconds | None, BeforeValidator(_rule), Field(json_schema_extra=_or_true)]


class SearchSpec(Part):
    """What is varied and how configurations are drawn.

    Attributes:
        metric: what ranks trials, on validation data at the end of training: ``val/nll_final`` (−L at
            ``final_num_samples``), or ``val/reconstruction_mse_final`` where no model has a likelihood.
        space: for each path of the configuration ``{grid: [...]}``, ``{choice: [...]}``,
            ``{uniform: [low, high]}``, ``{loguniform: [low, high]}`` or ``{int: [low, high]}``.
        num_trials: number of configurations (not counting seeds); needed by every sampler but grid.
        seeds: replicates: every configuration is trained once with each.
        equal_seconds: true trains every configuration for the time that ``base.num_epochs`` epochs of the
            slowest one take, ``{seconds: 10m}`` for another time; warm-up, learning rate and the distance
            between evaluations keep their shares of the training.
    """

    later: ClassVar[frozenset[str]] = frozenset({"equal_seconds"})

    metric: Annotated[str, WithJsonSchema({"enum": [METRIC, RECONSTRUCTION]})] = METRIC
    space: dict[str, Any]
    sampler: Sampler = GridSampler(name="grid")
    num_trials: int | None = Field(default=None, ge=1, le=MAX_TRIALS)
    seeds: Annotated[tuple[Seed, ...], Field(strict=False, min_length=1)] = (0,)
    equal_seconds: EqualTimes = None

    @model_validator(mode="after")
    def _ranks_models(self) -> Self:
        if self.metric not in (METRIC, RECONSTRUCTION):
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
