"""A masked decoder whose images can be counted: what a pixel sees, sums of probabilities, drawing."""

import itertools

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from iwae.config.layout import Layout
from iwae.config.model.families.autoregressive import AutoregressiveConfig
from iwae.model.families.autoregressive import Autoregressive

IMAGE, FLAT = Layout((3, 3)), Layout((9,))
both = pytest.mark.parametrize("layout", [IMAGE, FLAT])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def model(layout: Layout, **fields: object) -> Autoregressive:
    values = {
        "name": "autoregressive",
        "hidden_dims": (18,),
        "latent_dim": 2,
        "masked_features": 6,
        "masked_layers": 2,
    }
    config = AutoregressiveConfig.model_validate(values | fields)
    one = Autoregressive(config, layout, generator=generator(1)).double()
    for parameter in one.masked.parameters():  # so that what is seen makes a difference
        parameter.data.mul_(2)
    return one.requires_grad_(False)


def images() -> Tensor:
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=9)), dtype=torch.float64)


def latents(*shape: int) -> Tensor:
    return torch.randn(*shape, 2, generator=generator(2), dtype=torch.float64)


def log_p_of_all(one: Autoregressive, z: Tensor) -> Tensor:
    """Log p(x|z) of all 2⁹ images, ``[512]``."""
    return one.log_likelihood(z.expand(1, 512, 2), images())[0]


@both
@pytest.mark.parametrize("field", [0, 1, None])
def test_probabilities_of_all_images_sum_to_one(layout: Layout, field: int | None) -> None:
    log_p = log_p_of_all(model(layout, receptive_field=field), latents())
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-12)
    assert log_p.std() > 0.1


@both
def test_pixel_that_changes_leaves_what_is_said_of_it_and_of_those_before(layout: Layout) -> None:
    one, x = model(layout, receptive_field=None), images()[300]
    draft = one.decoder(latents(1, 1))
    before = one.masked(x[None], draft)
    for pixel in range(9):
        changed = x.clone()
        changed[pixel] = 1 - x[pixel]
        after = one.masked(changed[None], draft)
        assert torch.equal(before[..., : pixel + 1], after[..., : pixel + 1])
        assert pixel == 8 or not torch.equal(before[..., pixel + 1 :], after[..., pixel + 1 :])


@both
def test_field_of_zero_is_a_decoder_of_independent_pixels(layout: Layout) -> None:
    one, z = model(layout, receptive_field=0), latents()
    mean = one.decode(z)  # exact here: no pixel depends on one that was drawn
    expected = torch.distributions.Bernoulli(mean).log_prob(images()).sum(-1)
    torch.testing.assert_close(log_p_of_all(one, z), expected)


@both
def test_pixels_depend_on_one_another_in_a_larger_field(layout: Layout) -> None:
    one, z = model(layout, receptive_field=2), latents()
    log_p = log_p_of_all(one, z)
    mean = (log_p.exp()[:, None] * images()).sum(0)
    independent = torch.distributions.Bernoulli(mean).log_prob(images()).sum(-1)
    assert (log_p.exp() * (log_p - independent)).sum() > 1e-4


@both
def test_drawn_images_have_the_probabilities_of_the_model(layout: Layout) -> None:
    one, z, number = model(layout), latents(), 6000
    uniform = torch.rand(number, 9, generator=generator(), dtype=torch.float64)
    x, told = one._draw(z.expand(number, 2), uniform)
    p = log_p_of_all(one, z).exp()
    exact = (p[:, None] * images()).sum(0)
    error = (exact * (1 - exact) / number).sqrt()
    assert bool(((x.mean(0) - exact).abs() < 4 * error).all())
    pairs = torch.einsum("n,ni,nj->ij", p, images(), images())
    assert float(((x.T @ x) / number - pairs).abs().max()) < 0.03
    torch.testing.assert_close(torch.sigmoid(told).mean(0), exact, atol=0.02, rtol=0)


@both
def test_what_was_told_while_drawing_is_the_likelihood_of_the_draw(layout: Layout) -> None:
    one, z = model(layout), latents(5)
    x, told = one._draw(z, torch.rand(5, 9, generator=generator(), dtype=torch.float64))
    torch.testing.assert_close(one.likelihood.log_prob(told[None], x), one.log_likelihood(z[None], x))


@both
def test_mean_depends_on_the_latents_and_not_on_their_neighbours(layout: Layout) -> None:
    one, z = model(layout), latents(2, 3)
    together = one.decode(z)
    assert together.shape == (2, 3, 9)
    torch.testing.assert_close(together[1, 2], one.decode(z[1, 2]))


@both
def test_samples_in_chunks_are_the_samples_at_once(layout: Layout) -> None:
    one, z, x = model(layout), latents(7, 4), images()[:4]
    at_once = one.log_likelihood(z, x)
    one.requires_grad_().activation_bytes = 1
    torch.testing.assert_close(one.log_likelihood(z, x), at_once)


@both
def test_every_sample_may_have_values_of_its_own(layout: Layout) -> None:
    one, z, x = model(layout, likelihood="gaussian"), latents(7, 4), images()[:28].view(7, 4, 9)
    alone = [one.log_likelihood(z[k : k + 1], x[k]) for k in range(7)]
    torch.testing.assert_close(one.log_likelihood(z, x), torch.cat(alone))


@pytest.mark.parametrize("layout", [Layout((4, 5)), Layout((4, 4, 3)), Layout((11,))])
@pytest.mark.parametrize("field", [2, None])
def test_operations_and_parameters_are_those_that_pytorch_counts(layout: Layout, field: int | None) -> None:
    one = model(layout, receptive_field=field).float()
    x = torch.zeros(1, layout.num_pixels)
    with FlopCounterMode(display=False) as counter:
        one.log_likelihood(torch.zeros(1, 1, 2), x)
    assert counter.get_total_flops() == one.config.flops(layout).decode
    assert sum(p.numel() for p in one.parameters()) == one.config.floats(layout).parameters
