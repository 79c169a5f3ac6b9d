"""What a training step maximizes, and what it reports.

An objective owns the forward pass: it asks the model for densities and gives a surrogate for each group of
parameters, whose gradient is the step's. The trainer and the gradient's signal-to-noise ratio only
differentiate.

A new estimator is a file here, a class in ``iwae/config/objective.py`` whose ``built_by`` names it, and that
class in the union there.
"""

import pkgutil
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from iwae.config.objective import ObjectiveConfig
from iwae.model.densities import LogDensities
from iwae.model.protocol import Densities, LatentModel
from iwae.objectives.bounds import Weight

# What is reported of densities, summed over images beside the bound and the objective.
SUMMED = ("log_p_x_given_z", "log_p_z", "log_q_z_given_x", "kl")


class Weights(NamedTuple):
    """What annealing sets.

    Attributes:
        beta: β, which scales log p(z) − log q(z|x).
        entropy_weight: λ, which scales only log q(z|x) (Cremer et al. 2018).
    """

    beta: Weight = 1.0
    entropy_weight: Weight = 1.0

    @property
    def at_one(self) -> bool:
        """Whether nothing is weighed; False for what only the device knows, which is not read."""
        return all(isinstance(weight, float) and weight == 1 for weight in self)


class Surrogates(NamedTuple):
    """What is differentiated for each group of parameters; the same tensor twice is differentiated once.

    Attributes:
        encoder: for the encoder's parameters, ``[B]``, or a scalar where it is averaged over images.
        decoder: for all others, as ``encoder``.
    """

    encoder: Tensor
    decoder: Tensor

    @classmethod
    def joined(cls, chunks: Sequence["Surrogates"]) -> "Surrogates":
        """Of a minibatch, from those of its chunks, ``[b]`` each."""
        encoder = torch.cat([chunk.encoder for chunk in chunks])
        return cls(encoder, encoder if chunks[0].shared else torch.cat([chunk.decoder for chunk in chunks]))

    @property
    def shared(self) -> bool:
        """Whether one tensor serves both."""
        return self.encoder is self.decoder

    def each(self, function: Callable[[Tensor], Tensor]) -> "Surrogates":
        """``function`` of both, applied once where they are one."""
        encoder = function(self.encoder)
        return Surrogates(encoder, encoder if self.shared else function(self.decoder))


class StepTerms(NamedTuple):
    """What one forward pass of a step gives; log-densities in nats.

    Attributes:
        surrogates: to be differentiated, ``[B]``: higher is better. Their values mean nothing.
        objective: value of what is maximized, ``[B]``, detached.
        bound: the bound on log p(x) at weight 1, ``[B]``, detached.
        densities: of all K samples, for what is reported.
    """

    surrogates: Surrogates
    objective: Tensor
    bound: Tensor
    densities: LogDensities


class Objective(Protocol):
    """One gradient estimator of one bound; built from its configuration."""

    def step_terms(
        self,
        model: Densities,
        x: Tensor,
        weights: Weights,
        *,
        noise: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> StepTerms:
        """The forward pass for pixels ``[B, X]``.

        Each image is a term of its own, unless the configuration ``needs_whole_minibatch``.

        Args:
            model: gives the densities.
            x: pixels.
            weights: of the annealing at this step.
            noise: of the shape ``model.noise_shape(K, B)``; None draws it.
            generator: where it is drawn from.
        """


def build_objective(config: ObjectiveConfig) -> Objective:
    """The objective of ``config``."""
    built: Objective = pkgutil.resolve_name(config.built_by)(config)
    return built


@torch.no_grad()
def sums_of(terms: LogDensities) -> Tensor:
    """``SUMMED`` over images, means over samples, ``[4]``."""
    sampled = torch.stack(terms[:3]).sum((1, 2)) / terms.log_p_z.shape[0]  # [3, K, B] -> [3]
    return torch.cat((sampled, terms.kl.sum()[None]))


def backward(surrogates: Surrogates, model: LatentModel) -> None:
    """Adds the gradient of ``surrogates``, scalars, to the parameters of the model, each its group's."""
    if surrogates.shared:
        torch.autograd.backward(surrogates.encoder)
        return
    encoder = model.groups()["encoder"]
    rest = [p for p in model.parameters() if not any(p is known for known in encoder)]
    torch.autograd.backward(surrogates.encoder, inputs=encoder, retain_graph=True)
    torch.autograd.backward(surrogates.decoder, inputs=rest)


def gradients(surrogates: Surrogates, groups: dict[str, list[nn.Parameter]]) -> dict[str, tuple[Tensor, ...]]:
    """Gradients of ``surrogates``, scalars, with respect to each parameter of ``encoder`` and ``decoder``."""
    encoder, decoder = groups["encoder"], groups["decoder"]
    if surrogates.shared:
        found = torch.autograd.grad(surrogates.encoder, [*encoder, *decoder])
        return {"encoder": found[: len(encoder)], "decoder": found[len(encoder) :]}
    return {
        "encoder": torch.autograd.grad(surrogates.encoder, encoder, retain_graph=True),
        "decoder": torch.autograd.grad(surrogates.decoder, decoder),
    }
