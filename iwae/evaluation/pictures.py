"""What a model makes of images, as arrays for others to draw. Test images are shown, never measured."""

import numpy as np
import torch
from torch import Tensor

from iwae.config.data import Binarization
from iwae.data.dataset import Dataset
from iwae.data.pixels import evaluation_pixels, intensities
from iwae.model.protocol import Model
from iwae.randomness import generator

SEED = 0
ROWS, COLUMNS = 8, 10
TRAVERSED_LATENTS = 8
# Standard deviations of the prior that a traversal covers, from −3 to 3.
TRAVERSAL_RANGE = 3.0
# Images whose posterior means say which latents vary most.
IMAGES_FOR_ACTIVITY = 200


@torch.no_grad()
def pictures(model: Model, dataset: Dataset) -> dict[str, np.ndarray]:
    """Of images, uint8 arrays ``[rows, columns, *shape]``, the same every time for the same model.

    Returns:
        ``samples``: means of p(x|z) at draws from the prior. ``reconstructions``: rows of test images,
        each above the row of its reconstructions. ``interpolation``: from one test image to another, in
        the posterior means. ``traversals``: the most active latents, one a row, from −3 to 3.
    """
    if not dataset.holds_bytes or dataset.layout.image_shape is None or model.config.conditional:
        return {}
    device = dataset.test.device
    number = max(IMAGES_FOR_ACTIVITY, ROWS // 2 * COLUMNS, 2 * ROWS)
    kind: Binarization = "fixed" if model.config.likelihood == "bernoulli" else "none"
    x = intensities(evaluation_pixels(dataset.test[:number].to(device), kind, "pictures"))
    mean = model.unit_means(model.encode(x))  # [N, D]
    grids = {
        "samples": model.sample(ROWS * COLUMNS, generator(SEED, "pictures", device)),
        "reconstructions": _pairs(x, model.decode(mean)),
        "interpolation": model.decode(_interpolation(mean)),
        "traversals": model.decode(_traversals(mean)),
    }
    return {name: _grid(grid, dataset.layout.shape) for name, grid in grids.items()}


def _pairs(x: Tensor, reconstructed: Tensor) -> Tensor:
    """Rows of images, each above the row of their reconstructions: ``[2 · rows, COLUMNS, X]``."""
    columns = min(COLUMNS, len(x))
    rows = max(1, min(ROWS // 2, len(x) // columns))
    shown = slice(0, rows * columns)
    both = [part[shown].reshape(rows, columns, -1) for part in (x, reconstructed)]
    return torch.stack(both, 1).flatten(0, 1)


def _interpolation(mean: Tensor) -> Tensor:
    """``[rows, COLUMNS, D]``: straight lines between the posterior means of two images each."""
    rows = min(ROWS, len(mean) // 2)
    share = torch.linspace(0, 1, COLUMNS, device=mean.device)[:, None]
    return torch.lerp(mean[:rows, None], mean[rows : 2 * rows, None], share)


def _traversals(mean: Tensor) -> Tensor:
    """``[latents, COLUMNS, D]``: the first image's mean with one latent moved through the prior."""
    latents = mean.var(0, correction=0).argsort(descending=True, stable=True)[:TRAVERSED_LATENTS]
    steps = torch.linspace(-TRAVERSAL_RANGE, TRAVERSAL_RANGE, COLUMNS, device=mean.device)
    z = mean[0].repeat(len(latents), COLUMNS, 1)
    for row, latent in enumerate(latents):
        z[row, :, latent] = steps
    return z


def _grid(pixels: Tensor, shape: tuple[int, ...]) -> np.ndarray:
    """``[rows, columns, X]`` or ``[rows · columns, X]`` in [0, 1] as bytes ``[rows, columns, *shape]``."""
    if pixels.ndim == 2:
        pixels = pixels.reshape(-1, COLUMNS, pixels.shape[-1])
    rows, columns, _ = pixels.shape
    array: np.ndarray = (pixels.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    return array.reshape(rows, columns, *shape)
