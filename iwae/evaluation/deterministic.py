"""Likelihoods that no noise is drawn for: log p(x) where it is known, or the bound of a single code."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from iwae.data.items import Items
from iwae.errors import NonFiniteError, Stopped
from iwae.evaluation.evaluation import Likelihood, bits_per_dim
from iwae.model.protocol import FittedModel, LatentModel, Model
from iwae.objectives.bounds import log_weights

# Items at a time: few enough for a model that works them out pixel by pixel.
BLOCK = 500


@torch.no_grad()
def deterministic_likelihood(
    model: Model,
    items: Items,
    *,
    log_determinant: float = 0.0,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Likelihood:
    """Log p(x) of a fitted model, or the bound on it of a model that codes an item always the same.

    Args:
        model: its device is where it runs.
        items: N >= 2.
        log_determinant: added to every log-likelihood, for a density in the data's own unit.
        stopped: asked between blocks; true ends the evaluation.
        progress: told the fraction done, between blocks.

    Raises:
        Stopped: ``stopped()`` was true.
        NonFiniteError: a log-likelihood is NaN or infinite; its epoch is 0, for the caller to replace.
    """
    found = [_log_p(model, x).double().cpu() for x in blocks(items, stopped, progress)]
    log_p = torch.cat(found) + log_determinant
    if not bool(torch.isfinite(log_p).all()):
        wrong = next(value for value in log_p.tolist() if not math.isfinite(value))
        raise NonFiniteError(0, "log-likelihood of the evaluation", wrong)
    nll = -float(log_p.mean())
    stderr = float(log_p.std()) / math.sqrt(len(items))
    return Likelihood(
        nll=nll,
        nll_stderr=stderr,
        nll_few=nll,
        nll_per_dim=nll / model.num_pixels if items.holds_floats else None,
        bits_per_dim=None if items.holds_floats else bits_per_dim(nll, model),
        log_p=log_p,
    )


def _log_p(model: Model, x: Tensor) -> Tensor:
    if isinstance(model, FittedModel):
        return model.log_evidence(x)
    assert isinstance(model, LatentModel)
    noise = torch.zeros(model.noise_shape(1, len(x)), device=x.device)
    return log_weights(model.log_densities(x, 1, noise=noise))[0]


def blocks(items: Items, stopped: Callable[[], bool], progress: Callable[[float], None]) -> Iterator[Tensor]:
    """What a model sees of the items, ``BLOCK`` at a time: ``[B, X + Y]``.

    Raises:
        Stopped: ``stopped()`` was true.
    """
    for start in range(0, len(items), BLOCK):
        if stopped():
            raise Stopped
        yield items[start : start + BLOCK].inputs()
        progress(min(1.0, (start + BLOCK) / len(items)))
