import numpy as np
import pytest
from scipy.stats import multivariate_normal

from iwae.data.sources.known_mixture import MIXTURE_2D


def test_log_density_is_scipys():
    x = np.random.default_rng(0).normal(0, 2, (50, 2))
    density = sum(
        one.weight * multivariate_normal(one.mean, one.factor @ one.factor.T).pdf(x)
        for one in MIXTURE_2D.components
    )
    np.testing.assert_allclose(MIXTURE_2D.log_density(x), np.log(density), rtol=0, atol=1e-12)


def test_density_adds_up_to_one():
    axis = np.linspace(-8, 8, 401)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    total = np.exp(MIXTURE_2D.log_density(grid)).sum() * (axis[1] - axis[0]) ** 2
    assert total == pytest.approx(1, abs=1e-6)


def test_first_axis_is_turned_counter_clockwise():
    steep = MIXTURE_2D.components[0]  # 60 degrees
    covariance = steep.factor @ steep.factor.T
    values, vectors = np.linalg.eigh(covariance)
    np.testing.assert_allclose(np.sqrt(values), sorted(steep.spread))
    x, y = vectors[:, 1] * np.sign(vectors[0, 1])
    assert np.degrees(np.arctan2(y, x)) == pytest.approx(60)


def test_draws_have_the_moments_of_the_mixture():
    number = 40_000
    x = MIXTURE_2D.draw(number, "a test").astype(np.float64)
    components = MIXTURE_2D.components
    mean = sum(one.weight * np.array(one.mean) for one in components)
    second = sum(
        one.weight * (one.factor @ one.factor.T + np.outer(one.mean, one.mean)) for one in components
    )
    covariance = second - np.outer(mean, mean)
    np.testing.assert_allclose(x.mean(0), mean, atol=4 * np.sqrt(covariance.max() / number))
    np.testing.assert_allclose(np.cov(x.T), covariance, atol=0.05)


def test_draws_are_the_same_every_time_and_others_for_another_purpose():
    first = MIXTURE_2D.draw(100, "train")
    np.testing.assert_array_equal(first, MIXTURE_2D.draw(100, "train"))
    assert not np.isin(first, MIXTURE_2D.draw(100, "test")).any()
