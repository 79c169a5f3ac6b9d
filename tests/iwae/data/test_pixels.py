import numpy as np
import pytest
import torch
from scipy import stats

from iwae.data.dataset import Dataset, content_hash
from iwae.data.pixels import bernoulli_bytes, evaluation_pixels


def test_dynamic_pixels_are_on_with_probability_byte_over_255() -> None:

    levels = torch.arange(256, dtype=torch.uint8).repeat(40_000, 1)
    counts = bernoulli_bytes(levels, torch.Generator().manual_seed(0)).sum(0).numpy()
    assert counts[0] == 0
    assert counts[255] == 40_000
    expected = 40_000 * np.arange(1, 255) / 255
    variance = expected * (1 - np.arange(1, 255) / 255)
    chi_squared = ((counts[1:255] - expected) ** 2 / variance).sum()
    assert 0.001 < stats.chi2.sf(chi_squared, 254) < 0.999


def test_evaluation_pixels_are_one_bernoulli_sample_and_not_thresholded(digits: Dataset) -> None:

    dynamic, fixed = (evaluation_pixels(digits.test, kind, "test") for kind in ("dynamic", "fixed"))
    threshold = evaluation_pixels(digits.test, "threshold", "test")
    assert torch.equal(dynamic, fixed)
    assert set(dynamic.unique().tolist()) == {0, 255}
    assert (dynamic != threshold).float().mean() > 0.05
    assert dynamic.float().mean().item() == pytest.approx(digits.test.float().mean().item(), rel=0.02)
    assert content_hash([dynamic]) == content_hash([evaluation_pixels(digits.test, "dynamic", "test")])
