"""Where items lie in the latent space: a map of their codes in two dimensions, with their classes."""

import numpy as np

from iwae.data.dataset import Dataset
from iwae.data.items import Items
from iwae.model.protocol import Model

FEWEST_ITEMS = 3


def latent_map(model: Model, dataset: Dataset, items: Items) -> dict[str, np.ndarray]:
    """The posterior means of test items on a plane; nothing of codes with fewer than two dimensions.

    Returns:
        ``latent_map``: float32 ``[N, 2]``, the two latent units, or of more the two principal components of
        the means. ``latent_axes``: what the two are, text. ``classes``: int64 ``[N]``, and ``class_names``,
        where the set has labels.
    """
    means = model.unit_means(model.encode(items.inputs())).double().cpu().numpy()
    if means.shape[1] < 2 or len(means) < FEWEST_ITEMS or not np.isfinite(means).all():
        return {}
    places, axes = _plane(means)
    made = {"latent_map": places.astype(np.float32), "latent_axes": np.array(axes)}
    if dataset.labels is not None:
        made["classes"] = dataset.labels.test[: len(items)].cpu().numpy()
        made["class_names"] = np.array(dataset.labels.names)
    return made


def _plane(means: np.ndarray) -> tuple[np.ndarray, list[str]]:
    if means.shape[1] == 2:
        return means, ["latent unit 1", "latent unit 2"]
    centred = means - means.mean(0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    axes = directions[:2]
    # A direction has no sign of its own: the largest entry is positive.
    axes = axes * np.sign(axes[np.arange(2), np.abs(axes).argmax(1)])[:, None]
    shares = sizes**2 / max(float((sizes**2).sum()), np.finfo(float).tiny)
    names = [
        f"{which} principal component ({100 * share:.0f} %)"
        for which, share in zip(("first", "second"), shares, strict=False)
    ]
    return centred @ axes.T, names
