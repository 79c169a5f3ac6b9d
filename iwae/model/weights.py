"""A trained model in one safetensors file, with its configuration in the file's metadata.

The configuration names the model's family; one without a name is a ``vae``.
"""

import json
from pathlib import Path
from typing import NamedTuple

import safetensors
import safetensors.torch

from iwae.config.train import TrainConfig
from iwae.errors import CheckpointError
from iwae.model.build import build_model, family
from iwae.model.protocol import Model

FILE_NAME = "model.safetensors"


class Trained(NamedTuple):
    """A model with its trained parameters on the CPU, and what it was trained by."""

    model: Model
    config: TrainConfig


def weights_bytes(model: Model, config: TrainConfig) -> bytes:
    """The content of a safetensors file: parameters on the CPU, ``config`` as JSON in its metadata."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    # One entry: several are written in no fixed order, and the same model must give the same bytes.
    return safetensors.torch.save(tensors, {"config": json.dumps(config.to_dict())})


def save_weights(model: Model, config: TrainConfig, path: Path | str) -> None:
    """Writes ``weights_bytes`` to ``path``."""
    Path(path).write_bytes(weights_bytes(model, config))


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
    if "config" not in metadata:
        raise CheckpointError(
            f"{file} has no configuration in its metadata: must be a file written by a trial"
        )
    config = TrainConfig.parse(json.loads(metadata["config"]))
    try:
        model = build_model(config.model, family(config.model).pixels_in(tensors))
        model.load_state_dict(tensors)
    except (RuntimeError, KeyError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{file} does not fit the configuration in its metadata: {reason}") from None
    return Trained(model.eval(), config)
