"""All that is measured of one model on one set of items, whatever its family can be asked."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from iwae.data.items import Items
from iwae.errors import NonFiniteError
from iwae.evaluation.deterministic import blocks, deterministic_likelihood
from iwae.evaluation.evaluation import Likelihood, evaluate
from iwae.model.protocol import LatentModel, Model
from iwae.scaling import Scaling


@dataclass(frozen=True)
class Measured:
    """What is known of a model on a set of items.

    Attributes:
        likelihood: in nats; None where the model has none.
        reconstruction_mse: mean over items and their numbers of (x − x̂)², with x̂ the mean of p(x|z) at the
            posterior's mean, or the code's item; of pixels in [0, 1], of floats in the data's own unit.
            None where it was not asked for.
    """

    likelihood: Likelihood | None
    reconstruction_mse: float | None


def measure(
    model: Model,
    items: Items,
    num_samples: int,
    *,
    few_num_samples: int | None = None,
    scaling: Scaling | None = None,
    reconstruct: bool = True,
    purpose: str = "evaluation",
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Measured:
    """Measures ``model`` on ``items``: its likelihood of the kind that it has, and its reconstructions.

    Args:
        model: its device is where it runs.
        items: N >= 2; bytes are binary (0 or 255) under a Bernoulli likelihood.
        num_samples: K, where the likelihood is an estimate.
        few_num_samples: the smaller number; at most K, None is K.
        scaling: of the data, where they were scaled.
        reconstruct: whether to measure reconstructions beside a likelihood; without one they always are.
        purpose: names the noise, for example ``test``.
        stopped: asked between blocks; true ends the evaluation.
        progress: told the fraction done of what takes longest, between blocks.

    Raises:
        Stopped: ``stopped()`` was true.
        NonFiniteError: a number is NaN or infinite; its epoch is 0, for the caller to replace.
    """
    evidence = model.config.evidence
    likelihood: Likelihood | None = None
    log_determinant = 0.0 if scaling is None else scaling.log_determinant
    if evidence == "estimate":
        assert isinstance(model, LatentModel)
        likelihood = evaluate(
            model,
            items,
            num_samples,
            few_num_samples=few_num_samples,
            log_determinant=log_determinant,
            purpose=purpose,
            stopped=stopped,
            progress=progress,
        )
    elif evidence != "none":
        likelihood = deterministic_likelihood(
            model, items, log_determinant=log_determinant, stopped=stopped, progress=progress
        )
    error = None
    if reconstruct or likelihood is None:
        told = progress if likelihood is None else lambda fraction: None
        error = reconstruction_mse(model, items, scaling, stopped=stopped, progress=told)
    return Measured(likelihood, error)


@torch.no_grad()
def reconstruction_mse(
    model: Model,
    items: Items,
    scaling: Scaling | None = None,
    *,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[float], None] = lambda fraction: None,
) -> float:
    """See ``Measured``, and ``measure`` for the arguments and what is raised."""
    unit = torch.ones(model.num_pixels, dtype=torch.float64)
    if scaling is not None:
        unit = torch.from_numpy(scaling.scale)
    unit, total = unit.to(items.device), 0.0
    for x in blocks(items, stopped, progress):
        error = (model.reconstruct(x) - x[:, : model.num_pixels]).double() * unit
        total += float(error.square().sum())
    if not math.isfinite(total):
        raise NonFiniteError(0, "reconstruction error", total)
    return total / (len(items) * model.num_pixels)
