"""A trained model in one safetensors file, with its configuration in the file's metadata."""

import json
from pathlib import Path

import safetensors
import safetensors.torch

from iwae.config.train import TrainConfig
from iwae.errors import CheckpointError
from iwae.model.vae import VAE

FILE_NAME = "model.safetensors"


def weights_bytes(model: VAE, config: TrainConfig) -> bytes:
    """The content of a safetensors file: parameters on the CPU, ``config`` as JSON in its metadata."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    # One entry: several are written in no fixed order, and the same model must give the same bytes.
    return safetensors.torch.save(tensors, {"config": json.dumps(config.to_dict())})


def save_weights(model: VAE, config: TrainConfig, path: Path | str) -> None:
    """Writes ``weights_bytes`` to ``path``."""
    Path(path).write_bytes(weights_bytes(model, config))


def load(path: Path | str) -> VAE:
    """The model in a safetensors file, or in the folder that holds ``model.safetensors``; on the CPU.

    Raises:
        CheckpointError: there is no such file, or it is not one that ``save_weights`` wrote.
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
    if "config" not in metadata or "encoder.0.weight" not in tensors:
        raise CheckpointError(
            f"{file} has no configuration in its metadata: must be a file written by a trial"
        )
    config = TrainConfig.parse(json.loads(metadata["config"]))
    model = VAE(config.model, tensors["encoder.0.weight"].shape[1])
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{file} does not fit the configuration in its metadata: {reason}") from None
    return model.eval()
