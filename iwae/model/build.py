"""From a configuration to its model."""

import pkgutil

import torch
from torch import Tensor

from iwae.config.layout import Layout
from iwae.config.model import ModelConfig
from iwae.config.train import TrainConfig
from iwae.model.dequantization.dequantized import Dequantized
from iwae.model.protocol import LatentModel, Model


def family(config: ModelConfig) -> type[Model]:
    """The class of the models of this configuration."""
    built_by: type[Model] = pkgutil.resolve_name(config.built_by)
    return built_by


def build_model(
    config: TrainConfig,
    layout: Layout,
    *,
    generator: torch.Generator | None = None,
    train_pixels: Tensor | None = None,
) -> Model:
    """The model that ``config`` trains; see ``Model`` for the arguments."""
    model = family(config.model)(config.model, layout, generator=generator, train_pixels=train_pixels)
    kind = config.data.dequantization
    if kind == "none":
        return model
    assert isinstance(model, LatentModel)
    return Dequantized(model, variational=kind == "variational", generator=generator)
