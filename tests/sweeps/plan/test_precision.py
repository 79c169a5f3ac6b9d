"""What a planned sweep can show, from the spread of an earlier one."""

from pathlib import Path

import pytest

from support.hand_made import Sweep, planned
from sweeps.plan.precision import precision
from sweeps.screen.plans import precision_in_words
from tracking.records.records import PlannedTrial
from tracking.statistics.power import alike, smallest_difference


def plan(seeds: int) -> list[PlannedTrial]:
    return [planned(k, seed) for k in (1, 5, 20, 50) for seed in range(seeds)]


@pytest.fixture(name="earlier")
def _earlier(tmp_path: Path) -> Sweep:
    """Two K's of three seeds whose NLLs are 20, 21, 22 and 23, 24, 25: seeds differ by 1 nat."""
    sweep = Sweep(tmp_path, ks=(1, 5), seeds=3)
    sweep.finish()
    return sweep


def test_the_spread_of_an_earlier_sweep_says_what_a_plan_can_show(earlier: Sweep) -> None:
    found = precision(earlier.storage.files, plan(3))
    assert found is not None
    assert (found.earlier, found.deviation) == ("tiny", pytest.approx(1.0))
    three, six = (smallest_difference(alike(4, seeds, 1.0)) for seeds in (3, 6))
    assert found.smallest == {3: pytest.approx(three), 6: pytest.approx(six)}
    assert precision_in_words(found, 3) == (
        f"with 3 seeds, differences below {three:.2f} nats will not be separable (80 % power); with 6,"
        f" {six:.2f} (seeds differ by 1.00 nats in tiny)"
    )


def test_a_plan_with_one_seed_is_told_what_more_would_show(earlier: Sweep) -> None:
    found = precision(earlier.storage.files, plan(1))
    assert found is not None
    assert precision_in_words(found, 1).startswith("with one seed nothing is separable; with 3, differences")


def test_the_newest_sweep_counts(earlier: Sweep, tmp_path: Path) -> None:
    Sweep(tmp_path, "later", ks=(1, 5), seeds=2).finish()
    found = precision(earlier.storage.files, plan(3))
    assert found is not None
    assert found.earlier == "later"


def test_what_was_measured_otherwise_says_nothing(earlier: Sweep) -> None:
    fewer = plan(1)[0].config.data.model_copy(update={"num_validation": 100})
    other = [
        PlannedTrial(one.index, one.overrides, one.config.model_copy(update={"data": fewer}))
        for one in plan(3)
    ]
    assert precision(earlier.storage.files, other) is None


def test_one_seed_each_and_one_configuration_say_nothing(tmp_path: Path, earlier: Sweep) -> None:
    single = Sweep(tmp_path / "single")
    single.finish()
    assert precision(single.storage.files, plan(3)) is None
    assert precision(earlier.storage.files, plan(3)[:3]) is None
