"""TrainConfig: everything that decides what a trial computes, and nothing else.

Every limit is checked here, and a wrong value gets one line: "`path`: value is not allowed: must be ...".
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from iwae.config import yaml
from iwae.config.catalogue import CATALOGUE
from iwae.config.data import TABLES, DataConfig
from iwae.config.evaluation import EvaluationConfig
from iwae.config.layout import Layout
from iwae.config.limits import Count
from iwae.config.model import Floats, Flops, ModelConfig, VAEConfig
from iwae.config.model.dequantization import dequantization_cost
from iwae.config.objective import BoundConfig, ObjectiveConfig
from iwae.config.optimizer import OptimizerConfig
from iwae.config.part import WHOLE, Part, PartError, parse
from iwae.config.schedules import (
    AnnealingConfig,
    CyclicalAnnealing,
    NoAnnealing,
    StagedRate,
    WarmUp,
)

# The key of a trial does not depend on where it ran.
RUNTIME_FIELDS = frozenset({"device", "threads", "chunk_size", "activation_bytes"})
MIB = 2**20
# A probability of binary pixels, of bytes, or a density of what the file holds.
Measure = Literal["binary", "byte", "density"]


class TrainConfig(Part):
    """One training run, complete: same configuration, device kind and threads, same bits.

    Attributes:
        seed: of initialization, shuffling, binarization and posterior noise.
        device: ``auto`` takes CUDA where there is one; not part of the key.
        threads: PyTorch's intra-op threads; null leaves them as they are; not part of the key.
        chunk_size: images of a forward and backward pass at most; gradients of the passes are summed, so that
            only the last bits of a step differ; null leaves it to ``activation_bytes``; not part of the key.
        activation_bytes: memory for what a pass holds for its gradient. A minibatch that needs more is taken
            in chunks of images, and where one image needs more, its samples are (their activations are then
            computed twice); only the last bits of a step differ; not part of the key.
    """

    later: ClassVar[frozenset[str]] = frozenset({"activation_bytes"})

    data: DataConfig = DataConfig()
    model: ModelConfig = VAEConfig()
    objective: ObjectiveConfig = BoundConfig()
    annealing: AnnealingConfig = NoAnnealing(name="none")
    optimizer: OptimizerConfig = OptimizerConfig()
    batch_size: Count = 100
    num_epochs: Count = 50
    evaluation: EvaluationConfig = EvaluationConfig()
    seed: int = Field(default=0, ge=0, lt=2**63)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(default=None, ge=1, le=10**5)
    chunk_size: Count | None = None
    activation_bytes: int = Field(default=1024 * MIB, ge=MIB, le=2**50)

    @model_validator(mode="before")
    @classmethod
    def _fill_evaluation_defaults(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        data = values.get("data", {})
        name = data.get("name") if isinstance(data, Mapping) else getattr(data, "name", None)
        given = values.get("evaluation", {})
        if not isinstance(given, Mapping):
            return values
        known = CATALOGUE.get(name) if isinstance(name, str) else None
        filled = {**(known.evaluation if known else {}), **given}
        few, final = EvaluationConfig.model_fields["few_num_samples"].default, filled.get("final_num_samples")
        if "few_num_samples" not in given and isinstance(final, int):
            filled["few_num_samples"] = min(filled.get("few_num_samples", few), max(final, 1))
        return {**values, "evaluation": filled}

    @model_validator(mode="after")
    def _model_fits_run(self) -> Self:
        self.model.check_run(self.data, self.objective)
        return self

    @model_validator(mode="after")
    def _likelihood_fits_data(self) -> Self:
        data, model = self.data, self.model
        if model.likelihood in ("gaussian", "discretized-logistic") and data.binarization != "none":
            raise PartError(
                "model.likelihood", model.likelihood, "bernoulli on binary data, or data.binarization none"
            )
        if data.dequantization != "none" and model.likelihood != "gaussian":
            raise PartError(
                "data.dequantization",
                data.dequantization,
                f"none when model.likelihood is {model.likelihood}: only a continuous likelihood needs it",
            )
        if data.name in TABLES and self.measure != "density":
            raise PartError("model.likelihood", model.likelihood, f"gaussian: {data.name} has floats")
        if model.likelihood == "bernoulli" and data.binarization == "none" and data.name != "npz":
            raise PartError(
                "data.binarization",
                "none",
                f"dynamic, fixed or threshold: {data.name} has gray pixels"
                " and a Bernoulli likelihood needs 0 or 1",
            )
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        annealing = self.annealing
        if isinstance(annealing, WarmUp) and annealing.warmup_epochs > self.num_epochs:
            raise PartError(
                "annealing.warmup_epochs", annealing.warmup_epochs, f"<= num_epochs ({self.num_epochs})"
            )
        if isinstance(annealing, CyclicalAnnealing) and annealing.cycles > self.num_epochs:
            raise PartError("annealing.cycles", annealing.cycles, f"<= num_epochs ({self.num_epochs})")
        self.objective.check_run(getattr(annealing, "target", "beta"), self.chunk_size)
        schedule = self.optimizer.schedule
        if isinstance(schedule, StagedRate) and sum(schedule.epochs) < self.num_epochs:
            raise PartError(
                "optimizer.schedule.epochs",
                list(schedule.epochs),
                f"at least num_epochs ({self.num_epochs}) in all",
            )
        return self

    @classmethod
    def parse(cls, values: Any, path: str = "") -> Self:
        """The configuration in ``values``.

        Args:
            values: a mapping, as from YAML or JSON.
            path: what stands before every path in an error, for example ``base``.

        Raises:
            ConfigError: a key is unknown, or a value is not allowed.
        """
        return parse(cls, values, path)

    @classmethod
    def from_yaml(cls, text: str) -> Self:
        """The configuration in a YAML (or JSON) document."""
        return cls.parse(yaml.load(text))

    def to_yaml(self) -> str:
        """The complete configuration, defaults included, as YAML."""
        return yaml.dump(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """The complete configuration, defaults included, as plain JSON data."""
        return self.model_dump(mode="json")

    def canonical_json(self) -> str:
        """Sorted JSON without fields that equal their defaults and those that say where it runs."""
        values = self.model_dump(mode="json", exclude_defaults=True, exclude=set(RUNTIME_FIELDS))
        return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @property
    def key(self) -> str:
        """SHA-256 of the canonical JSON, in hexadecimal: the identity of a trial, seed included."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()

    @property
    def configuration_key(self) -> str:
        """The key without the seed: the identity of what seeds are replicates of."""
        return self.model_copy(update={"seed": type(self).model_fields["seed"].default}).key

    @property
    def measure(self) -> Measure:
        """What the likelihood is a probability of: likelihoods of two measures are never compared."""
        if self.model.likelihood == "bernoulli":
            return "binary"
        of_bytes = self.model.likelihood == "discretized-logistic" or self.data.dequantization != "none"
        return "byte" if of_bytes else "density"

    @property
    def gradient_draws(self) -> int:
        """Draws of the final gradient signal-to-noise ratio: none where a gradient has no noise."""
        return 0 if self.model.most_samples == 1 else self.evaluation.snr_num_draws

    def flops(self, layout: Layout) -> Flops:
        """The operations of a forward pass, for items of this layout."""
        model, cost = (
            self.model.flops(layout),
            dequantization_cost(self.data.dequantization, layout.num_pixels),
        )
        return Flops(model.encode + cost.encode, model.decode + cost.decode)

    def floats(self, layout: Layout) -> Floats:
        """What a training step holds, for items of this layout."""
        model, cost = (
            self.model.floats(layout),
            dequantization_cost(self.data.dequantization, layout.num_pixels),
        )
        return Floats(
            model.parameters + cost.parameters,
            model.image + cost.image,
            model.sample + cost.sample,
            model.noise + cost.noise,
        )

    def flat(self, *, whole: bool = False) -> dict[str, Any]:
        """Every leaf under its own path: ``{"objective.num_samples": 50, ...}``.

        Args:
            whole: with the leaves that are recorded only where they are not at their default.
        """
        return flatten(self.model_dump(mode="json", context=WHOLE) if whole else self.to_dict())


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The leaves of nested mappings under dotted paths."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat
