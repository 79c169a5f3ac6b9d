"""The optimizer's step against PyTorch's own."""

import copy

import pytest
import torch
from torch import Tensor, nn

from iwae.config.optimizer import OptimizerConfig
from iwae.trainer.adam import Adam

SHAPES = ((7, 5), (7,), (3, 7), ())
RATES = (1e-3, 1e-3, 3e-4, 0.0, 1e-2)
CONFIG = OptimizerConfig(lr=1e-3, betas=(0.8, 0.99), eps=1e-5)


def parameters() -> list[nn.Parameter]:
    source = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=source)) for shape in SHAPES]


def pytorchs(trained: list[nn.Parameter]) -> torch.optim.Adam:
    return torch.optim.Adam(trained, lr=CONFIG.lr, betas=CONFIG.betas, eps=CONFIG.eps, fused=True)


def gradients_of_step(step: int) -> list[Tensor | None]:
    """The last parameter has none in the first two steps."""
    source = torch.Generator().manual_seed(step + 1)
    drawn = [torch.randn(shape, generator=source) for shape in SHAPES]
    return [*drawn[:-1], drawn[-1] if step > 1 else None]


def train(optimizer: torch.optim.Adam, steps: range) -> None:
    trained = optimizer.param_groups[0]["params"]
    for step in steps:
        for parameter, gradient in zip(trained, gradients_of_step(step), strict=True):
            parameter.grad = gradient
        if isinstance(optimizer, Adam):
            optimizer.update(RATES[step])
        else:
            optimizer.param_groups[0]["lr"] = RATES[step]
            optimizer.step()


def test_steps_have_the_bits_of_pytorchs_adam() -> None:
    ours, theirs = parameters(), parameters()
    optimizers = Adam(CONFIG, ours), pytorchs(theirs)
    for optimizer in optimizers:
        train(optimizer, range(len(RATES)))
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    states, expected = (optimizer.state_dict() for optimizer in optimizers)
    assert states["param_groups"] == expected["param_groups"]
    torch.testing.assert_close(states["state"], expected["state"], rtol=0, atol=0)


@pytest.mark.parametrize("saved_by_pytorch", [True, False])
def test_a_saved_state_goes_on_with_the_same_bits(saved_by_pytorch: bool) -> None:
    whole, halves = parameters(), parameters()
    train(Adam(CONFIG, whole), range(len(RATES)))
    first = pytorchs(halves) if saved_by_pytorch else Adam(CONFIG, halves)
    train(first, range(3))
    second = Adam(CONFIG, halves)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    train(second, range(3, len(RATES)))
    assert all(torch.equal(a, b) for a, b in zip(whole, halves, strict=True))


def test_forgotten_gradients_are_gone() -> None:
    trained = parameters()
    optimizer = Adam(CONFIG, trained)
    train(optimizer, range(2))
    optimizer.forget_gradients()
    assert all(parameter.grad is None for parameter in trained)
