"""What the probe measures, and that it is kept."""

import pytest
from scipy import stats

from iwae.config.train import TrainConfig
from sweeps.pace.sizes import sizes_of
from sweeps.plan.probes import keep, kept, known_forecast
from sweeps.spec.resources import Resources
from sweeps.worker.probe import median_interval, probe
from tracking.records.exclusive import shape_of


def config_of(num_samples: int, **values: object) -> TrainConfig:
    return TrainConfig.parse(
        {
            "data": {"name": "digits"},
            "model": {"hidden_dims": [32], "latent_dim": 4},
            "objective": {"num_samples": num_samples},
            **values,
        }
    )


@pytest.mark.parametrize("n", [1, 3, 5, 9, 20, 41])
def test_the_order_statistics_hold_the_median_as_often_as_the_binomial_says(n: int) -> None:
    low, high = median_interval(range(n))
    assert high == n - 1 - low
    # Of the order statistics low + 1 and n - low, counted from 1.
    assert 1 - 2 * stats.binom.cdf(low, n, 0.5) >= 0.95 or low == 0
    # One further inside would hold it less often than 95 %.
    assert 1 - 2 * stats.binom.cdf(low + 1, n, 0.5) < 0.95


def test_larger_shapes_take_longer_and_hold_more() -> None:
    """Steps of K = 1 and of K = 2,000 differ by a factor that no neighbour makes."""
    configs = [config_of(1), config_of(2000, batch_size=200)]
    small, large = probe(configs, "cpu", 1, most_seconds=0.5)
    assert [one.shape for one in (small, large)] == [shape_of(config) for config in configs]
    assert (small.steps_per_epoch, large.steps_per_epoch) == (12, 6)
    assert large.step_seconds > 5 * small.step_seconds
    assert large.peak_bytes > small.peak_bytes + 50 * 2**20
    for one in (small, large):
        assert one.low <= one.step_seconds <= one.high
        assert one.curve_row_seconds < 1e-3
        assert one.final_row_seconds < 1e-3
        assert one.draw_seconds > 0


def test_what_was_measured_is_known_to_the_next_plan_of_the_same_shape(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    config, resources = config_of(1, evaluation={"snr_num_draws": 0}), Resources()
    assert kept([config], resources) == {}
    (found,) = probe([config], "cpu", 1, most_seconds=0)
    assert found.draw_seconds is None
    keep(config, resources, found)
    longer = config_of(1, evaluation={"snr_num_draws": 0}, num_epochs=7, seed=3)
    assert kept([longer], resources) == {shape_of(config): found}
    for other in (config_of(2), config_of(1), config_of(1, batch_size=50)):
        assert kept([other], resources) == {}
    assert kept([config], Resources(cpus=2)) == {}
    forecast = known_forecast([config], resources)
    assert forecast.basis == "probe"
    assert forecast.of(longer).training == pytest.approx(7 * 12 * found.step_seconds)
    for path in tmp_path.rglob("*.json"):
        path.write_text("{")
    assert kept([config], resources) == {}
    assert sizes_of(config.data).train == 1137
