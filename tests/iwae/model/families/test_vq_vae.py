"""A VQ-VAE whose grids of codes can be counted: its prior, its bound, its samples and its gradient."""

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from iwae.config.layout import Layout
from iwae.config.model.families.vq_vae import VQVAEConfig
from iwae.model.families.vq_vae import VQVAE
from iwae.objectives.bounds import log_weights

FLAT = Layout((6,))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def binary(number: int, layout: Layout = FLAT) -> Tensor:
    return torch.rand(number, layout.num_pixels, generator=generator(9)).round()


def model(layout: Layout = FLAT, **fields: object) -> VQVAE:
    networks = {"networks": "mlp", "hidden_dims": (8,), "num_positions": 2}
    if layout.image_shape is not None:
        networks = {"networks": "conv", "channels": 8, "downsamplings": 1}
    values = {"name": "vq-vae", "num_codes": 3, "latent_dim": 2, "prior_features": 4, "prior_layers": 2}
    config = VQVAEConfig.model_validate(values | networks | fields)
    pixels = torch.randint(256, (50, layout.num_pixels), generator=generator(1), dtype=torch.uint8)
    return VQVAE(config, layout, generator=generator(2), train_pixels=pixels)


def all_codes(one: VQVAE) -> Tensor:
    places, codes = one.code_shape[0], one.config.num_codes
    return torch.tensor(list(itertools.product(range(codes), repeat=places)))


def every_item() -> Tensor:
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=6)), dtype=torch.float64)


def joint(one: VQVAE, x: Tensor) -> Tensor:
    """Log p(x, z) of every item at every grid of codes, ``[N, Z]``, from the definition."""
    z = all_codes(one)
    mean = one.decode(one.codebook.codes[z].flatten(1))
    log_p_x = (x[:, None] * mean.log() + (1 - x[:, None]) * (-mean).log1p()).sum(-1)
    return log_p_x + one.log_prior(z)


@pytest.mark.parametrize("layout", [FLAT, Layout((4, 4)), Layout((3, 4, 2))])
def test_prior_of_all_grids_sums_to_one(layout: Layout) -> None:
    one = model(layout).double()
    log_p = one.log_prior(all_codes(one))
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-12)
    assert log_p.std() > 0.01


def test_bound_is_the_term_of_the_codes_and_never_above_log_p() -> None:
    one, x = model().double(), every_item()
    log_p_x_z = joint(one, x)
    exact = log_p_x_z.logsumexp(1)
    assert exact.exp().sum().item() == pytest.approx(1, abs=1e-12)
    bound = log_weights(one.log_densities(x, 1))[0]
    coded = one.encode(x).indices @ torch.tensor([3, 1])  # the position of an item's codes among all
    torch.testing.assert_close(bound, log_p_x_z.gather(1, coded[:, None])[:, 0])
    assert bool((bound < exact).all())


def test_samples_are_as_frequent_as_the_prior_says() -> None:
    one, number = model(), 6000
    expected = one.log_prior(all_codes(one)).exp()
    images = one.decode(one.codebook.codes[all_codes(one)].flatten(1))  # [Z, X]
    drawn = torch.cdist(one.sample(number, generator()), images).argmin(1)
    frequency = torch.bincount(drawn, minlength=len(images)) / number
    error = (expected * (1 - expected) / number).sqrt()
    assert bool(((frequency - expected).abs() < 4 * error).all())


def test_encoder_is_told_the_decoders_gradient_at_the_codes() -> None:
    one, x = model(commitment=0.5), binary(5)
    terms = one.log_densities(x, 1)
    assert terms.auxiliary is not None
    objective = (terms.log_p_x_given_z + terms.log_p_z).sum() + terms.auxiliary.sum()
    parameters = list(one.encoder.parameters())
    found = torch.autograd.grad(objective, parameters)

    code = one.encode(x)
    at_codes = one.codebook.codes[code.indices].clone().requires_grad_()
    logits = one.decoder(at_codes) + one.output_bias
    log_p = -torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    (of_decoder,) = torch.autograd.grad(log_p, at_codes)
    by_hand = of_decoder - 2 * 0.5 * (code.vectors - at_codes).detach()
    for gradient, expected in zip(found, torch.autograd.grad(code.vectors, parameters, by_hand), strict=True):
        torch.testing.assert_close(gradient, expected)


