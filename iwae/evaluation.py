"""How good a model is: −L_K with its standard error, ELBO, active units, effective sample size.

Samples are streamed: whatever K and the number of images, a block of rows (image × sample) is in memory at a
time. The noise of an image and a chunk of samples has a seed of its own, so that numbers do not depend on how
images are blocked.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from iwae.binarization import intensities
from iwae.errors import NonFiniteError, Stopped
from iwae.generators import derive
from iwae.model import VAE, Posterior
from iwae.objectives import log_weights

# Draws from one seed. Part of what a number means: another value gives other noise.
SAMPLES_PER_CHUNK = {"cpu": 100, "cuda": 1000}
# Activations in memory at a time: on the CPU enough rows to make up for the calls that a block costs.
BLOCK_BYTES = {"cpu": 16 * 2**20, "cuda": 512 * 2**20}
# Activations of a row that live at once, counted as layers of the widest.
TEMPORARIES = 4
# Variance of E[z_d|x] over images, or mean KL_d, above which latent d is active (Burda et al. 2016, §4).
ACTIVE_THRESHOLD = 0.01
# Spreads the seeds of (image, chunk) over 32 bits; odd, so that no two share a seed.
MAX_CHUNKS = 4096
SEED_STRIDE = 2_654_435_761


@dataclass(frozen=True)
class Evaluation:
    """Numbers of one model on one set of images; likelihoods in nats.

    Attributes:
        nll: −L_K, mean over images.
        nll_stderr: standard error of that mean over images.
        nll_few: −L at the smaller number of samples, from the same draws.
        elbo: mean over images and samples of log w.
        bits_per_dim: nll / (X ln 2).
        active_units: latents whose E[z_d|x] varies over images by more than .01.
        active_units_kl: latents whose mean KL_d is above .01.
        ess: effective sample size 1 / Σ w̃², mean over images; between 1 and K.
    """

    nll: float
    nll_stderr: float
    nll_few: float
    elbo: float
    bits_per_dim: float
    active_units: int
    active_units_kl: int
    ess: float


@torch.no_grad()
def evaluate(
    model: VAE,
    images: Tensor,
    num_samples: int,
    *,
    few_num_samples: int | None = None,
    purpose: str = "evaluation",
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Evaluation:
    """Evaluates ``model`` on ``images``.

    Args:
        model: its device is where it runs.
        images: bytes ``[N, X]``, N >= 2, binary (0 or 255) under a Bernoulli likelihood.
        num_samples: K.
        few_num_samples: the smaller number; at most K, None is K.
        purpose: names the noise, for example ``test``.
        stopped: asked between blocks; true ends the evaluation.
        progress: told the fraction done, between blocks.

    Raises:
        Stopped: ``stopped()`` was true.
        NonFiniteError: a log-weight is NaN or infinite; its epoch is 0, for the caller to replace.
    """
    few = min(few_num_samples or num_samples, num_samples)
    log_p, log_p_few, elbo, ess = (torch.zeros(len(images), dtype=torch.float64) for _ in range(4))
    means, kls = [], []
    block = _images_per_block(model, images.device.type)
    seed = derive(0, purpose)
    for start in range(0, len(images), block):
        x = intensities(images[start : start + block])
        posterior = model.encode(x)
        means.append(posterior.mean)
        kls.append(posterior.kl())
        sums = _Streams(len(x), few, x.device)
        seeds = partial(_block_seed, seed, start)
        for log_w in _log_weight_chunks(model, x, posterior, num_samples, seeds):
            if stopped():
                raise Stopped
            sums.add(log_w)
            progress((start + len(x) * sums.count / num_samples) / len(images))
        part = slice(start, start + len(x))
        log_p[part] = (sums.log_sum - math.log(num_samples)).cpu()
        log_p_few[part] = (sums.log_sum_few - math.log(few)).cpu()
        elbo[part] = (sums.total / num_samples).cpu()
        ess[part] = torch.exp(2 * sums.log_sum - sums.log_sum_squares).cpu()
    if not bool(torch.isfinite(log_p).all() and torch.isfinite(elbo).all()):
        wrong = next(value for value in (*log_p.tolist(), *elbo.tolist()) if not math.isfinite(value))
        raise NonFiniteError(0, "log-weight of the evaluation", wrong)
    nll = -float(log_p.mean())
    return Evaluation(
        nll=nll,
        nll_stderr=float(log_p.std()) / math.sqrt(len(images)),
        nll_few=-float(log_p_few.mean()),
        elbo=float(elbo.mean()),
        bits_per_dim=nll / (model.num_pixels * math.log(2)),
        active_units=active_units(torch.cat(means)),
        active_units_kl=active_units_kl(torch.cat(kls)),
        ess=float(ess.mean()),
    )


def active_units(means: Tensor) -> int:
    """Number of d with Var_x(E_q[z_d|x]) > .01, from posterior means ``[N, D]``."""
    return int((means.double().var(0, correction=0) > ACTIVE_THRESHOLD).sum())


def active_units_kl(kl: Tensor) -> int:
    """Number of d with mean_x KL_d > .01, from KLs ``[N, D]``; unlike Burda's it counts constant units."""
    return int((kl.double().mean(0) > ACTIVE_THRESHOLD).sum())


