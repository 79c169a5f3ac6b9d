"""log p̂ of every image of the final evaluation, as arrays: what a paired test over images needs."""

import hashlib
from collections.abc import Mapping

import numpy as np

from iwae.config.train import TrainConfig
from iwae.data.items import Items
from iwae.evaluation.evaluation import Evaluation
from iwae.evaluation.measure import Measured


def image_likelihoods(
    config: TrainConfig, evaluated: Mapping[str, tuple[Items, Measured]]
) -> dict[str, np.ndarray]:
    """The numbers of each image of each split.

    Args:
        config: of the trial.
        evaluated: by split, its items and what was measured on them.

    Returns:
        ``num_samples`` of the evaluation, ``measure`` (what log p is of, as text), and for each split
        ``<split>_log_p`` (float64 ``[N]``, nats), ``<split>_mc_error`` (float32 ``[N]``, nats, the standard
        error over the noise; left out with one sample) and ``<split>_pixels`` (SHA-256 of the images: two
        trials with the same one saw the same pixels).
        Nothing where the model has no likelihood.
    """
    arrays: dict[str, np.ndarray] = {
        "num_samples": np.array(config.evaluation.final_num_samples),
        "measure": np.array(_measure(config)),
    }
    for split, (items, measured) in evaluated.items():
        if (likelihood := measured.likelihood) is None:
            return {}
        arrays[f"{split}_log_p"] = likelihood.log_p.numpy()
        if isinstance(likelihood, Evaluation) and likelihood.mc_error is not None:
            arrays[f"{split}_mc_error"] = likelihood.mc_error.float().numpy()
        content = np.ascontiguousarray(items.values.cpu().numpy())
        arrays[f"{split}_pixels"] = np.array(hashlib.sha256(content.tobytes()).hexdigest())
    return arrays


def _measure(config: TrainConfig) -> str:
    """``byte, uniform dequantization, given y``: what two log-likelihoods must both be of to be compared."""
    noise = config.data.dequantization
    parts = (
        config.measure,
        f"{noise} dequantization" if noise != "none" else "",
        "given y" if config.model.conditional else "",
    )
    return ", ".join(filter(None, parts))
