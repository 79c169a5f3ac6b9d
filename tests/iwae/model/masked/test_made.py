"""MADE: what a feature depends on, and that drawing follows the forward pass."""

import itertools

import pytest
import torch
from torch import Tensor, nn

from iwae.model.masked.layers import initialize_uniform
from iwae.model.masked.made import Made


def network(features: int = 6, field: int | None = None, numbers: int = 1, hidden: int = 12) -> Made:
    made = Made(features, (hidden, hidden + 1), 2, numbers, field, nn.ELU)
    initialize_uniform(made, torch.Generator().manual_seed(1))
    return made.double()


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@pytest.mark.parametrize("field", [0, 1, 2, 4, None])
@pytest.mark.parametrize("numbers", [1, 3])
def test_feature_depends_on_exactly_the_features_before_it(field: int | None, numbers: int) -> None:
    made = network(field=field, numbers=numbers)
    jacobian = torch.autograd.functional.jacobian(lambda x: made(x, noise(2)), noise(6))
    assert isinstance(jacobian, Tensor)
    most = 6 if field is None else field
    expected = [[0 < i - j <= most for j in range(6)] for i in range(6)]
    assert torch.equal(jacobian != 0, torch.tensor(expected * numbers))


def test_hidden_units_bend_what_every_feature_says_of_the_next() -> None:
    made = network()
    x = noise(6)
    curvature = [
        torch.autograd.functional.hessian(lambda x, i=i: made(x, noise(2))[i], x) for i in range(1, 6)
    ]
    assert all((found[: i + 1, : i + 1].diagonal() != 0).all() for i, found in enumerate(curvature))


@pytest.mark.parametrize("field", [None, 2])
def test_probabilities_of_all_vectors_sum_to_one(field: int | None) -> None:
    vectors = torch.tensor(list(itertools.product((0.0, 1.0), repeat=9)), dtype=torch.float64)
    logits = network(9, field, hidden=20)(vectors, noise(2))
    log_p = torch.distributions.Bernoulli(logits=logits).log_prob(vectors).sum(1)
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-12)
    assert log_p.std() > 0.1


def test_drawing_sees_what_the_forward_pass_sees() -> None:
    made, context, values, said = network(numbers=2), noise(3, 2), noise(6, 3), []

    def choose(numbers: Tensor) -> Tensor:
        said.append(numbers)
        return values[len(said) - 1]

    x = made.draw(context, choose)
    assert torch.equal(x, values.T)
    torch.testing.assert_close(torch.stack(said, -1).flatten(1), made(x, context))


def test_one_feature_is_told_by_the_context_alone() -> None:
    made = network(1)
    assert torch.equal(made(noise(1), noise(2)), made(noise(1) + 1, noise(2)))
    assert not torch.equal(made(noise(1), noise(2)), made(noise(1), noise(2) + 1))
