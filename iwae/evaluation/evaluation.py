"""How good a model is: −L_K with its standard error, ELBO, active units, effective sample size.

Samples are streamed: whatever K and the number of images, a block of rows (image × sample) is in memory at a
time. The noise of an image and a chunk of samples has a seed of its own, so that numbers do not depend on how
images are blocked.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from iwae.data.items import Items
from iwae.errors import NonFiniteError, Stopped
from iwae.evaluation.sample_sums import SampleSums
from iwae.model.protocol import Encoding, LatentModel, Model
from iwae.noise import noise_seed, rows_per_image
from iwae.objectives.bounds import log_weights
from iwae.randomness import derive

# Draws from one seed. Part of what a number means: another value gives other noise.
SAMPLES_PER_CHUNK = {"cpu": 100, "cuda": 1000}
# Activations in memory at a time: on the CPU enough rows to make up for the calls that a block costs.
BLOCK_BYTES = {"cpu": 16 * 2**20, "cuda": 512 * 2**20}
# Activations of a row that live at once, counted as layers of the widest.
TEMPORARIES = 4
# Variance of E[z_d|x] over images, or mean KL_d, above which latent d is active (Burda et al. 2016, §4).
ACTIVE_THRESHOLD = 0.01
# Neighbouring bytes are 1/255 apart in [0, 1], so the probability of a byte is its density there / 255.
BITS_OF_A_BYTE = math.log2(255)


@dataclass(frozen=True, kw_only=True)
class Likelihood:
    """Likelihoods of one model on one set of items, in nats.

    Attributes:
        nll: −log p(x), or minus a bound on it (−L_K for an estimate), mean over items.
        nll_stderr: standard error of that mean over items.
        nll_few: −L at the smaller number of samples, from the same draws; ``nll`` where none are drawn.
        nll_per_dim: nll / X of floats, in the data's own unit; None of pixels.
        bits_per_dim: nll / (X ln 2) of pixels; where it is the density of an intensity in [0, 1] log2(255)
            more, which makes it the probability of its byte. None of floats.
        log_p: of every item, float64 ``[N]``; its mean is −nll.
    """

    nll: float
    nll_stderr: float
    nll_few: float
    nll_per_dim: float | None
    bits_per_dim: float | None
    log_p: Tensor = field(repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class Evaluation(Likelihood):
    """A likelihood that is estimated from K importance samples, and what they say beside it.

    Attributes:
        nll_mc_error: Monte-Carlo standard error of ``nll`` on these images: how much other noise would move
            it; None with one sample, which says nothing about it.
        elbo: mean over images and samples of log w.
        active_units: latents whose E[z_d|x] varies over images by more than .01.
        layer_units: the same of each layer of latents, from the pixels inward.
        active_units_kl: latents whose mean KL_d is above .01; None where KL_d is not known.
        ess: effective sample size 1 / Σ w̃², mean over images; between 1 and K.
        mc_error: standard error of every ``log_p`` over the noise, float64 ``[N]``; None with one sample.
    """

    nll_mc_error: float | None
    elbo: float
    active_units: int
    layer_units: tuple[int, ...]
    active_units_kl: int | None
    ess: float
    mc_error: Tensor | None = field(repr=False, compare=False)


@torch.no_grad()
def evaluate(
    model: Model,
    items: Items,
    num_samples: int,
    *,
    few_num_samples: int | None = None,
    log_determinant: float = 0.0,
    purpose: str = "evaluation",
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Evaluation:
    """Evaluates ``model`` on ``items``.

    Args:
        model: its device is where it runs.
        items: N >= 2; bytes are binary (0 or 255) under a Bernoulli likelihood.
        num_samples: K.
        few_num_samples: the smaller number; at most K, None is K.
        log_determinant: added to every log-likelihood, for a density in the data's own unit.
        purpose: names the noise, for example ``test``.
        stopped: asked between blocks; true ends the evaluation.
        progress: told the fraction done, between blocks.

    Raises:
        Stopped: ``stopped()`` was true.
        NonFiniteError: a log-weight is NaN or infinite; its epoch is 0, for the caller to replace.
    """
    assert isinstance(model, LatentModel)
    few = min(few_num_samples or num_samples, num_samples)
    log_p, log_p_few, elbo, ess = (torch.zeros(len(items), dtype=torch.float64) for _ in range(4))
    means, kls = [], []
    block = _images_per_block(model, items.device.type)
    seed = derive(0, purpose)
    rows = rows_per_image(num_samples, SAMPLES_PER_CHUNK[items.device.type])
    for start in range(0, len(items), block):
        x = items[start : start + block].inputs()
        posterior = model.encode(x)
        means.append(model.unit_means(posterior))  # [B, D]
        if (kl := model.unit_kl(posterior)) is not None:
            kls.append(kl)  # [B, D]
        sums = SampleSums(len(x), few, x.device)
        seeds = partial(_block_seed, seed, start, rows)
        for log_w in _log_weight_chunks(model, x, posterior, num_samples, seeds):
            if stopped():
                raise Stopped
            sums.add(log_w)
            progress((start + len(x) * sums.count / num_samples) / len(items))
        part = slice(start, start + len(x))
        log_p[part] = (sums.log_sum - math.log(num_samples)).cpu()
        log_p_few[part] = (sums.log_sum_few - math.log(few)).cpu()
        elbo[part] = (sums.total / num_samples).cpu()
        ess[part] = torch.exp(2 * sums.log_sum - sums.log_sum_squares).cpu()
    for values in (log_p, log_p_few, elbo):
        values += log_determinant
    if not bool(torch.isfinite(log_p).all() and torch.isfinite(elbo).all()):
        wrong = next(value for value in (*log_p.tolist(), *elbo.tolist()) if not math.isfinite(value))
        raise NonFiniteError(0, "log-weight of the evaluation", wrong)
    nll = -float(log_p.mean())
    mc_error = monte_carlo_error(ess, num_samples)
    layers = torch.split(torch.cat(means), list(model.config.layers), 1)
    layer_units = tuple(active_units(layer) for layer in layers)
    return Evaluation(
        nll=nll,
        nll_stderr=float(log_p.std()) / math.sqrt(len(items)),
        nll_few=-float(log_p_few.mean()),
        nll_mc_error=None if mc_error is None else float(mc_error.square().sum().sqrt()) / len(items),
        elbo=float(elbo.mean()),
        nll_per_dim=nll / model.num_pixels if items.holds_floats else None,
        bits_per_dim=None if items.holds_floats else bits_per_dim(nll, model),
        active_units=sum(layer_units),
        layer_units=layer_units,
        active_units_kl=active_units_kl(torch.cat(kls)) if kls else None,
        ess=float(ess.mean()),
        log_p=log_p,
        mc_error=mc_error,
    )


def monte_carlo_error(ess: Tensor, num_samples: int) -> Tensor | None:
    """Standard error of log p̂ over the noise, nats, by the delta method: √((1/ESS − 1/K) K / (K − 1)).

    It is sd(w) / (√K mean(w)) of the K importance weights. A handful of effective samples makes it too small:
    a weight that was not drawn is not in it.

    Args:
        ess: effective sample size of every image, float64 ``[N]``.
        num_samples: K; with one there is no spread to be seen, and None.
    """
    if num_samples < 2:
        return None
    return ((1 / ess - 1 / num_samples).clamp_min(0) * (num_samples / (num_samples - 1))).sqrt()


def bits_per_dim(nll: float, model: Model) -> float:
    """Bits for a pixel's byte; under a Bernoulli likelihood for a binary pixel."""
    bits = nll / (model.num_pixels * math.log(2))
    return bits + BITS_OF_A_BYTE if model.is_density else bits


