import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from iwae.config.layout import Layout
from iwae.config.model import VAEConfig
from iwae.data.dataset import Dataset
from iwae.data.items import Items
from iwae.data.pixels import evaluation_pixels
from iwae.errors import NonFiniteError, Stopped
from iwae.evaluation import evaluation
from iwae.evaluation.evaluation import active_units, active_units_kl, evaluate
from iwae.model.vae import VAE
from iwae.objectives.bounds import log_weights
from support.linear_gaussian import LOG_P, build, one_dimensional


@pytest.fixture(name="model")
def _model() -> VAE:
    config = VAEConfig(hidden_dims=(16,), latent_dim=3)
    return VAE(config, Layout((64,)), generator=torch.Generator().manual_seed(0))


@pytest.fixture(name="images")
def _images(digits: Dataset) -> torch.Tensor:
    return evaluation_pixels(digits.test[:23], "dynamic", "test")


def test_numbers_are_those_of_all_log_weights_at_once(
    model: VAE, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []

    def kept(*arguments: Any) -> torch.Tensor:
        seen.append(log_weights(*arguments))
        return seen[-1]

    monkeypatch.setattr(evaluation, "log_weights", kept)
    monkeypatch.setitem(evaluation.BLOCK_BYTES, "cpu", 2**30)  # all images in one block
    got = evaluate(model, Items(images), 250, few_num_samples=120)
    log_w = torch.cat(seen).double().numpy()  # [K, B]
    assert log_w.shape == (250, 23)
    weights = np.exp(log_w - log_w.max(0))
    log_p = np.log(weights.mean(0)) + log_w.max(0)
    assert got.nll == pytest.approx(-log_p.mean(), abs=1e-9)
    assert got.nll_stderr == pytest.approx(log_p.std(ddof=1) / math.sqrt(23), abs=1e-9)
    few = np.log(np.exp(log_w[:120]).mean(0)).mean()
    assert got.nll_few == pytest.approx(-few, abs=1e-9)
    assert got.elbo == pytest.approx(log_w.mean(), abs=1e-9)
    ess = (weights.sum(0) ** 2 / (weights**2).sum(0)).mean()
    assert got.ess == pytest.approx(ess, rel=1e-9)
    assert got.bits_per_dim == pytest.approx(got.nll / (64 * math.log(2)))
    np.testing.assert_allclose(got.log_p, log_p, atol=1e-9)
    deviation = weights.std(0, ddof=1) / weights.mean(0) / math.sqrt(250)
    np.testing.assert_allclose(got.mc_error, deviation, rtol=1e-6)
    assert got.nll_mc_error == pytest.approx(math.sqrt((deviation**2).sum()) / 23)
    assert -got.nll > -got.nll_few > got.elbo


def test_log_k_is_subtracted_once_however_the_samples_are_chunked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # With q the posterior every log-weight is log p(x): so is L_K, in one chunk or many.
    model = one_dimensional(0.763636, 0.181818)
    monkeypatch.setattr(Items, "inputs", lambda items: items.values)
    for chunk in (1, 3, 1000):
        monkeypatch.setitem(evaluation.SAMPLES_PER_CHUNK, "cpu", chunk)
        got = evaluate(model, Items(torch.full((2, 1), 1.7, dtype=torch.float64)), 10)
        assert got.nll == pytest.approx(-LOG_P, abs=1e-5)
        assert got.ess == pytest.approx(10, abs=1e-4)


def test_numbers_do_not_depend_on_how_images_are_blocked(
    model: VAE, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for block_bytes in (1, 200_000, 2**30):
        monkeypatch.setitem(evaluation.BLOCK_BYTES, "cpu", block_bytes)
        results.append(evaluate(model, Items(images), 130))
    for other in results[1:]:
        assert other.nll == pytest.approx(results[0].nll, rel=1e-6)
        assert other.ess == pytest.approx(results[0].ess, rel=1e-4)


def test_noise_of_images_and_splits_differs(model: VAE) -> None:
    same = Items(torch.zeros(40, 64, dtype=torch.uint8))
    assert evaluate(model, same, 20).nll_stderr > 0
    assert evaluate(model, same, 20, purpose="a").nll != evaluate(model, same, 20, purpose="b").nll


def test_more_samples_lower_the_nll_of_the_same_model(model: VAE, images: torch.Tensor) -> None:
    with torch.no_grad():
        model.decoder[0].weight *= 8  # far from its posterior, as a model is that training has moved
    values = [evaluate(model, Items(images), samples).nll for samples in (1, 10, 1000)]
    assert values[0] > values[1] > values[2]


def test_monte_carlo_error_is_how_much_other_noise_moves_the_nll(model: VAE, images: torch.Tensor) -> None:
    with torch.no_grad():
        model.decoder[0].weight *= 2
    found = [evaluate(model, Items(images), 200, purpose=f"noise {n}") for n in range(60)]
    spread = np.std([one.nll for one in found], ddof=1)
    said = np.mean([one.nll_mc_error for one in found])
    assert said == pytest.approx(spread, rel=3 / math.sqrt(2 * 59))


def test_one_sample_says_nothing_about_its_noise(model: VAE, images: torch.Tensor) -> None:
    got = evaluate(model, Items(images), 1)
    assert (got.mc_error, got.nll_mc_error) == (None, None)


def test_bits_of_a_gaussian_are_those_of_the_byte() -> None:
    # x | z ~ N(1.5 z + .3, .1²) at q = p(z|x): bits are -log2 of the mass between byte − ½ and byte + ½.
    model = build(np.array([[1.5]]), np.array([0.3]), 0.1, np.array([0.0]), np.array([1.0])).float()
    images = torch.tensor([[40], [200]], dtype=torch.uint8)
    marginal = stats.norm(0.3, math.hypot(1.5, 0.1))
    edges = [(byte + np.array([-0.5, 0.5])) / 255 for byte in (40, 200)]
    bits = np.mean([-np.log2(np.diff(marginal.cdf(edge))[0]) for edge in edges])
    assert evaluate(model, Items(images), 50_000).bits_per_dim == pytest.approx(bits, abs=0.02)


def test_unit_of_constant_mean_and_other_variance_is_inactive_by_variance_and_active_by_kl() -> None:
    means = torch.zeros(50, 3)
    means[:, 1] = torch.linspace(-1, 1, 50)
    log_std = torch.tensor([math.log(0.5), math.log(0.5), 0.0])
    kl = 0.5 * (means**2 + torch.exp(2 * log_std) - 2 * log_std - 1)
    assert active_units(means) == 1
    assert active_units_kl(kl) == 2


@pytest.mark.parametrize(("spread", "active"), [(0.0099, 0), (0.0101, 1)])
def test_unit_is_active_above_a_variance_of_one_hundredth(spread: float, active: int) -> None:
    means = torch.tensor([[-1.0], [1.0]]) * math.sqrt(spread)
    assert active_units(means) == active


def test_stop_ends_an_evaluation_between_chunks(model: VAE, images: torch.Tensor) -> None:
    asked = iter([False, False, True])
    with pytest.raises(Stopped):
        evaluate(model, Items(images), 100_000, stopped=lambda: next(asked))


def test_infinite_log_weight_is_an_error(model: VAE, images: torch.Tensor) -> None:
    with torch.no_grad():
        model.decoder[-1].bias[0] = float("nan")
    with pytest.raises(NonFiniteError, match="log-weight of the evaluation became nan"):
        evaluate(model, Items(images), 5)


MEASURE = """
import resource, torch
from iwae.config.layout import Layout
from iwae.config.model import VAEConfig
from iwae.data.items import Items
from iwae.evaluation.evaluation import evaluate
from iwae.model.vae import VAE
torch.set_num_threads(1)
model = VAE(VAEConfig(hidden_dims=(20,), latent_dim=2), Layout((784,)), generator=torch.Generator())
images = torch.zeros(2, 784, dtype=torch.uint8)
evaluate(model, Items(images), 300)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
evaluate(model, Items(images.repeat(20, 1)), 3000)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def test_memory_stays_under_the_block_whatever_the_numbers_of_images_and_samples() -> None:
    # 40 images × 3,000 samples × 784 logits would be 376 MB at once.
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 4 * evaluation.BLOCK_BYTES["cpu"]
