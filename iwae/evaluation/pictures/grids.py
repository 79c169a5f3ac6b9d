"""Grids of images: samples, reconstructions, ways through the latent space."""

import numpy as np
import torch
from torch import Tensor

from iwae.data.dataset import Dataset
from iwae.data.items import Items
from iwae.model.protocol import LatentModel, Model
from iwae.randomness import generator

SEED = 0
ROWS, COLUMNS, MOST_CLASSES = 8, 10, 20
TRAVERSED_LATENTS = 8
# Standard deviations of the prior that a traversal covers, from −3 to 3.
TRAVERSAL_RANGE = 3.0
# Images whose codes say which latents vary most.
IMAGES_FOR_ACTIVITY = 200


def grids(model: Model, dataset: Dataset, items: Items) -> dict[str, np.ndarray]:
    """uint8 arrays ``[rows, columns, *shape of an image]``.

    Returns:
        ``samples``: means of p(x|z) at draws from the prior. ``class_samples``: the same draws for each
        class, one a row, of a model that is told it. ``reconstructions``: rows of test images, each above the
        row of its reconstructions. ``interpolation``: from one test image to another, in the codes.
        ``traversals``: the most active latents, one a row, from −3 to 3.
    """
    device, pixels = items.device, model.num_pixels
    number = max(IMAGES_FOR_ACTIVITY, ROWS // 2 * COLUMNS, 2 * ROWS)
    x = items[:number].inputs()
    codes = model.codes(model.encode(x))
    first = x[: ROWS // 2 * COLUMNS]  # as many as are shown: some decoders draw pixel by pixel
    made = {"reconstructions": _pairs(first[:, :pixels], model.reconstruct(first)[:, :pixels])}
    if model.config.generates:
        told = None if model.layout.attributes_are_classes else _told(model, items, ROWS * COLUMNS)
        made["samples"] = model.sample(ROWS * COLUMNS, generator(SEED, "pictures", device), told)
    if model.num_attributes and model.layout.attributes_are_classes:
        made["class_samples"] = _of_each_class(model, device)
    if isinstance(model, LatentModel):
        units = codes.shape[-1] - model.num_attributes  # the attributes stay as they are
        made["interpolation"] = model.decode(_interpolation(codes, units))
        if model.config.generates:
            made["traversals"] = model.decode(_traversals(codes, units))
    return {name: _grid(made[name], dataset) for name in _ORDER if name in made}


_ORDER = ("samples", "class_samples", "reconstructions", "interpolation", "traversals")


def _told(model: Model, items: Items, number: int) -> Tensor | None:
    """Attributes of test items in turn, ``[number, Y]``; None for a model that is told none."""
    if not model.num_attributes or items.attributes is None:
        return None
    return items.attributes[torch.arange(number, device=items.device) % len(items)]


def _of_each_class(model: Model, device: torch.device) -> Tensor:
    """``[classes, COLUMNS, X]``: in each row another class, in each column the same draw from the prior."""
    classes = torch.eye(model.num_attributes, device=device)[:MOST_CLASSES]
    return torch.stack(
        [
            model.sample(COLUMNS, generator(SEED, "pictures by class", device), one.expand(COLUMNS, -1))
            for one in classes
        ]
    )


def _pairs(x: Tensor, reconstructed: Tensor) -> Tensor:
    """Rows of images, each above the row of their reconstructions: ``[2 · rows, COLUMNS, X]``."""
    columns = min(COLUMNS, len(x))
    rows = max(1, min(ROWS // 2, len(x) // columns))
    shown = slice(0, rows * columns)
    both = [part[shown].reshape(rows, columns, -1) for part in (x, reconstructed)]
    return torch.stack(both, 1).flatten(0, 1)


def _interpolation(codes: Tensor, told: int) -> Tensor:
    """``[rows, COLUMNS, D]``: straight lines between the codes of two images, what is told of the first."""
    rows = min(ROWS, len(codes) // 2)
    share = torch.linspace(0, 1, COLUMNS, device=codes.device)[:, None]
    lines = torch.lerp(codes[:rows, None], codes[rows : 2 * rows, None], share)
    lines[..., told:] = codes[:rows, None, told:]
    return lines


def _traversals(codes: Tensor, told: int) -> Tensor:
    """``[latents, COLUMNS, D]``: the first image's code with one latent moved through the prior."""
    activity = codes[:, :told].var(0, correction=0)
    latents = activity.argsort(descending=True, stable=True)[:TRAVERSED_LATENTS]
    steps = torch.linspace(-TRAVERSAL_RANGE, TRAVERSAL_RANGE, COLUMNS, device=codes.device)
    z = codes[0].repeat(len(latents), COLUMNS, 1)
    for row, latent in enumerate(latents):
        z[row, :, latent] = steps
    return z


def _grid(pixels: Tensor, dataset: Dataset) -> np.ndarray:
    """``[rows, columns, X]`` or ``[rows · columns, X]`` as bytes ``[rows, columns, *shape]``."""
    if pixels.ndim == 2:
        pixels = pixels.reshape(-1, COLUMNS, pixels.shape[-1])
    rows, columns, _ = pixels.shape
    shades = _shades(pixels, dataset).clamp(0, 1)
    array: np.ndarray = (shades * 255).round().to(torch.uint8).cpu().numpy()
    return array.reshape(rows, columns, *dataset.layout.shape)


def _shades(pixels: Tensor, dataset: Dataset) -> Tensor:
    """Pixels in [0, 1]: floats in their own unit, from the smallest to the largest of the training images."""
    if dataset.holds_bytes:
        return pixels
    own = _own_unit(dataset.train[:1000], dataset)
    low, high = own.min(), own.max()
    return (_own_unit(pixels, dataset) - low) / (high - low).clamp_min(torch.finfo(torch.float64).tiny)


def _own_unit(values: Tensor, dataset: Dataset) -> Tensor:
    found = values.double().cpu().numpy()
    return torch.from_numpy(found if dataset.scaling is None else dataset.scaling.undo(found))
