"""Bits for a byte, whatever the likelihood that they come from."""

import math

import numpy as np
import pytest
import torch

from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.data.items import Items
from iwae.data.load import suit
from iwae.errors import DataError
from iwae.evaluation.evaluation import evaluate
from iwae.model.dequantization.dequantized import Dequantized
from support.linear_gaussian import build

IMAGES = Items(torch.randint(0, 256, (40, 2), generator=torch.Generator().manual_seed(0), dtype=torch.uint8))


def test_a_density_that_is_flat_within_a_byte_gives_the_bits_of_its_dequantized_model() -> None:
    wide = build(np.array([[0.2], [0.1]]), np.array([0.5, 0.5]), 0.4, np.array([0.0]), np.array([1.0]))
    density = evaluate(wide.float(), IMAGES, 2000)
    probability = evaluate(Dequantized(wide, variational=False), IMAGES, 2000)
    assert probability.bits_per_dim == pytest.approx(probability.nll / (2 * math.log(2)))
    assert density.bits_per_dim == pytest.approx(probability.bits_per_dim, abs=0.01)
    assert probability.bits_per_dim is not None
    assert probability.bits_per_dim > 8  # bytes without a pattern have 8


def test_standard_deviations_must_be_as_many_as_features(digits: Dataset) -> None:
    model = {"likelihood": "gaussian", "observation_std": [0.1, 0.2]}
    config = TrainConfig.parse({"data": {"name": "digits", "binarization": "none"}, "model": model})
    with pytest.raises(DataError, match="2 numbers are not allowed: must be one, or 64, the features"):
        suit(digits, config)
