"""The best model as MLflow serves it: images in, −L_K per image out. No MLflow: MLflow calls this.

model = mlflow.pyfunc.load_model("models:/m-...")
nll = model.predict(images, params={"num_samples": 1000})    # images [N, X] in [0, 1] -> nats [N]
means = model.predict(images, params={"output": "reconstruction"})    # -> [N, X]
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iwae.trainer import load

DEFAULT_SAMPLES = 100
OUTPUTS = ("nll", "reconstruction")
_LOG_WEIGHTS_AT_ONCE = 20_000
_SEED = 0


class ServedModel:
    """A trained model behind ``predict``; it calls its decoder and encoder in evaluation mode on the CPU.

    Args:
        path: the safetensors file of a trial.
    """

    def __init__(self, path: Path) -> None:
        self.model = load(path)
        self.model.eval()

    @torch.no_grad()
    def predict(self, images: Any, params: dict[str, Any] | None = None) -> np.ndarray:
        """Values for images.

        Args:
            images: ``[N, X]``, pixels in [0, 1] (0 or 1 for a Bernoulli likelihood); any N.
            params: ``num_samples``, K of the bound; ``output``, ``nll`` for −L_K in nats ``[N]`` or
                ``reconstruction`` for the mean image of the posterior's mean ``[N, X]``.

        Raises:
            ValueError: an output of another name, or K below 1.
        """
        given = {"num_samples": DEFAULT_SAMPLES, "output": "nll", **(params or {})}
        num_samples, output = int(given["num_samples"]), given["output"]
        if output not in OUTPUTS:
            raise ValueError(f"output: {output!r} is not allowed: must be one of {', '.join(OUTPUTS)}")
        if num_samples < 1:
            raise ValueError(f"num_samples: {num_samples} is not allowed: must be >= 1")
        x_NX = torch.as_tensor(np.asarray(images, dtype=np.float32))
        if output == "reconstruction":
            return self._reconstruct(x_NX).numpy()
        rows = max(1, _LOG_WEIGHTS_AT_ONCE // num_samples)
        with torch.random.fork_rng(devices=[]):  # the same images get the same numbers
            torch.manual_seed(_SEED)
            return torch.cat([self._nll(chunk, num_samples) for chunk in x_NX.split(rows)]).numpy()

    def _nll(self, x_NX: Tensor, num_samples: int) -> Tensor:
        log_w_KN = self.model.log_densities(x_NX, num_samples).log_weights
        return float(np.log(num_samples)) - log_w_KN.logsumexp(0)

    def _reconstruct(self, x_NX: Tensor) -> Tensor:
        raise NotImplementedError


def _load_pyfunc(path: str) -> ServedModel:
    """MLflow's entry point; ``path`` is the safetensors file."""
    return ServedModel(Path(path))