def test_prior_learns_of_the_codes_and_moves_nothing_else() -> None:
    one = model()
    names, parameters = zip(*one.named_parameters(), strict=True)
    log_p_z = one.log_densities(binary(5), 1).log_p_z.sum()
    gradients = torch.autograd.grad(log_p_z, parameters, allow_unused=True)
    learning = {name.split(".")[0] for name, g in zip(names, gradients, strict=True) if g is not None}
    assert learning == {"prior"}


@pytest.mark.parametrize("codebook", ["ema", "gradient"])
def test_step_updates_the_codebook_from_the_given_generator(codebook: str) -> None:
    codes = []
    for seed in (3, 3, 4):
        one = model(codebook=codebook, revive_below=1.0)
        before = [p.detach().clone() for p in one.encoder.parameters()]
        one.after_step(binary(20), generator(seed))
        codes.append(one.codebook.codes.detach().clone())
        assert all(torch.equal(p, b) for p, b in zip(one.encoder.parameters(), before, strict=True))
    assert torch.equal(codes[0], codes[1])
    assert not torch.equal(codes[0], codes[2])


def test_any_latents_mean_the_nearest_codes() -> None:
    one, x = model(), binary(4)
    z = one.unit_means(one.encode(x))
    assert torch.equal(one.decode(z), one.reconstruct(x))
    assert torch.equal(one.decode(z + 1e-4), one.decode(z))
    assert one.decode(z.expand(3, *z.shape)).shape == (3, 4, 6)


def test_more_samples_say_the_same_again() -> None:
    terms = model().log_densities(binary(4), 7)
    assert terms.log_p_x_given_z.shape == terms.log_p_z.shape == terms.log_q_z_given_x.shape == (7, 4)
    assert torch.equal(log_weights(terms)[0], log_weights(terms)[6])
    assert not terms.log_q_z_given_x.any()
    torch.testing.assert_close(terms.kl.sum(1), -terms.log_p_z[0])


def test_perplexity_of_items_that_all_have_other_codes_is_their_number() -> None:
    one, x = model(num_positions=1), binary(40)
    first = [int((one.encode(x).indices[:, 0] == code).nonzero()[0]) for code in range(3)]
    metrics = one.extra_metrics(x[first])
    assert metrics == {"val/perplexity": pytest.approx(3)}


@pytest.mark.parametrize(
    ("shape", "grid"), [((8, 8), (2, 2)), ((7, 5), (2, 2)), ((28, 28, 3), (7, 7)), ((9, 8, 1), (3, 2))]
)
def test_images_of_any_size_have_a_grid(shape: tuple[int, ...], grid: tuple[int, int]) -> None:
    layout = Layout(shape)
    one = model(layout, downsamplings=2)
    x = binary(3, layout)
    assert one.grid == grid
    assert one.encode(x).indices.shape == (3, math.prod(grid))
    assert one.reconstruct(x).shape == x.shape


@pytest.mark.parametrize("layout", [FLAT, Layout((8, 8)), Layout((8, 12, 3))])
def test_operations_are_those_that_pytorch_counts(layout: Layout) -> None:
    one, x = model(layout, downsamplings=2), binary(1, layout)
    expected = one.config.flops(layout)
    with FlopCounterMode(display=False) as encoding:
        code = one.encode(x)
    with FlopCounterMode(display=False) as decoding:
        one.log_densities(x, 1, posterior=code)
    assert encoding.get_total_flops() == expected.encode
    assert decoding.get_total_flops() == expected.decode
