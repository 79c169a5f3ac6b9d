"""Seconds of trials alone: what takes the place of the seconds that they measured, and when."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from support.factory import Factory
from tracking.analysis.analysis import analyse
from tracking.analysis.clocks.own import reasons, slowdown
from tracking.analysis.configurations import Configuration, tables
from tracking.analysis.differences import probed_ratio
from tracking.analysis.equal_budgets import curve
from tracking.analysis.trials.columns import SECONDS
from tracking.records.exclusive import shape_of
from tracking.records.records import SweepRecord
from tracking.records.shapes import ShapeProbe

KS = (1, 5, 20, 50)
STEPS, CPU = 500, "EPYC, 1 thread"


def step_seconds(k: int) -> float:
    """A line, so that its slope is known."""
    return 1e-3 + 2e-4 * k


def probed(
    record: SweepRecord, ks: tuple[int, ...] = KS, machine: str = CPU, factor: float = 1.0
) -> SweepRecord:
    """The record with probes of some K's, each known within 1 %."""
    seconds = {
        shape_of(t.config): factor * step_seconds(t.config.objective.num_samples) for t in record.trials
    }
    shapes = {shape_of(t.config) for t in record.trials if t.config.objective.num_samples in ks}
    found = tuple(
        ShapeProbe(
            shape=one,
            machine=machine,
            steps_per_epoch=STEPS,
            step_seconds=seconds[one],
            low=seconds[one] / 1.01,
            high=seconds[one] * 1.01,
            rounds=9,
        )
        for one in sorted(shapes)
    )
    return replace(record, probes=(*record.probes, *found))


def on(record: SweepRecord, machine: dict[str, object], *indices: int) -> SweepRecord:
    """The record, where some trials ran on another machine."""
    trials = list(record.trials)
    for index in indices:
        attempts = (trials[index].attempts[-1].model_copy(update={"provenance": machine}),)
        trials[index] = replace(trials[index], attempts=attempts)
    return replace(record, trials=tuple(trials))


@pytest.fixture
def record(make: Factory) -> SweepRecord:
    return make.sweep(make.ks(*KS), seeds=(0, 1, 2))


def test_the_axis_is_steps_times_the_seconds_of_a_step(record: SweepRecord):
    (table,) = tables(probed(record))
    assert table.timed_on == CPU
    for row in table.configurations:
        found = row.estimate(SECONDS)
        assert found is not None
        assert found.mean == pytest.approx(10 * STEPS * step_seconds(row.num_samples))
        assert (found.low, found.high) == pytest.approx((found.mean / 1.01, found.mean * 1.01))
    measured = [row.estimate("train_seconds") for row in table.configurations]
    assert measured == [row.estimate("train_seconds") for row in tables(record)[0].configurations]


def test_the_slope_is_that_of_the_steps_whatever_the_trials_measured(make: Factory, record: SweepRecord):
    quiet = analyse(tables(probed(record))[0])
    make.noise = 3.0  # epochs that take half as long again, at random
    loaded = analyse(tables(probed(make.sweep(make.ks(*KS), seeds=(0, 1, 2))))[0])
    for analysis in (quiet, loaded):
        assert analysis.fits[0].fit.slope == pytest.approx(10 * STEPS * 2e-4)
        assert analysis.fits[0].per_step == pytest.approx(2e-4)


def test_curves_are_read_at_the_seconds_alone(record: SweepRecord):
    (table,) = tables(probed(record))
    for row in table.configurations:
        points = curve(row.trials[0])
        epoch = STEPS * step_seconds(row.num_samples)
        assert [one.seconds for one in points] == pytest.approx([one.epoch * epoch for one in points])


def test_seconds_of_two_kinds_or_of_some_shapes_only_are_not_mixed(record: SweepRecord):
    for mixed in (
        probed(record, KS[:3]),
        probed(probed(record, KS[:2], "A"), KS[2:], "B"),
        replace(record, probes=()),
    ):
        (table,) = tables(mixed)
        assert table.timed_on is None
        for row, before in zip(table.configurations, tables(record)[0].configurations, strict=True):
            assert row.estimate(SECONDS) == row.estimate("train_seconds") == before.estimate(SECONDS)


def test_of_two_machines_the_one_that_most_trials_ran_on_is_taken(record: SweepRecord):
    both = probed(probed(record), machine="H100", factor=0.1)
    here, there = {"cpu": "EPYC", "threads": 1}, {"gpu": "H100"}
    mostly_here = on(on(both, there, 0), here, *range(1, 12))
    assert tables(mostly_here)[0].timed_on == CPU
    assert tables(on(both, there, *range(12)))[0].timed_on == "H100"
    trials = [trial for row in tables(mostly_here)[0].configurations for trial in row.trials]
    assert reasons(trials) == {"ran on H100": 1}


def test_the_slowdown_is_what_the_trials_measured_over_what_they_take_alone(record: SweepRecord):
    rows = tables(probed(record))[0].configurations
    ratios = [
        trial.train_seconds / (10 * STEPS * step_seconds(row.num_samples))
        for row in rows
        for trial in row.trials
    ]
    assert slowdown(rows) == pytest.approx(np.median(ratios))
    assert slowdown(tables(record)[0].configurations) is None


def test_a_ratio_of_probes_has_the_error_of_both(record: SweepRecord):
    steps = analyse(tables(probed(record))[0]).gains
    for gain in steps:
        expected = math.log(step_seconds(gain.second.num_samples) / step_seconds(gain.first.num_samples))
        assert gain.slower is not None
        assert gain.slower.value == pytest.approx(expected)
        # 1 % each and independent; six pairs share 5 % (Bonferroni): 2.638 in place of 1.960 deviations.
        assert gain.slower.half == pytest.approx(math.sqrt(2) * math.log(1.01) * 2.6383 / 1.95996, rel=1e-4)
        assert gain.rate_interval is not None


def test_intervals_of_all_ratios_hold_together(record: SweepRecord):
    """In 95 % of 1,000 draws of probes with normal errors of 2 %; within two standard errors."""
    (table,) = tables(probed(record))
    rng, pairs, missed, draws = np.random.default_rng(0), list(combinations(range(4), 2)), 0, 1000
    for _ in range(draws):
        factors = np.exp(0.02 * rng.normal(size=4))
        rows = [drawn(row, factor) for row, factor in zip(table.configurations, factors, strict=True)]
        ratios = [probed_ratio(rows[a], rows[b], len(pairs)) for a, b in pairs]
        truths = [math.log(step_seconds(KS[b]) / step_seconds(KS[a])) for a, b in pairs]
        ends = [(one.low or 0.0, one.high or 0.0) for one in ratios if one is not None]
        missed += not all(low <= truth <= high for (low, high), truth in zip(ends, truths, strict=True))
    assert missed <= 0.05 * draws + 2 * math.sqrt(draws * 0.05 * 0.95)


def drawn(row: Configuration, factor: float) -> Configuration:
    """The row with another draw of its probe, whose interval is that of a normal error of 2 %."""
    assert row.alone is not None
    seconds, wide = factor * row.alone.step_seconds, math.exp(1.96 * 0.02)
    update = {"step_seconds": seconds, "low": seconds / wide, "high": seconds * wide}
    alone = row.alone.model_copy(update=update)
    return replace(row, trials=tuple(replace(trial, alone=alone) for trial in row.trials))
