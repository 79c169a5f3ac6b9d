"""Binary pixels whose log-odds the decoder gives."""

import importlib.util
import os
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from iwae.model.likelihood.likelihood import Likelihood

# Set to 0 to write the logits on a CUDA device too.
SWITCH = "IWAE_CUDA_FUSED"
# Pixels that are never on would get a bias of −∞ (Burda et al. 2016, the authors' code).
TRAIN_MEAN_CLIP = (0.001, 0.999)
# A product of n factors in [½, 1] is at least 2⁻ⁿ; float32 holds 2⁻¹²⁶.
MAX_FACTORS = 64
# Logits worked on at a time: on the CPU about what a core's cache holds.
BLOCK_BYTES = {"cpu": 2**20, "cuda": 2**30}


class Bernoulli(Likelihood):
    """The decoder's output is the logit of every pixel."""

    def log_prob(self, output: Tensor, x: Tensor) -> Tensor:
        """See ``bernoulli_log_likelihood``."""
        return bernoulli_log_likelihood(output, x)

    def log_prob_of_layer(self, hidden: Tensor, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
        """See ``bernoulli_layer``."""
        return bernoulli_layer(hidden, weight, bias, x)

    def mean(self, output: Tensor) -> Tensor:
        """The probability that the pixel is on."""
        return torch.sigmoid(output)

    @torch.no_grad()
    def quantile(self, output: Tensor, uniform: Tensor) -> Tensor:
        """0 below the probability of 0, and 1 above."""
        return (uniform > torch.sigmoid(-output)).to(output.dtype)

    def output_of_mean(self, mean: Tensor) -> Tensor:
        """Its logit, of a mean kept away from 0 and 1."""
        return torch.logit(mean.clamp(*TRAIN_MEAN_CLIP))


def bernoulli_layer(hidden: Tensor, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """Log-probability of binary pixels whose logits are a linear layer's output, W h + b.

    On a CUDA device one kernel, which keeps no logits, where Triton is installed and
    ``IWAE_CUDA_FUSED`` is not 0.

    Args:
        hidden: h, ``[K, B, H]``.
        weight: W, ``[X, H]``.
        bias: b, ``[X]``.
        x: pixels 0 or 1, ``[B, X]``.

    Returns:
        ``[K, B]``.
    """
    if _fuses(hidden, weight):
        # Imported here: Triton is a part of PyTorch for CUDA only, and takes a second.
        from iwae.model.likelihood.fused_cuda import fused_bernoulli_layer

        return fused_bernoulli_layer(hidden, weight, bias, x)
    return bernoulli_log_likelihood(linear(hidden, weight, bias), x)


def _fuses(hidden: Tensor, weight: Tensor) -> bool:
    # Offsets inside the kernel have 32 bits.
    suits = hidden.is_cuda and hidden.dtype == torch.float32 and weight.numel() < 2**31
    return suits and os.environ.get(SWITCH) != "0" and importlib.util.find_spec("triton") is not None


def bernoulli_log_likelihood(logits: Tensor, x: Tensor) -> Tensor:
    """Σ_i (x_i ℓ_i − softplus(ℓ_i)), the log-probability of binary pixels.

    Args:
        logits: ℓ, ``[K, B, X]``.
        x: pixels 0 or 1, ``[B, X]``.

    Returns:
        ``[K, B]``.
    """
    log_p: Tensor = _BernoulliLogLikelihood.apply(logits, x)
    return log_p


def _log_likelihood(logits: Tensor, sign: Tensor, scratch: Tensor) -> Tensor:
    """Of a part ``[N, k, B, X]``, with ``sign`` = 2 x − 1 and a buffer of the part's shape: ``[N, k, B]``.

    The probability of a pixel is σ(t) with t = ``sign`` ℓ, and log σ(t) = min(t, 0) + log σ(|t|). The factors
    σ(|t|) are in [½, 1]: many are multiplied before one logarithm is taken.
    """
    agreement = torch.mul(logits, sign, out=scratch)
    unlikely = agreement.clamp_max(0).sum(-1)
    return unlikely + torch.log(_products(agreement.abs_().sigmoid_())).sum(-1)


def _products(factors: Tensor) -> Tensor:
    """Products of up to ``MAX_FACTORS`` of the last dimension each, ``[..., X]`` -> ``[..., n]``."""
    *rows, pixels = factors.shape
    whole = pixels - pixels % MAX_FACTORS
    products = factors[..., :whole].view(*rows, whole // MAX_FACTORS, MAX_FACTORS).prod(-1)
    if whole == pixels:
        return products
    return torch.cat((products, factors[..., whole:].prod(-1, keepdim=True)), -1)


def _parts(logits: Tensor) -> Iterator[tuple[slice, slice]]:
    """Parts of ``[N, K, B, X]`` of about ``BLOCK_BYTES``: all models, or some samples of one of them."""
    most, (models, samples) = BLOCK_BYTES[logits.device.type], logits.shape[:2]
    if logits.numel() * logits.element_size() <= most:
        yield slice(None), slice(None)
        return
    size = max(1, most // (logits[0, 0].numel() * logits.element_size()))
    for model in range(models):
        for start in range(0, samples, size):
            yield slice(model, model + 1), slice(start, start + size)


def _by_model(info: Any, in_dims: tuple[int | None, ...], *tensors: Tensor) -> list[Tensor]:
    """Tensors of N models with the models first; pixels ``[N, B, X]`` become ``[N, 1, B, X]``."""
    logits, x, *rest = (
        tensor.unsqueeze(0).expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
        for tensor, dim in zip(tensors, in_dims, strict=True)
    )
    return [logits, x.unsqueeze(1), *rest]


class _BernoulliLogLikelihood(torch.autograd.Function):
    """Part by part, so that no temporary has the size of the logits.

    Under vmap there are N models: logits ``[N, K, B, X]`` and pixels ``[N, 1, B, X]``.
    """

    @staticmethod
    def forward(logits: Tensor, x: Tensor) -> Tensor:
        values = logits if logits.dim() == 4 else logits.unsqueeze(0)
        log_p = values.new_empty(values.shape[:-1])
        sign = (2 * x - 1).expand(len(values), 1, *x.shape[-2:])
        scratch: Tensor | None = None
        for models, samples in _parts(values):
            part = values[models, samples]
            scratch = torch.empty_like(part) if scratch is None else scratch  # the first part is the largest
            log_p[models, samples] = _log_likelihood(part, sign[models], scratch[:, : part.shape[1]])
        return log_p.view(logits.shape[:-1])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        logits, x = ctx.saved_tensors
        return _BernoulliGradient.apply(logits, x, gradients[0]), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], logits: Tensor, x: Tensor) -> tuple[Tensor, int]:
        return _BernoulliLogLikelihood.apply(*_by_model(info, in_dims, logits, x)), 0


class _BernoulliGradient(torch.autograd.Function):
    """(x − σ(ℓ)) times the gradient of the log-probability, as the logits; has no derivative of its own."""

    @staticmethod
    def forward(logits: Tensor, x: Tensor, gradient: Tensor) -> Tensor:
        values = logits if logits.dim() == 4 else logits.unsqueeze(0)
        result, pixels = torch.empty_like(values), x.expand(len(values), 1, *x.shape[-2:])
        scale = gradient.reshape(*values.shape[:-1], 1)
        for models, samples in _parts(values):
            part = torch.sigmoid(values[models, samples], out=result[models, samples])
            torch.sub(pixels[models], part, out=part).mul_(scale[models, samples])
        return result.view(logits.shape)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *tensors: Tensor) -> tuple[Tensor, int]:
        return _BernoulliGradient.apply(*_by_model(info, in_dims, *tensors)), 0
