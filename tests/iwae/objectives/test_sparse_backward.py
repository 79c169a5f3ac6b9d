from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from iwae.config.layout import Layout
from iwae.config.objective import BoundConfig
from iwae.config.train import TrainConfig
from iwae.data.pixels import minibatch
from iwae.errors import ConfigError, DataError
from iwae.model.vae import VAE
from iwae.objectives import sparse_backward
from iwae.objectives.objective import StepTerms, Weights, build_objective
from iwae.objectives.sparse_backward import kept_samples, select
from iwae.randomness import generator
from iwae.trainer.trainer import Trainer
from support.linear_gaussian import one_dimensional, pixels


def normalized(num_samples: int, num_images: int, spread: float, seed: int = 0) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    draws = torch.randn(num_samples, num_images, generator=source, dtype=torch.float64)
    return torch.softmax(spread * draws, 0)


def terms_of(
    model: VAE, x: Tensor, noise: Tensor, backward: Mapping[str, object], seed: int = 0
) -> StepTerms:
    config = BoundConfig.model_validate({"num_samples": len(noise), "backward": backward})
    source = torch.Generator().manual_seed(seed)
    return build_objective(config).step_terms(model, x, Weights(0.7, 1.0), noise=noise, generator=source)


def gradient(model: VAE, terms: StepTerms) -> Tensor:
    found = torch.autograd.grad(terms.surrogates.encoder.sum(), list(model.parameters()))
    return torch.cat([part.flatten() for part in found])


def small_model() -> tuple[VAE, Tensor]:
    config = TrainConfig.parse({"model": {"hidden_dims": [7], "latent_dim": 3}}).model
    x = (torch.rand(5, 11, generator=torch.Generator().manual_seed(3)) < 0.5).double()
    return VAE(config, Layout((11,)), generator=generator(0, "initialization")).double(), x


def trained_on_mnist() -> Trainer:
    """An epoch of 5,000 images."""
    config = TrainConfig.parse(
        {
            "data": {"name": "mnist", "binarization": "dynamic", "num_train": 5000},
            "model": {"hidden_dims": [100], "latent_dim": 10},
            "objective": {"num_samples": 20, "backward": {"name": "sparse"}},
            "evaluation": {"num_images": 100},
            "optimizer": {"lr": 3e-3},
            "num_epochs": 1,
        }
    )
    try:
        trainer = Trainer(config)
    except DataError:
        pytest.skip("IWAE_DATA_DIR holds no MNIST")
    assert len(list(trainer.epochs())) == 1
    return trainer


@pytest.mark.parametrize("num_kept", [1, 2, 5, 12])
@pytest.mark.parametrize("spread", [0.0, 1.0, 8.0])
def test_a_sample_is_expected_to_count_by_its_own_weight(num_kept: int, spread: float) -> None:
    weights, points = normalized(12, 4, spread), 1000
    expected = torch.zeros_like(weights)
    for point in range(points):  # the midpoint rule over the uniform number
        uniform = torch.full((4,), (point + 0.5) / points, dtype=torch.float64)
        index, coefficients = select(weights, num_kept, uniform)
        expected.scatter_add_(0, index, coefficients / points)
        torch.testing.assert_close(coefficients.sum(0), torch.ones(4).double())
        assert all(len(set(column.tolist())) == num_kept for column in index.T)
    torch.testing.assert_close(expected, weights, atol=1 / points, rtol=0)


