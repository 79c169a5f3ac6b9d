"""Items that are no images: reconstructions beside the truth, and draws from the model beside the data."""

import numpy as np
from torch import Tensor

from iwae.data.dataset import Dataset
from iwae.data.items import Items
from iwae.evaluation.pictures.grids import SEED
from iwae.model.protocol import Model
from iwae.randomness import generator

MOST_ITEMS, MOST_FEATURES = 500, 64


def features(model: Model, dataset: Dataset, items: Items) -> dict[str, np.ndarray]:
    """Numbers in the data's own unit, of at most 500 test items and their first 64 features.

    Returns:
        ``reconstructed``: float32 ``[2, N, F]``, test items and their reconstructions. ``drawn``: float32
        ``[N, F]``, as many draws from the model: means of p(x|z) where it has latents. ``feature_names``:
        text, ``[F]``.
    """
    shown = items[:MOST_ITEMS]
    x, pixels = shown.inputs(), model.num_pixels
    both = [_shown(part[:, :pixels], dataset) for part in (x, model.reconstruct(x))]
    count = both[0].shape[1]
    names = dataset.feature_names or tuple(f"feature {place + 1}" for place in range(count))
    made = {"reconstructed": np.stack(both), "feature_names": np.array(names[:count])}
    if model.config.generates:
        told = x[:, pixels:] if model.num_attributes else None
        draws = model.sample(len(shown), generator(SEED, "pictures", items.device), told)
        made["drawn"] = _shown(draws, dataset)
    return made


def _shown(values: Tensor, dataset: Dataset) -> np.ndarray:
    own = values.double().cpu().numpy()
    if dataset.scaling is not None:
        own = dataset.scaling.undo(own)
    return own[:, :MOST_FEATURES].astype(np.float32)
