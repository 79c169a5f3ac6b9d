"""What a VAE's networks and posterior may be, and what each of them costs."""

from typing import Any

import pytest

from iwae.config.layout import Layout
from iwae.config.model import VAEConfig
from iwae.config.part import parse
from iwae.config.train import TrainConfig
from iwae.errors import ConfigError


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"model": {"posterior": {"name": "flow"}}, "objective": {"name": "vae"}},
            "objective.name: vae is not allowed: must be iwae or multi-sample-vae without free bits: the KL"
            " of this model has no closed form",
        ),
        (
            {"model": {"posterior": {"name": "flow", "auxiliary": False}, "latent_dim": 1}},
            "model.posterior.auxiliary: false is not allowed: must be true when latent_dim is 1: one latent"
            " has no halves",
        ),
        (
            {"model": {"posterior": {"name": "flow"}, "prior": {"name": "vampprior"}}},
            "model.posterior.name: flow is not allowed: must be gaussian when prior is vampprior, which is"
            " made of the posterior",
        ),
        (
            {"model": {"posterior": {"name": "flow", "hidden": []}}},
            "model.posterior.hidden: [] is not allowed: must be a list of at least 1",
        ),
        (
            {"model": {"posterior": {"std": 0}}},
            "model.posterior.std: 0 is not allowed: must be >= 0.0001",
        ),
        (
            {"model": {"posterior": {"name": "flow", "std": 0.5}}},
            "model.posterior.std: unknown key",
        ),
        (
            {"model": {"posterior": {"name": "flaw"}}},
            "model.posterior.name: flaw is not allowed: must be one of gaussian, flow",
        ),
        (
            {"model": {"networks": "cnn"}},
            "model.networks: 'cnn' is not allowed: must be one of mlp, conv",
        ),
        (
            {"model": {"networks": "conv", "hidden_dims": []}},
            "model.hidden_dims: an empty list is not allowed: must be at least one number of channels when"
            " networks is conv",
        ),
    ],
)
def test_wrong_networks_and_posteriors_are_one_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig.parse(values)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("values", "shape", "message"),
    [
        (
            {"networks": "conv"},
            (64,),
            "model.networks: conv is not allowed: must be mlp, as the data are no images but flat features",
        ),
        (
            {"networks": "conv", "hidden_dims": [8, 8, 8, 8]},
            (8, 28),
            "model.hidden_dims: 4 layers are not allowed: must be at most 3 convolutions for images of"
            " 8 × 28, as each halves height and width",
        ),
        (
            {"networks": "conv", "hidden_dims": [8], "decoder_hidden_dims": [8] * 5},
            (28, 28, 3),
            "model.decoder_hidden_dims: 5 layers are not allowed: must be at most 4 convolutions for images"
            " of 28 × 28, as each halves height and width",
        ),
    ],
)
def test_convolutions_of_what_cannot_be_halved_are_refused(
    values: dict[str, Any], shape: tuple[int, ...], message: str
) -> None:
    config = parse(VAEConfig, values)
    for asked in (config.check_layout, config.flops, config.floats):
        with pytest.raises(ConfigError) as caught:
            asked(Layout(shape))
        assert str(caught.value) == message


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (32, 32, 3), (8, 28, 4)])
def test_convolutions_of_images_are_allowed_as_often_as_they_can_be_halved(shape: tuple[int, ...]) -> None:
    parse(VAEConfig, {"networks": "conv", "hidden_dims": [8, 8, 8]}).check_layout(Layout(shape))


def test_convolutions_without_channels_have_two_layers_and_train_alone() -> None:
    config = parse(VAEConfig, {"networks": "conv"})
    assert config.hidden_dims == (32, 64)
    assert config.decoder_widths == (64, 32)
    assert not config.packs
    assert parse(VAEConfig, {}).packs


def test_costs_of_dense_networks_are_those_of_a_count_by_hand() -> None:
    config = parse(
        VAEConfig, {"hidden_dims": [5], "latent_dim": 2, "posterior": {"name": "flow", "hidden": [3]}}
    )
    flops, floats = (cost(Layout((7,))) for cost in (config.flops, config.floats))
    head = 2 * 2 + 4 * 3  # mean, log variance, and what four couplings are told
    coupling = 2 * 3 + 3 * 4  # from one part to scale and shift of the other
    assert flops == (2 * (7 * 5 + 5 * head), 2 * (2 * 5 + 5 * 7 + 5 * coupling))  # r is as wide as a coupling
    biases = 5 + head + 5 + 7 + 5 * (3 + 4)
    assert floats.parameters == 7 * 5 + 5 * head + 2 * 5 + 5 * 7 + 5 * coupling + biases
    assert floats.noise == 4