def test_samples_in_blocks_are_the_same_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = small_model()
    noise = torch.randn(9, 5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    whole = terms_of(model, x, noise, {"name": "sparse", "num_kept": 3})
    monkeypatch.setitem(sparse_backward.BLOCK_BYTES, "cpu", 2 * 5 * 11 * 8)
    blocks = terms_of(model, x, noise, {"name": "sparse", "num_kept": 3})
    torch.testing.assert_close(gradient(model, blocks), gradient(model, whole))
    torch.testing.assert_close(blocks.bound, whole.bound)


def test_a_rest_that_weighs_nothing_is_drawn_without_an_error() -> None:
    weights = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    index, coefficients = select(weights, 2, torch.tensor([0.0, 0.999]))
    assert coefficients.tolist() == [[1.0, 1.0], [0.0, 0.0]]
    assert index.max() < 3


def test_the_estimate_s_mean_over_many_draws_is_the_gradient() -> None:
    model, x = small_model()
    noise = torch.randn(9, 5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    exact = gradient(model, terms_of(model, x, noise, {"name": "dense"}))
    drawn = torch.stack(
        [
            gradient(model, terms_of(model, x, noise, {"name": "sparse", "num_kept": 2}, s))
            for s in range(2000)
        ]
    )
    deviations = (drawn.mean(0) - exact) / (drawn.std(0) / 2000**0.5).clamp_min(1e-12)
    varied = drawn.std(0) > 1e-12
    assert varied.sum() > 100
    # Standard normal deviates: their mean square is 1 if the estimate has no bias.
    assert deviations[varied].square().mean().item() == pytest.approx(1, abs=0.35)
    torch.testing.assert_close(drawn.mean(0)[~varied], exact[~varied])


def test_the_estimate_has_no_bias_on_a_trained_model_of_mnist() -> None:
    trainer = trained_on_mnist()
    x = minibatch(trainer.dataset.train[:20], "dynamic", torch.Generator().manual_seed(0)).double()
    model = trainer.model.double()
    noise = torch.randn(20, 20, 10, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    exact = gradient(model, terms_of(model, x, noise, {"name": "dense"}))
    draws = 300
    drawn = [
        gradient(model, terms_of(model, x, noise, {"name": "sparse", "num_kept": 3}, seed)) - exact
        for seed in range(draws)
    ]
    along = torch.stack([difference @ exact for difference in drawn])
    assert abs(along.mean()) < 3.5 * along.std() / draws**0.5
    # n ‖mean‖² over the mean of ‖·‖² is 1 without bias; a bias of a tenth of the spread would add 3.
    mean, squares = sum(drawn) / draws, torch.stack([difference.square().sum() for difference in drawn])
    assert squares.mean() > 1e-4 * exact.square().sum()
    assert draws * mean.square().sum() / squares.mean() == pytest.approx(1, abs=0.6)


def test_the_gradient_on_the_linear_gaussian_model_is_the_published_one() -> None:
    model, x = one_dimensional(), pixels(400_000)
    noise = torch.randn(5, len(x), 1, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    config = BoundConfig.model_validate({"num_samples": 5, "backward": {"name": "sparse", "num_kept": 2}})
    terms = build_objective(config).step_terms(
        model, x, Weights(), noise=noise, generator=torch.Generator().manual_seed(5)
    )
    (found,) = torch.autograd.grad(terms.surrogates.encoder.mean(), model.encoder[0].bias)
    assert found[0].item() == pytest.approx(-0.3089, abs=0.006)


@pytest.mark.parametrize("backward", [{"num_kept": 9}, {"num_kept": 8}, {"num_kept": 2}, {"mass": 0.99}])
def test_what_is_reported_comes_from_all_samples(backward: dict[str, object]) -> None:
    model, x = small_model()
    noise = torch.randn(9, 5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    dense, sparse = (
        terms_of(model, x, noise, choice) for choice in ({"name": "dense"}, {"name": "sparse", **backward})
    )
    for ours, theirs in zip(sparse[1:], dense[1:], strict=True):
        torch.testing.assert_close(ours, theirs)
    if backward == {"num_kept": 9}:
        torch.testing.assert_close(gradient(model, sparse), gradient(model, dense))


def test_the_kept_samples_hold_the_mass_that_was_asked_for() -> None:
    for spread in (0.5, 2.0, 8.0):
        weights = normalized(40, 30, spread)
        config = BoundConfig.model_validate({"num_samples": 40, "backward": {"name": "sparse", "mass": 0.9}})
        assert config.backward.name == "sparse"
        kept = kept_samples(config.backward, weights)
        heaviest = weights.sort(0, descending=True).values.mean(1)
        assert heaviest[: kept - 1].sum() >= 0.9 or kept == 40
        assert kept == 2 or heaviest[: kept - 2].sum() < 0.9


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (
            {"name": "vae", "backward": {"name": "sparse"}},
            "backward.name: sparse is not allowed: must be dense",
        ),
        ({"backward": {"name": "sparse", "num_kept": 2, "mass": 0.5}}, "must be null when num_kept is set"),
        ({"backward": {"name": "sparse", "num_kept": 0}}, "num_kept: 0 is not allowed: must be >= 1"),
        ({"backward": {"name": "spars"}}, "must be one of dense, sparse"),
    ],
)
def test_a_backward_that_makes_no_sense_is_refused(objective: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig.parse({"objective": {"num_samples": 8, **objective}})


def test_the_dense_backward_is_the_default_and_the_choice_is_part_of_the_key() -> None:
    plain = TrainConfig.parse({"objective": {"num_samples": 8}})
    dense = TrainConfig.parse({"objective": {"num_samples": 8, "backward": {"name": "dense"}}})
    sparse = TrainConfig.parse({"objective": {"num_samples": 8, "backward": {"name": "sparse"}}})
    assert plain.key == dense.key != sparse.key
