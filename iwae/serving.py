"""The best model as MLflow serves it: images in, −L_K per image out. No MLflow: MLflow calls this.

model = mlflow.pyfunc.load_model("models:/m-...")
nll = model.predict(images, params={"num_samples": 1000})    # images [N, X] in [0, 1] -> nats [N]
means = model.predict(images, params={"output": "reconstruction"})    # -> [N, X]

Images are float32: an array, or a DataFrame with a row an image.
"""

from pathlib import Path
from typing import Any

import numpy as np

from iwae.trained import DEFAULT_SAMPLES, TrainedModel

OUTPUTS = ("nll", "reconstruction")


class ServedModel:
    """A trained model behind ``predict``, on the CPU.

    Args:
        path: the safetensors file of a trial.
    """

    def __init__(self, path: Path) -> None:
        self.trained = TrainedModel.load(path)

    def predict(self, images: Any, params: dict[str, Any] | None = None) -> np.ndarray:
        """Values for images; an image's value does not depend on the others.

        Args:
            images: as ``TrainedModel`` takes them.
            params: ``num_samples``, K of the bound; ``output``, ``nll`` for −L_K in nats, float32 ``[N]``,
                or ``reconstruction`` for the mean image at the posterior's mean, float32 ``[N, X]``.

        Raises:
            DataError: the images are not such as the model was trained on.
            ValueError: an output of another name, or K below 1.
        """
        given = {"num_samples": DEFAULT_SAMPLES, "output": "nll", **(params or {})}
        if given["output"] not in OUTPUTS:
            allowed = ", ".join(OUTPUTS)
            raise ValueError(f"output: {given['output']!r} is not allowed: must be one of {allowed}")
        if given["output"] == "reconstruction":
            return self.trained.reconstruct(images)
        nll: np.ndarray = -self.trained.log_likelihood(images, int(given["num_samples"]))
        return nll.astype(np.float32)


def _load_pyfunc(path: str) -> ServedModel:
    """MLflow's entry point; ``path`` is the safetensors file."""
    return ServedModel(Path(path))