def active_units(means: Tensor) -> int:
    """Number of d with Var_x(E_q[z_d|x]) > .01, from posterior means ``[N, D]``."""
    return int((means.double().var(0, correction=0) > ACTIVE_THRESHOLD).sum())


def active_units_kl(kl: Tensor) -> int:
    """Number of d with mean_x KL_d > .01, from KLs ``[N, D]``; unlike Burda's it counts constant units."""
    return int((kl.double().mean(0) > ACTIVE_THRESHOLD).sum())


def _log_weight_chunks(
    model: LatentModel,
    x: Tensor,
    posterior: Encoding,
    num_samples: int,
    noise_seeds: Callable[[int, int], int],
) -> Iterator[Tensor]:
    """Log-weights ``[k, B]`` of the next k samples, with noise seeded by (image in block, chunk)."""
    chunk = SAMPLES_PER_CHUNK[x.device.type]
    source = torch.Generator(x.device)
    for index, done in enumerate(range(0, num_samples, chunk)):
        size = min(chunk, num_samples - done)
        samples, images, *rest = model.noise_shape(size, len(x))
        noise = torch.empty(images, samples, *rest, device=x.device)  # [B, k, ...]: an image's own noise
        for i, row in enumerate(noise):
            row.normal_(generator=source.manual_seed(noise_seeds(i, index)))
        yield log_weights(model.log_densities(x, size, noise=noise.transpose(0, 1), posterior=posterior))


def _block_seed(seed: int, first_image: int, rows: int, image: int, chunk: int) -> int:
    """The seed of the noise of a chunk of samples of an image, counted within its block."""
    return noise_seed(seed, first_image + image, chunk, rows)


def _images_per_block(model: LatentModel, device: str) -> int:
    row_bytes = 4 * (TEMPORARIES * model.widest)
    return max(1, BLOCK_BYTES[device] // (row_bytes * SAMPLES_PER_CHUNK[device]))
