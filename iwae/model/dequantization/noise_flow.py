"""q(u|x): what is added to bytes, as a conditional flow on (0, 1)^X (Ho et al. 2019, Flow++, §3.1)."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from iwae.config.model.dequantization import HIDDEN, couplings
from iwae.model.layers import dense

# The largest float32 below 1.
BELOW_ONE = 1 - 2**-24
# Log-scales of the flow are within ± this.
MAX_LOG_SCALE = 3.0


def _log_logistic(y: Tensor) -> Tensor:
    """Log-density of the standard logistic, and log du/dy of u = σ(y), summed over pixels."""
    return -(y + 2 * softplus(-y)).sum(-1)


def uniform_of(noise: Tensor) -> Tensor:
    """Φ(ε) of standard normal noise, in [0, 1). By erfc, since Φ itself has no rule for vmap."""
    return (0.5 * torch.erfc(-math.sqrt(0.5) * noise)).clamp_max(BELOW_ONE)


def _standard_logistic(noise: Tensor) -> Tensor:
    """The logit of Φ(ε), from the side where Φ is small and keeps its digits."""
    tail = 0.5 * torch.erfc(math.sqrt(0.5) * noise.abs())
    return noise.sign() * (torch.log1p(-tail) - tail.log())


def _bounded(log_scale: Tensor) -> Tensor:
    return MAX_LOG_SCALE * torch.tanh(log_scale / MAX_LOG_SCALE)


class Coupling(nn.Module):
    """Scales and shifts some pixels by what the others and the image say (Dinh et al. 2017).

    Its last layer starts at zero, where it changes nothing.

    Args:
        given: pixels that stay.
        changed: pixels that are changed.
    """

    def __init__(self, given: int, changed: int) -> None:
        super().__init__()
        (self.of_pixels,) = dense((given, HIDDEN), nn.ReLU)
        (self.of_image,) = dense((HIDDEN, HIDDEN), nn.ReLU)
        (self.last,) = dense((HIDDEN, 2 * changed), nn.ReLU)

    def forward(self, given: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Log-scale and shift ``[..., changed]``; of logits ``[..., given]`` and ``[B, H]`` of the image."""
        hidden = torch.relu(self.of_pixels(torch.sigmoid(given) - 0.5) + self.of_image(image))
        log_scale, shift = self.last(hidden).chunk(2, -1)
        return _bounded(log_scale), shift


class Context(NamedTuple):
    """What an image says of its u.

    Attributes:
        image: hidden units, ``[B, H]``.
        log_scale: of the base, ``[B, X]``.
        shift: of the base, ``[B, X]``.
    """

    image: Tensor
    log_scale: Tensor
    shift: Tensor


class Variational(nn.Module):
    """q(u|x): u = σ(y), y an affine flow of standard logistic noise that the image conditions.

    Every other pixel is one half of a coupling, its neighbours the other. At the start u is uniform.
    """

    _place: Tensor

    def __init__(self, num_pixels: int, generator: torch.Generator | None) -> None:
        super().__init__()
        even, odd = (num_pixels + 1) // 2, num_pixels // 2
        self._halves = [even, odd]
        (self.of_image,) = dense((num_pixels, HIDDEN), nn.ReLU)
        (self.base,) = dense((HIDDEN, 2 * num_pixels), nn.ReLU)
        halves = [(even, odd) if i % 2 == 0 else (odd, even) for i in range(couplings(num_pixels))]
        self.couplings = nn.ModuleList(Coupling(*half) for half in halves)
        order = torch.cat((torch.arange(0, num_pixels, 2), torch.arange(1, num_pixels, 2)))
        self.register_buffer("_place", order.argsort(), persistent=False)  # of every pixel in the halves
        if generator is not None:
            self._initialize(generator)

    @torch.no_grad()
    def _initialize(self, generator: torch.Generator) -> None:
        for name, layer in self.named_modules():
            if not isinstance(layer, nn.Linear):
                continue
            # What would change u starts at zero.
            limit = 0.0 if name.endswith(("base", "last")) else 1 / math.sqrt(max(1, layer.in_features))
            layer.weight.uniform_(-limit, limit, generator=generator)
            layer.bias.uniform_(-limit, limit, generator=generator)

    def context(self, x: Tensor) -> Context:
        """Of intensities ``[B, X]``."""
        image = torch.relu(self.of_image(2 * x - 1))
        log_scale, shift = self.base(image).chunk(2, -1)
        return Context(image, _bounded(log_scale), shift)

    def draw(self, noise: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        """Of standard normal noise ``[K, B, X]``: y, its pixels in the order of the halves, and log q(u|x).

        Returns:
            ``[K, B, X]`` and ``[K, B]``.
        """
        image, log_scale, shift = context
        start = _standard_logistic(noise)
        y = start * torch.exp(log_scale) + shift
        log_q = _log_logistic(start) - log_scale.sum(-1)
        parts = list(torch.split(y, self._halves, -1))
        for i, coupling in enumerate(self.couplings):
            given, changed = i % 2, 1 - i % 2
            scale, move = coupling(parts[given], image)
            parts[changed] = parts[changed] * torch.exp(scale) + move
            log_q = log_q - scale.sum(-1)
        y = torch.cat(parts, -1)
        return y, log_q - _log_logistic(y)

    def log_prob(self, y: Tensor, context: Context) -> Tensor:
        """Log q(u|x) ``[K, B]`` at u = σ(y), the flow the other way."""
        image, log_scale, shift = context
        log_q = -_log_logistic(y) - log_scale.sum(-1)
        parts = list(torch.split(y, self._halves, -1))
        for i, coupling in reversed(list(enumerate(self.couplings))):
            given, changed = i % 2, 1 - i % 2
            scale, move = coupling(parts[given], image)
            parts[changed] = (parts[changed] - move) * torch.exp(-scale)
            log_q = log_q - scale.sum(-1)
        start = (torch.cat(parts, -1) - shift) * torch.exp(-log_scale)
        return log_q + _log_logistic(start)

    def forward(self, y: Tensor, x: Tensor) -> Tensor:
        """``log_prob`` at the context of intensities ``[B, X]``."""
        return self.log_prob(y, self.context(x))

    def in_place(self, y: Tensor) -> Tensor:
        """The numbers u ``[K, B, X]``, in [0, 1) and in the order of the pixels."""
        return torch.sigmoid(y).index_select(-1, self._place).clamp_max(BELOW_ONE)
