"""The best model as MLflow serves it: items in, what `output` names out. No MLflow: MLflow calls this.

model = mlflow.pyfunc.load_model("models:/m-...")
nll = model.predict(images, params={"num_samples": 1000})             # images [N, X] -> nats [N]
table = model.predict(images, params={"output": "embeddings"})        # z_mean_0 ..., z_std_0 ...
means = model.predict(images, params={"output": "reconstruction"})    # -> [N, X]
drawn = model.predict(images[:0], params={"output": "samples", "num": 16, "seed": 1})    # -> [16, X]

Items are float64, an array or a DataFrame with a row an item: pixels in [0, 1], other data in their own unit.
Of a conditional model the attributes (of labels: 0 and a 1 at the class) stand behind them, ``[N, X + Y]``.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from iwae.trained import DEFAULT_SAMPLES, Embeddings, TrainedModel

if TYPE_CHECKING:
    import pandas as pd

# What may be given beside the items, with its default; None is "not given".
PARAMS: dict[str, Any] = {
    "output": "nll",
    "num_samples": DEFAULT_SAMPLES,
    "seed": 0,
    "num": 16,
    "label": None,
}
OUTPUTS = ("nll", "embeddings", "reconstruction", "samples")


class ServedModel:
    """A trained model behind ``predict``, on the CPU.

    Args:
        path: the safetensors file of a trial.
    """

    def __init__(self, path: Path) -> None:
        self.trained = TrainedModel.load(path)

    def predict(self, images: Any, params: dict[str, Any] | None = None) -> "np.ndarray | pd.DataFrame":
        """Values for items; an item's value does not depend on the others.

        Args:
            images: as ``TrainedModel`` takes them; ``samples`` does not look at them.
            params: ``output``: ``nll``, −log p(x) in nats as ``TrainedModel.log_likelihood`` has it, ``[N]``;
                ``embeddings``, a table of means and standard deviations, a row an item; ``reconstruction``,
                the mean item at the posterior's mean, ``[N, X]``; ``samples``, ``[num, X]``.
                ``num_samples``: K of the bound. ``seed``, ``num``, ``label``: of samples.

        Raises:
            DataError: the items are not such as the model was trained on.
            UserError: the model's family has no such output.
            ValueError: an output of another name, or a number that is not allowed.
        """
        given = {**PARAMS, **(params or {})}
        if given["output"] not in OUTPUTS:
            allowed = ", ".join(OUTPUTS)
            raise ValueError(f"output: {given['output']!r} is not allowed: must be one of {allowed}")
        if given["output"] == "samples":
            label = None if given["label"] is None else int(given["label"])
            return self.trained.sample(int(given["num"]), int(given["seed"]), label)
        if given["output"] == "reconstruction":
            return self.trained.reconstruct(images)
        if given["output"] == "embeddings":
            return table_of(self.trained.embed(images))
        return -self.trained.log_likelihood(images, int(given["num_samples"]))


def table_of(embeddings: Embeddings) -> "pd.DataFrame":
    """A row an item: ``z_mean_0``, ... and, where there are standard deviations, ``z_std_0``, ..."""
    import pandas as pd  # MLflow has it; a worker that trains does not load it

    columns = {f"z_mean_{d}": column for d, column in enumerate(embeddings.means.T)}
    if embeddings.stds is not None:
        columns |= {f"z_std_{d}": column for d, column in enumerate(embeddings.stds.T)}
    return pd.DataFrame(columns)


def _load_pyfunc(path: str) -> ServedModel:
    """MLflow's entry point; ``path`` is the safetensors file."""
    return ServedModel(Path(path))
