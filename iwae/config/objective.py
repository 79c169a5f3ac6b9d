"""ObjectiveConfig: what is maximized, and by which gradient estimator; one class an estimator."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from iwae.config.limits import MAX_SAMPLES
from iwae.config.part import Part, PartError, default_name


class ObjectivePart(Part):
    """What every objective has. A class of its own gives ``name`` its values, and says what builds it.

    Attributes:
        num_samples: K, the importance samples of a training step.
        beta: constant weight of log p(z) − log q(z|x) (of the KL, for ``vae``); annealing ends at it.
    """

    built_by: ClassVar[str]

    name: str
    num_samples: int = Field(default=1, ge=1, le=MAX_SAMPLES)
    beta: float = Field(default=1.0, ge=0)

    def check_run(self, annealed: str, chunk_size: int | None) -> None:
        """Refuses a run that this objective cannot be trained in.

        Args:
            annealed: what the annealing weighs, ``beta`` or ``entropy_weight``.
            chunk_size: images of a forward pass; None is the whole minibatch.

        Raises:
            PartError: its path is one of the whole configuration.
        """


class BoundConfig(ObjectivePart):
    """A bound on log p(x), by its own gradient through the reparameterized samples.

    Attributes:
        name: ``vae`` is the ELBO with the analytic KL, ``multi-sample-vae`` the average of the K logs,
            ``iwae`` the log of the average (Burda et al. 2016, eq. 8).
        num_samples: K, the importance samples of a training step.
        beta: constant weight of log p(z) − log q(z|x) (of the KL, for ``vae``); annealing ends at it.
        free_bits: λ in nats per latent dimension: Σ_d max(λ, batch-mean KL_d) (Kingma et al. 2016).
    """

    built_by: ClassVar[str] = "iwae.objectives.bound_objective:BoundObjective"

    name: Literal["vae", "multi-sample-vae", "iwae"] = "iwae"
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

    def check_run(self, annealed: str, chunk_size: int | None) -> None:
        """The analytic KL has no entropy to weigh apart, and free bits need the whole minibatch."""
        if self.name == "vae" and annealed != "beta":
            raise PartError(
                "annealing.target", annealed, "beta when objective.name is vae: its KL is analytic"
            )
        if chunk_size is not None and self.free_bits > 0:
            raise PartError(
                "chunk_size", chunk_size, "null with free bits: they need the minibatch's mean KL"
            )


# The registry: a new estimator is one more class in the union.
ObjectiveConfig = Annotated[BoundConfig, Field(discriminator="name"), default_name("iwae")]
