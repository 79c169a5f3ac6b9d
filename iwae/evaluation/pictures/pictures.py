"""Everything that is drawn of one model."""

import numpy as np
import torch

from iwae.data.dataset import Dataset
from iwae.data.items import Items
from iwae.evaluation.pictures.features import features
from iwae.evaluation.pictures.grids import grids
from iwae.evaluation.pictures.latent_map import latent_map
from iwae.model.protocol import Model

# Test items of which anything is drawn, at most.
MOST_ITEMS = 1000


@torch.no_grad()
def pictures(model: Model, dataset: Dataset, items: Items) -> dict[str, np.ndarray]:
    """Arrays to draw from, the same every time for the same model; what a model does not have is left out.

    Args:
        model: its device is where it runs.
        dataset: for the layout, labels, scaling and names of its items.
        items: the test items as they are evaluated.

    Returns:
        Of images the grids of ``grids``, of flat features the numbers of ``features``, and of both the
        ``latent_map``.
    """
    shown = items[:MOST_ITEMS]
    if dataset.layout.image_shape is None:
        made = features(model, dataset, shown)
    else:
        made = grids(model, dataset, shown)
    return {**made, **latent_map(model, dataset, shown)}
