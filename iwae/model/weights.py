"""A trained model in one safetensors file; in its metadata what it was trained by, on items of which layout.

The configuration names the model's family; one without a name is a ``vae``.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.torch
from torch import Tensor

from iwae.config.layout import Layout
from iwae.config.train import TrainConfig
from iwae.errors import CheckpointError
from iwae.model.build import build_model
from iwae.model.protocol import Model
from iwae.scaling import Scaling

FILE_NAME = "model.safetensors"


class Trained(NamedTuple):
    """A model with its trained parameters on the CPU, and what it was trained by.

    Attributes:
        model: in evaluation mode.
        config: of the run.
        scaling: of the data, where they were scaled.
    """

    model: Model
    config: TrainConfig
    scaling: Scaling | None = None


def weights_bytes(model: Model, config: TrainConfig, scaling: Scaling | None = None) -> bytes:
    """The content of a safetensors file: parameters on the CPU, and in the metadata one entry of JSON."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    trained: dict[str, Any] = {
        "config": config.to_dict(),
        "layout": asdict(model.layout),
    }
    if scaling is not None:
        trained["scaling"] = {"shift": scaling.shift.tolist(), "scale": scaling.scale.tolist()}
    # One entry: several are written in no fixed order, and the same model must give the same bytes.
    return safetensors.torch.save(tensors, {"trained": json.dumps(trained)})


def save_weights(model: Model, config: TrainConfig, path: Path | str, scaling: Scaling | None = None) -> None:
    """Writes ``weights_bytes`` to ``path``."""
    Path(path).write_bytes(weights_bytes(model, config, scaling))


def load(path: Path | str) -> Model:
    """The model in a safetensors file, or in the folder that holds ``model.safetensors``; on the CPU.

    Raises:
        CheckpointError: there is no such file, or it is not one that ``save_weights`` wrote.
    """
    return load_trained(path).model


def load_trained(path: Path | str) -> Trained:
    """What ``load`` gives, with its configuration.

    Raises:
        CheckpointError: as ``load``.
    """
    file = Path(path).expanduser()
    file = file / FILE_NAME if file.is_dir() else file
    if not file.is_file():
        raise CheckpointError(
            f"{file} is not there: must be a safetensors file, or a folder with {FILE_NAME}"
        )
    try:
        with safetensors.safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{file} cannot be read as a safetensors file: {error}") from None
    if not {"trained", "config"} & set(metadata):
        raise CheckpointError(
            f"{file} has no configuration in its metadata: must be a file written by a trial"
        )
    trained = json.loads(metadata["trained"]) if "trained" in metadata else _before(metadata, tensors)
    config = TrainConfig.parse(trained["config"])
    layout = Layout(**{**trained["layout"], "shape": tuple(trained["layout"]["shape"])})
    scaled = trained.get("scaling")
    try:
        model = build_model(config, layout)
        model.load_state_dict(tensors)
    except (RuntimeError, KeyError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{file} does not fit the configuration in its metadata: {reason}") from None
    scaling = None if scaled is None else Scaling(np.array(scaled["shift"]), np.array(scaled["scale"]))
    return Trained(model.eval(), config, scaling)


def _before(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """What a file of before there were layouts says: its model is dense, and knows the number of pixels."""
    first = tensors.get("encoder.0.weight")  # [units, X]
    pixels = 0 if first is None else first.shape[-1]
    return {"config": json.loads(metadata["config"]), "layout": {"shape": (pixels,), "num_attributes": 0}}
