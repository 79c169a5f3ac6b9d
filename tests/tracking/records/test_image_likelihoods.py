import hashlib
import io
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from iwae.data.dataset import Dataset
from iwae.data.pixels import evaluation_pixels
from iwae.trainer.trainer import Trainer
from tracking.errors import RecordError
from tracking.records.image_likelihoods import paired_test, read_likelihoods
from tracking.storage.checkpoint import Checkpoint
from tracking.storage.sweep import SweepStorage


def arrays(log_p: np.ndarray, pixels: str = "ab", num_samples: int = 1000) -> dict[str, np.ndarray]:
    return {
        "test_log_p": log_p,
        "test_mc_error": np.full(len(log_p), 0.03, dtype=np.float32),
        "test_pixels": np.array(pixels),
        "num_samples": np.array(num_samples),
    }


def test_the_likelihoods_of_the_images_are_what_the_nll_is_the_mean_of(
    small_config: Any, digits: Dataset
) -> None:
    trainer = Trainer(small_config(num_epochs=1), digits)
    list(trainer.epochs())
    metrics, images = trainer.final_evaluation()
    for split, name in (("validation", "val/nll_final"), ("test", "test/nll")):
        log_p, error = images[f"{split}_log_p"], images[f"{split}_mc_error"]
        assert len(log_p) == 40
        assert -log_p.mean() == pytest.approx(metrics[name], abs=1e-12)
        assert log_p.std(ddof=1) / math.sqrt(40) == pytest.approx(metrics[f"{name}_stderr"])
        assert math.sqrt((error**2).sum()) / 40 == pytest.approx(metrics[f"{name}_mc_error"], rel=1e-5)
    pixels = evaluation_pixels(digits.test, "dynamic", "test")[:40].numpy().tobytes()
    assert str(images["test_pixels"]) == hashlib.sha256(pixels).hexdigest()
    assert int(images["num_samples"]) == 20


def test_a_paired_test_is_scipys() -> None:
    rng = np.random.default_rng(0)
    first = rng.normal(-90, 20, 300)
    second = first + rng.normal(0.3, 1.5, 300)
    got = paired_test(arrays(first), arrays(second))
    expected = stats.ttest_rel(second, first)
    assert (got.difference, got.p) == pytest.approx(((second - first).mean(), expected.pvalue))
    interval = expected.confidence_interval(0.95)
    assert (got.low, got.high) == pytest.approx((interval.low, interval.high))
    assert got.mc_error == pytest.approx(math.sqrt(2 * 0.03**2 / 300), rel=1e-6)
    assert got.num_images == 300
    # The NLLs' own errors are those of the images: an unpaired test sees nothing.
    assert got.stderr < 0.1 < stats.ttest_ind(second, first).pvalue


def test_a_paired_test_of_equal_models_rejects_one_time_in_twenty() -> None:
    rng, rejected = np.random.default_rng(1), 0
    for _ in range(1000):
        first = rng.normal(-90, 20, 50)
        rejected += paired_test(arrays(first), arrays(first + rng.normal(0, 1, 50))).p < 0.05
    assert abs(rejected / 1000 - 0.05) < 3 * math.sqrt(0.05 * 0.95 / 1000)


def test_a_trial_equals_itself() -> None:
    first = arrays(np.linspace(-100, -80, 20))
    assert paired_test(first, first)[:5] == (0, 0, 0, 0, 1)


def test_other_pixels_and_other_numbers_of_samples_are_refused() -> None:
    log_p = np.linspace(-100, -80, 20)
    with pytest.raises(RecordError, match="test likelihoods were measured with different pixels"):
        paired_test(arrays(log_p), arrays(log_p, pixels="cd"))
    with pytest.raises(RecordError, match="different numbers of importance samples"):
        paired_test(arrays(log_p), arrays(log_p, num_samples=10))


def test_likelihoods_of_two_kinds_are_refused_and_so_is_none() -> None:
    log_p = np.linspace(-100, -80, 20)
    byte, density = ({**arrays(log_p), "measure": np.array(kind)} for kind in ("byte", "density"))
    given = {**byte, "measure": np.array("byte, given y")}
    for other in (density, given):
        with pytest.raises(RecordError, match=r"not of the same kind \(byte; (density|byte, given y)\)"):
            paired_test(byte, other)
    with pytest.raises(RecordError, match="a trial has no test likelihoods"):
        paired_test(byte, {})
    assert paired_test(byte, byte).difference == paired_test(byte, arrays(log_p)).difference == 0


def test_a_unit_holds_them_and_an_old_one_opens_without(trained: SweepStorage) -> None:
    unit = trained.trial(trained.record().trials[0].key).newest()
    assert unit is not None
    assert unit.likelihoods is not None
    mean = read_likelihoods(unit.likelihoods)["validation_log_p"].mean()
    assert -mean == pytest.approx((unit.final or {})["val/nll_final"], abs=1e-12)
    old = Checkpoint(1, (), final={"val/nll_final": 1.0}).to_bytes()
    assert Checkpoint.read(io.BytesIO(old)).likelihoods is None


def test_torn_likelihoods_are_an_error() -> None:
    with pytest.raises(RecordError, match="the likelihoods of the images cannot be read"):
        read_likelihoods(b"PK\x03\x04torn")
