"""TrainConfig: everything that decides what a trial computes, and nothing else.

Every limit is checked here, and a wrong value gets one line: "`path`: value is not allowed: must be ...".
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from iwae import yaml
from iwae.data_config import Binarization, DataConfig
from iwae.limits import MAX_SAMPLES, Count, EvaluationSamples, Images, Width, Widths
from iwae.optimization_config import (
    AnnealingConfig,
    CosineRate,
    CyclicalAnnealing,
    NoAnnealing,
    OptimizerConfig,
    StagedRate,
    WarmUp,
)
from iwae.validation import Part, PartError, parse

__all__ = [
    "Binarization",
    "CosineRate",
    "CyclicalAnnealing",
    "DataConfig",
    "EvaluationConfig",
    "ModelConfig",
    "NoAnnealing",
    "ObjectiveConfig",
    "OptimizerConfig",
    "StagedRate",
    "TrainConfig",
    "WarmUp",
    "flatten",
]

# The key of a trial does not depend on where it ran.
RUNTIME_FIELDS = frozenset({"device", "threads", "chunk_size"})


class ModelConfig(Part):
    """Encoder, decoder, posterior and likelihood.

    Attributes:
        hidden_dims: widths of the encoder's hidden layers, from the pixels inward.
        decoder_hidden_dims: widths of the decoder's, from the latents outward; null mirrors the encoder.
        latent_dim: D, the latent size.
        likelihood: ``bernoulli`` for binary pixels, ``gaussian`` for intensities in [0, 1].
        observation_std: standard deviation of the Gaussian likelihood, used as it is; ``learned`` is one
            shared scalar, kept above 9.1e-4.
        init: ``pytorch`` (each layer's own default) or ``glorot`` (uniform √(6/(in+out)), zero biases).
        output_bias: bias of the last layer: ``default`` (what init gives), ``zero``, or ``train_mean``
            (logit of the clipped mean of the training pixels, under ``threshold`` the rounded ones,
            Burda et al. 2016; the mean itself under a Gaussian).
    """

    hidden_dims: Widths = (400,)
    decoder_hidden_dims: Widths | None = None
    latent_dim: Width = 20
    activation: Literal["relu", "tanh", "elu"] = "relu"
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    observation_std: Annotated[float, Field(ge=1e-12, le=1e12)] | Literal["learned"] = "learned"
    init: Literal["pytorch", "glorot"] = "pytorch"
    output_bias: Literal["default", "zero", "train_mean"] = "default"

    @model_validator(mode="after")
    def _std_belongs_to_gaussian(self) -> Self:
        if self.likelihood == "bernoulli" and self.observation_std != "learned":
            raise PartError("observation_std", self.observation_std, "left out when likelihood is bernoulli")
        return self


class ObjectiveConfig(Part):
    """What is maximized.

    Attributes:
        name: ``vae`` is the ELBO with the analytic KL, ``multi-sample-vae`` the average of the K logs,
            ``iwae`` the log of the average (Burda et al. 2016, eq. 8).
        num_samples: K, the importance samples of a training step.
        beta: constant weight of log p(z) − log q(z|x) (of the KL, for ``vae``); annealing ends at it.
        free_bits: λ in nats per latent dimension: Σ_d max(λ, batch-mean KL_d) (Kingma et al. 2016).
    """

    name: Literal["vae", "multi-sample-vae", "iwae"] = "iwae"
    num_samples: int = Field(default=1, ge=1, le=MAX_SAMPLES)
    beta: float = Field(default=1.0, ge=0)
    free_bits: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _free_bits_are_for_the_elbo(self) -> Self:
        if self.free_bits > 0 and self.num_samples > 1:
            raise PartError(
                "free_bits", self.free_bits, "0 when num_samples > 1: free bits bound the ELBO only"
            )
        if self.free_bits > 0 and self.name != "vae":
            raise PartError("free_bits", self.free_bits, "0 unless name is vae: they need the analytic KL")
        return self


class EvaluationConfig(Part):
    """What is measured, on how much. Left-out values get the data set's default (``EVALUATION_DEFAULTS``).

    Attributes:
        every: epochs between evaluations on validation data; the last epoch is always evaluated.
        num_samples: importance samples of the per-epoch ``val/nll``.
        num_images: validation images of the per-epoch evaluation, the first so many; null is all.
        final_num_samples: importance samples of the final −L on validation and test data.
        final_num_images: images of each final evaluation, the first so many; null is all.
        few_num_samples: the smaller number of samples at which the final −L is printed as well.
        snr_num_draws: N, gradient draws of the final gradient signal-to-noise ratio; 0 leaves it out.
    """

    every: Count = 1
    num_samples: EvaluationSamples = 100
    num_images: Images | None = 1000
    final_num_samples: EvaluationSamples = 5000
    final_num_images: Images | None = None
    few_num_samples: EvaluationSamples = 100
    snr_num_draws: int = Field(default=100, ge=0, le=10**6)

    @model_validator(mode="after")
    def _few_is_not_more(self) -> Self:
        if self.few_num_samples > self.final_num_samples:
            limit = f"<= final_num_samples ({self.final_num_samples})"
            raise PartError("few_num_samples", self.few_num_samples, limit)
        return self

    @model_validator(mode="after")
    def _a_floor_needs_three_draws(self) -> Self:
        # With two draws |mean| / sd around 0 has no expectation.
        if self.snr_num_draws in (1, 2):
            raise PartError("snr_num_draws", self.snr_num_draws, "0 (leave it out) or >= 3")
        return self


# Filled in before validation, so that a recorded configuration holds the numbers that were used.
EVALUATION_DEFAULTS: Mapping[str, Mapping[str, int | None]] = {
    "digits": {"num_samples": 50, "num_images": None, "final_num_samples": 1000, "few_num_samples": 50},
}


class TrainConfig(Part):
    """One training run, complete: same configuration, device kind and threads, same bits.

    Attributes:
        seed: of initialization, shuffling, binarization and posterior noise.
        device: ``auto`` takes CUDA where there is one; not part of the key.
        threads: PyTorch's intra-op threads; null leaves them as they are; not part of the key.
        chunk_size: images that one forward and backward pass holds in memory; their gradients are summed, so
            that only the last bits of a step differ; null takes the minibatch whole; not part of the key.
    """

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    annealing: AnnealingConfig = NoAnnealing(name="none")
    optimizer: OptimizerConfig = OptimizerConfig()
    batch_size: Count = 100
    num_epochs: Count = 50
    evaluation: EvaluationConfig = EvaluationConfig()
    seed: int = Field(default=0, ge=0, lt=2**63)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(default=None, ge=1, le=10**5)
    chunk_size: Count | None = None

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
        filled = {**(EVALUATION_DEFAULTS.get(name, {}) if isinstance(name, str) else {}), **given}
        few, final = EvaluationConfig.model_fields["few_num_samples"].default, filled.get("final_num_samples")
        if "few_num_samples" not in given and isinstance(final, int):
            filled["few_num_samples"] = min(filled.get("few_num_samples", few), max(final, 1))
        return {**values, "evaluation": filled}

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        data, model, annealing = self.data, self.model, self.annealing
        if model.likelihood == "gaussian" and data.binarization != "none":
            raise PartError(
                "model.likelihood", "gaussian", "bernoulli on binary data, or data.binarization none"
            )
        if model.likelihood == "bernoulli" and data.binarization == "none" and data.name != "npz":
            raise PartError(
                "data.binarization", "none", f"dynamic, fixed or threshold: {data.name} has gray pixels"
                " and a Bernoulli likelihood needs 0 or 1",
            )  # fmt: skip
        if isinstance(annealing, WarmUp) and annealing.warmup_epochs > self.num_epochs:
            raise PartError(
                "annealing.warmup_epochs", annealing.warmup_epochs, f"<= num_epochs ({self.num_epochs})"
            )
        if isinstance(annealing, CyclicalAnnealing) and annealing.cycles > self.num_epochs:
            raise PartError("annealing.cycles", annealing.cycles, f"<= num_epochs ({self.num_epochs})")
        if self.objective.name == "vae" and getattr(annealing, "target", "beta") != "beta":
            raise PartError(
                "annealing.target", "entropy_weight", "beta when objective.name is vae: its KL is analytic"
            )
        if self.chunk_size is not None and self.objective.free_bits > 0:
            raise PartError(
                "chunk_size",
                self.chunk_size,
                "null with free bits: they need the minibatch's mean KL",
            )
        schedule = self.optimizer.schedule
        if isinstance(schedule, StagedRate) and sum(schedule.epochs) < self.num_epochs:
            raise PartError(
                "optimizer.schedule.epochs", list(schedule.epochs),
                f"at least num_epochs ({self.num_epochs}) in all",
            )  # fmt: skip
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

    def flat(self) -> dict[str, Any]:
        """Every leaf under its own path: ``{"objective.num_samples": 50, ...}``."""
        return flatten(self.to_dict())


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The leaves of nested mappings under dotted paths."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat
