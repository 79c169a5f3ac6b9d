"""Activations against NumPy in float64."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from iwae.model.layers import WORTH_IT, Tanh, initialize_layer

# From one end of where float32's tanh is not ±1 to the other, and beyond.
X = torch.cat((torch.linspace(-12, 12, 2 * WORTH_IT), torch.tensor([-1e30, -1e-30, 0.0, 1e-30, 1e30])))
EXACT = np.tanh(X.numpy().astype(np.float64))


def test_tanh_is_exact_to_the_spacing_of_float32_around_one() -> None:
    found = Tanh()(X.clone()).numpy()
    assert not np.array_equal(found, torch.tanh(X).numpy())  # it is the other formula that is looked at
    np.testing.assert_allclose(found, EXACT, rtol=0, atol=2e-7)


def test_the_derivative_of_tanh_is_one_minus_its_square() -> None:
    x = X.clone().requires_grad_()
    torch.autograd.backward(Tanh()(x).sum())
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), 1 - EXACT**2, rtol=0, atol=6e-7)


def test_tanh_of_several_models_at_once() -> None:
    x = X[: 2 * WORTH_IT].reshape(2, -1)
    alone = torch.stack([Tanh()(row.clone()) for row in x])
    assert torch.equal(torch.func.vmap(Tanh())(x), alone)


def test_few_numbers_take_pytorchs_tanh() -> None:
    few = X[: WORTH_IT - 1]
    assert torch.equal(Tanh()(few.clone()), torch.tanh(few))


LAYERS = {
    "linear": lambda: nn.Linear(30, 50),
    "convolution": lambda: nn.Conv2d(30, 20, 4),
    "transposed": lambda: nn.ConvTranspose2d(20, 30, 4),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_default_initialization_of_a_layer_has_the_range_of_pytorchs(kind: str) -> None:
    torchs, ours = LAYERS[kind](), LAYERS[kind]()
    initialize_layer(ours, "pytorch", torch.Generator().manual_seed(0))
    limit = torchs.weight.abs().max().item()  # of 1,500 numbers and more
    assert ours.weight.abs().max().item() == pytest.approx(limit, rel=0.01)
    assert 0.5 * limit < ours.bias.abs().max().item() < 1.01 * limit


@pytest.mark.parametrize("kind", ["convolution", "transposed"])
def test_glorot_counts_every_weight_that_a_convolutions_number_meets(kind: str) -> None:
    layer = LAYERS[kind]()
    initialize_layer(layer, "glorot", torch.Generator().manual_seed(0))
    assert layer.weight.abs().max().item() == pytest.approx(math.sqrt(6 / (16 * (20 + 30))), rel=1e-3)
    assert not layer.bias.any()
