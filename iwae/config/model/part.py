"""What every family's configuration has, and says of its models."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from iwae.config.data import DataConfig
from iwae.config.layout import Layout
from iwae.config.model.sizes import Floats, Flops
from iwae.config.objective import ObjectivePart
from iwae.config.part import Part, PartError

Likelihood = Literal["bernoulli", "gaussian", "discretized-logistic"]
Evidence = Literal["estimate", "bound", "exact", "none"]


class ModelPart(Part, ABC):
    """A family's configuration.

    A class of its own gives ``name`` its values, says what builds it, and has ``latent_dim`` and
    ``likelihood``, as a field or a property.
    """

    built_by: ClassVar[str]

    name: str

    @abstractmethod
    def flops(self, layout: Layout) -> Flops:
        """The operations of a forward pass, for items of this layout."""

    @abstractmethod
    def floats(self, layout: Layout) -> Floats:
        """What a training step holds, for items of this layout."""

    @property
    def evidence(self) -> Evidence:
        """What its log-likelihood is.

        ``estimate``: L_K, which tends to log p(x) from below as K grows. ``bound``: a lower bound on log p(x)
        that more samples do not tighten. ``exact``: log p(x). ``none``: it has no likelihood.
        """
        return "estimate"

    @property
    def conditional(self) -> bool:
        """Whether it is told attributes: its likelihood is then of x given y."""
        return False

    @property
    def layers(self) -> tuple[int, ...]:
        """Latent units of each layer, from the pixels inward."""
        latent_dim: int = getattr(self, "latent_dim", 0)
        return (latent_dim,)

    @property
    def num_units(self) -> int:
        """Latent units in all."""
        return sum(self.layers)

    @property
    def latent_label(self) -> str:
        """The latent size in names and tables: ``20``, or ``100+50`` of two layers."""
        return "+".join(map(str, self.layers))

    @property
    def title(self) -> str:
        """What names and tables call it."""
        return self.name

    @property
    def size_label(self) -> str:
        """Its size in names: ``D=20``."""
        return f"D={self.latent_label}"

    @property
    def analytic_kl(self) -> bool:
        """Whether KL(q(z|x) ‖ p(z)) has a closed form."""
        return True

    @property
    def gaussian_posterior(self) -> bool:
        """Whether q(z|x) is a factorized Gaussian over all latent units."""
        return True

    @property
    def packs(self) -> bool:
        """Whether many models can be trained as one, by ``torch.func.vmap`` over their parameters."""
        return True

    @property
    def generates(self) -> bool:
        """Whether it has a distribution to draw items from."""
        return True

    @property
    def fitted(self) -> bool:
        """Whether it is fitted in closed form or by EM, and not by gradients."""
        return False

    @property
    def closed_form(self) -> bool:
        """Whether its first step is the whole fit, and later ones change nothing."""
        return False

    @property
    def most_samples(self) -> int | None:
        """The largest K that means anything; None for any."""
        return None

    def samples(self, asked: int) -> int:
        """How many importance samples are drawn where so many are asked for."""
        return asked if self.most_samples is None else min(asked, self.most_samples)

    def check_layout(self, layout: Layout) -> None:
        """Refuses items that this model cannot be built for.

        Raises:
            ConfigError: as it says.
        """

    def check_run(self, data: DataConfig, objective: ObjectivePart) -> None:
        """Refuses a run that this model cannot be trained in.

        Raises:
            PartError: its path is one of the whole configuration.
        """
        most = self.most_samples
        if most is not None and objective.num_samples > most:
            why = f"<= {most} when model.name is {self.name}: its code of an image is always the same"
            raise PartError("objective.num_samples", objective.num_samples, why)
        if objective.aggressive_encoder and not (self.gaussian_posterior and not self.conditional):
            why = "off with this model: the mutual information that ends it needs a Gaussian q(z|x)"
            raise PartError("objective.aggressive.name", "until-mi-stalls", why)
        if objective.needs_analytic_kl and not self.analytic_kl:
            raise PartError(
                "objective.name",
                objective.name,
                "iwae or multi-sample-vae without free bits: the KL of this model has no closed form",
            )