class _Streams:
    """Running sums over the samples of a block of images, each float64 ``[B]``."""

    def __init__(self, num_images: int, few: int, device: torch.device) -> None:
        self.log_sum = torch.full((num_images,), -torch.inf, dtype=torch.float64, device=device)
        self.log_sum_squares = self.log_sum.clone()
        self.log_sum_few = self.log_sum.clone()
        self.total = torch.zeros_like(self.log_sum)
        self.count = 0
        self._few = few

    def add(self, log_w: Tensor) -> None:
        """Takes the log-weights ``[k, B]`` of the next k samples."""
        log_w = log_w.double()
        top = log_w.amax(0)
        weights = torch.exp(log_w - top)
        log_sum = weights.sum(0).log() + top
        log_sum_squares = weights.square().sum(0).log() + 2 * top
        left = self._few - self.count
        if left > 0:
            first = log_sum if left >= log_w.shape[0] else torch.logsumexp(log_w[:left], 0)
            self.log_sum_few = torch.logaddexp(self.log_sum_few, first)
        self.log_sum = torch.logaddexp(self.log_sum, log_sum)
        self.log_sum_squares = torch.logaddexp(self.log_sum_squares, log_sum_squares)
        self.total += log_w.sum(0)
        self.count += log_w.shape[0]


def _log_weight_chunks(
    model: VAE,
    x: Tensor,
    posterior: Posterior,
    num_samples: int,
    noise_seeds: Callable[[int, int], int],
) -> Iterator[Tensor]:
    """Log-weights ``[k, B]`` of the next k samples, with noise seeded by (image in block, chunk)."""
    chunk = SAMPLES_PER_CHUNK[x.device.type]
    source = torch.Generator(x.device)
    for index, done in enumerate(range(0, num_samples, chunk)):
        size = min(chunk, num_samples - done)
        noise = torch.empty(len(x), size, posterior.mean.shape[-1], device=x.device)
        for i, row in enumerate(noise):
            row.normal_(generator=source.manual_seed(noise_seeds(i, index)))
        yield log_weights(model.log_densities(x, size, noise=noise.transpose(0, 1), posterior=posterior))


def _block_seed(seed: int, first_image: int, image: int, chunk: int) -> int:
    """The 32-bit seed of the noise of a chunk of samples of an image, counted within its block."""
    return (seed + SEED_STRIDE * ((first_image + image) * MAX_CHUNKS + chunk)) % 2**32


def _images_per_block(model: VAE, device: str) -> int:
    config = model.config
    widest = max((model.num_pixels, *config.hidden_dims, *(config.decoder_hidden_dims or ())))
    row_bytes = 4 * (TEMPORARIES * widest)
    return max(1, BLOCK_BYTES[device] // (row_bytes * SAMPLES_PER_CHUNK[device]))
