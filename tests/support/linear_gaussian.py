"""Models whose log p(x) is known: linear decoders with Gaussian noise, as settings of the VAE itself."""

import math

import numpy as np
import torch
from torch import Tensor

from iwae.config.layout import Layout
from iwae.config.model import VAEConfig
from iwae.model.vae import VAE

# z ~ N(0, 1), x | z ~ N(1.5 z + .3, .5), x = 1.7: posterior N(.763636, .181818), log p = −1.781103.
X = 1.7
POSTERIOR_MEAN, POSTERIOR_VARIANCE = 0.763636, 0.181818
LOG_P = -1.781103


def one_dimensional(mean: float = POSTERIOR_MEAN + 0.3, variance: float = 1.3 * POSTERIOR_VARIANCE) -> VAE:
    """The model above with q = N(mean, variance), whatever x is."""
    return build(np.array([[1.5]]), np.array([0.3]), math.sqrt(0.5), np.array([mean]), np.array([variance]))


def build(W: np.ndarray, b: np.ndarray, std: float, mean: np.ndarray, variance: np.ndarray) -> VAE:
    """x | z ~ N(W z + b, std²) with a posterior N(mean, diag variance) that does not depend on x."""
    pixels, latents = W.shape
    config = VAEConfig(hidden_dims=(), latent_dim=latents, likelihood="gaussian", observation_std=std)
    model = VAE(config, Layout((pixels,))).double()
    state = {
        "encoder.0.weight": torch.zeros(2 * latents, pixels),
        "encoder.0.bias": torch.tensor(np.concatenate([mean, np.log(variance)])),
        "decoder.0.weight": torch.tensor(W),
        "decoder.0.bias": torch.tensor(b),
        "likelihood.log_std": torch.tensor(math.log(std), dtype=torch.float64),
    }
    model.load_state_dict(state)
    return model


def pixels(num_images: int, x: float = X) -> Tensor:
    """``[num_images, 1]``, every image the pixel ``x``."""
    return torch.full((num_images, 1), x, dtype=torch.float64)
