"""ObjectiveConfig: what is maximized."""

from typing import Literal, Self

from pydantic import Field, model_validator

from iwae.config.limits import MAX_SAMPLES
from iwae.config.part import Part, PartError


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
