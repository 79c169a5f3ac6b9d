"""The flow posterior against Jacobians by differences, quadrature and linear flows in closed form."""

import copy
from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from iwae.config.model.posterior import FlowPosterior
from iwae.model.posteriors.flow import Bent, Flow

BOTH = pytest.mark.parametrize("auxiliary", [True, False])


class Case(NamedTuple):
    """A flow whose parameters are all random, and what an encoder might say of 3 items; float64."""

    flow: Flow
    head: Tensor
    noise: Tensor

    @property
    def q(self) -> Bent:
        return self.flow.encode(self.head)


def case(latent_dim: int = 3, *, auxiliary: bool = True, layers: int = 2, draws: int = 4) -> Case:
    config = FlowPosterior(name="flow", layers=layers, hidden=(6, 5), auxiliary=auxiliary)
    flow, source = Flow(config, latent_dim, nn.Tanh).double(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.normal_(0, 0.6, generator=source)
    head = 0.7 * torch.randn(3, config.head(latent_dim), generator=source, dtype=torch.float64)
    shape = (draws, 3, config.noise(latent_dim))
    return Case(flow, head, torch.randn(shape, generator=source, dtype=torch.float64))


def outcome(flow: Flow, q: Bent, noise: Tensor) -> Tensor:
    """All numbers that the couplings give at this noise, ``[K, B, ...]``."""
    base = q.base.mean + q.base.log_std.exp() * noise[..., : q.base.mean.shape[-1]]
    return torch.cat(flow.couplings(*flow._parts(base, noise), q.contexts)[:2], -1)


@BOTH
def test_density_is_that_of_the_noise_over_the_jacobian_by_differences(auxiliary: bool) -> None:
    flow, _, noise = (made := case(auxiliary=auxiliary, draws=1))
    q, step, size = made.q, 1e-6, noise.shape[-1]
    with torch.no_grad():
        columns = [
            (outcome(flow, q, noise + step * unit) - outcome(flow, q, noise - step * unit)) / (2 * step)
            for unit in torch.eye(size, dtype=torch.float64)
        ]
        parts = outcome(flow, q, noise).split(flow.config.parts(3), -1)
        found = flow.log_density(parts[0], parts[1], q)
        drawn = flow.draw(q, noise)[1]
        if auxiliary:
            drawn = drawn + flow.log_reverse(parts[1], parts[0])
    determinants = np.linalg.slogdet(torch.stack(columns, -1).numpy())[1]  # [1, B]
    expected = stats.norm.logpdf(noise.numpy()).sum(-1) - determinants
    np.testing.assert_allclose(drawn, expected, atol=1e-7)
    np.testing.assert_allclose(found, expected, atol=1e-7)


@BOTH
def test_inverse_undoes_the_couplings_and_has_the_opposite_determinant(auxiliary: bool) -> None:
    flow, _, noise = (made := case(auxiliary=auxiliary))
    first, second = flow._parts(noise[..., :3], noise)
    there = flow.couplings(first, second, made.q.contexts)
    back = flow.couplings(there[0], there[1], made.q.contexts, inverse=True)
    assert not torch.allclose(there[0], first, atol=0.1)
    torch.testing.assert_close(back, (first, second, -there[2]))


@BOTH
def test_two_dimensional_density_integrates_to_one(auxiliary: bool) -> None:
    flow, head, _ = case(1 if auxiliary else 2, auxiliary=auxiliary)
    q = flow.encode(head[:1])
    edge, step = 60.0, 0.15
    axis = torch.arange(-edge, edge, step, dtype=torch.float64)
    first, second = (part.reshape(-1, 1, 1) for part in torch.meshgrid(axis, axis, indexing="ij"))
    with torch.no_grad():
        total = flow.log_density(first, second, q).exp().sum() * step**2
    assert total.item() == pytest.approx(1, abs=1e-4)


def test_a_new_flow_is_the_gaussian_and_its_auxiliary_costs_nothing() -> None:
    flow, head, noise = (made := case())
    flow.initialize("pytorch", torch.Generator().manual_seed(0))
    with torch.no_grad():
        z, log_q = flow.draw(made.q, noise)
    mean, log_variance = head[:, :3], head[:, 3:6]
    std = (0.5 * log_variance).exp()
    torch.testing.assert_close(z, mean + std * noise[..., :3])
    np.testing.assert_allclose(log_q, stats.norm.logpdf(z, mean, std).sum(-1), rtol=1e-12)
    torch.testing.assert_close(flow.means(made.q), mean)  # pairs of opposite sign cancel exactly


# In one dimension with v' = .8 v + .6 z and z' = 1.3 z − .9 v' all is Gaussian: so is q's own reverse.
SCALES, SHIFTS = (0.8, 1.3), (0.6, -0.9)


def linear() -> tuple[Flow, Bent, np.ndarray]:
    """The flow above, x's q, and the covariance of (z, v) that it ends in; r is q(v|z)."""
    flow = Flow(FlowPosterior(name="flow", layers=1, hidden=(2,)), 1, nn.ReLU).double()
    mean, std = 0.4, 0.7
    z, v = np.array([std, 0.0]), np.array([0.0, 1.0])  # rows: what of (ε_z, ε_v) is in each
    v = SCALES[0] * v + SHIFTS[0] * z
    z = SCALES[1] * z + SHIFTS[1] * v
    covariance = np.array([[z @ z, z @ v], [z @ v, v @ v]])
    mean_v = SHIFTS[0] * mean
    mean_z = SCALES[1] * mean + SHIFTS[1] * mean_v
    slope = covariance[0, 1] / covariance[0, 0]
    variance = covariance[1, 1] - slope * covariance[0, 1]
    for network, scale, shift in zip(flow.couplings.networks, SCALES, SHIFTS, strict=True):
        raw = 2 * np.arctanh(np.log(scale) / 2)
        set_linear(network, (0.0, raw), (shift, 0.0))
    set_linear(flow.reverse, (slope, mean_v - slope * mean_z), (0.0, np.log(variance)))
    head = torch.tensor([[mean, 2 * np.log(std), 0, 0, 0, 0]], dtype=torch.float64)
    return flow, flow.encode(head), covariance


@torch.no_grad()
def set_linear(network: nn.Module, *lines: tuple[float, float]) -> None:
    """Makes ``network`` two lines, slope and intercept each, as a = relu(a) − relu(−a)."""
    assert isinstance(network, nn.Sequential)
    network[0].weight.copy_(torch.tensor([[1.0], [-1.0]]))
    network[0].bias.zero_()
    network[2].weight.copy_(torch.tensor([[slope, -slope] for slope, _ in lines]))
    network[2].bias.copy_(torch.tensor([intercept for _, intercept in lines]))


def test_where_r_is_exact_the_auxiliary_costs_nothing_sample_by_sample() -> None:
    flow, q, covariance = linear()
    noise = torch.randn(50, 1, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        z, log_q = flow.draw(q, noise)
    mean = SCALES[1] * 0.4 + SHIFTS[1] * SHIFTS[0] * 0.4
    expected = stats.norm.logpdf(z[..., 0], mean, np.sqrt(covariance[0, 0]))
    np.testing.assert_allclose(log_q, expected, atol=1e-6)


def test_another_r_lowers_the_bound_by_its_kl_from_the_exact_one() -> None:
    flow, q, _ = linear()
    noise = torch.randn(200_000, 1, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        exact = flow.draw(q, noise)[1]
        flow.reverse[-1].bias[1] += 0.8  # σ² of r is e^.8 times q's own
        wider = flow.draw(q, noise)[1]
    kl = 0.5 * (np.exp(-0.8) - 1 + 0.8)
    assert (wider - exact).mean().item() == pytest.approx(kl, abs=0.004)


@BOTH
def test_stopped_density_has_the_same_value_and_only_the_gradient_through_the_draw(auxiliary: bool) -> None:
    flow, head, noise = case(auxiliary=auxiliary)
    frozen = copy.deepcopy(flow)
    named = dict(flow.couplings.named_parameters())
    head.requires_grad_()
    log_q = flow.draw(flow.encode(head), noise, stop_posterior=True)[1]
    torch.testing.assert_close(log_q, flow.draw(flow.encode(head), noise)[1])
    found = torch.autograd.grad(log_q.sum(), [head, *named.values()])
    with torch.no_grad():
        stopped, step = frozen.encode(head.detach().clone()), 1e-6

        def of_draw() -> float:
            """Log q by the unmoved parameters, at what the moved ones draw; r stays as it is."""
            parts = outcome(flow, flow.encode(head), noise).split(flow.config.parts(3), -1)
            log_q = frozen.log_density(parts[0], parts[1], stopped)
            return float((log_q - frozen.log_reverse(parts[1], parts[0]) if auxiliary else log_q).sum())

        for tensor, gradient in zip((head, *named.values()), found, strict=True):
            flat, place = tensor.view(-1), gradient.abs().argmax()
            before = flat[place].item()
            flat[place] = before + step
            above = of_draw()
            flat[place] = before - step
            below = of_draw()
            flat[place] = before
            expected = (above - below) / (2 * step)
            assert gradient.view(-1)[place].item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_r_keeps_its_gradient_where_the_density_of_q_is_stopped() -> None:
    flow, _, noise = (made := case())
    found = [
        torch.autograd.grad(flow.draw(made.q, noise, stop)[1].sum(), list(flow.reverse.parameters()))
        for stop in (False, True)
    ]
    torch.testing.assert_close(found[0], found[1])


@BOTH
def test_means_are_within_noise_of_the_mean_of_many_draws(auxiliary: bool) -> None:
    flow, _, _ = (made := case(auxiliary=auxiliary))
    shape = (100_000, 3, flow.config.noise(3))
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    with torch.no_grad():
        z = flow.draw(made.q, noise)[0]
        error = (flow.means(made.q) - z.mean(0)).abs() / z.std(0)
    assert error.max() < 4 / np.sqrt(32)
