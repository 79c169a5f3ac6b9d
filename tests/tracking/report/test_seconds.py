"""What the report says of how its seconds were measured, and of its forecast."""

from dataclasses import replace

import pytest

from support.factory import Factory
from tracking.analysis.analysis import analyse
from tracking.analysis.clocks.forecasts import Check, Pair
from tracking.analysis.configurations import tables
from tracking.records.exclusive import shape_of
from tracking.records.records import SweepRecord
from tracking.records.shapes import LaunchForecast, ShapeProbe
from tracking.report.page.blocks import Table
from tracking.report.page.timing.seconds import seconds_section
from tracking.report.words.answers.k import answer
from tracking.report.words.time import fit_sentence, forecast_sentences, how_measured
from tracking.report.words.trials import timing


@pytest.fixture
def record(make: Factory) -> SweepRecord:
    """Every trial shared its machine and took 86 s and more; alone, K = 1 takes 20 s and K = 50 40 s."""
    trials = [
        make.trial({"objective.num_samples": k}, seed, index=index, shared=True)
        for index, (k, seed) in enumerate((k, seed) for k in (1, 50) for seed in (0, 1, 2))
    ]
    probes = [
        ShapeProbe(
            shape=shape_of(trial.config),
            machine="EPYC, 1 thread",
            steps_per_epoch=500,
            step_seconds=seconds,
            low=seconds / 1.02,
            high=seconds * 1.02,
            rounds=9,
        )
        for trial, seconds in ((trials[0], 0.004), (trials[3], 0.008))
    ]
    return replace(make.sweep(make.ks(1, 50)), trials=tuple(trials), probes=tuple(probes))


def test_the_answer_costs_seconds_alone_and_says_so(record: SweepRecord):
    alone, as_measured = (
        " ".join(answer(analyse(tables(one)[0]))) for one in (record, replace(record, probes=()))
    )
    assert "40.0 s of training (K = 1: 20.0 s; measured alone)" in alone
    assert "measured on a shared machine" in as_measured


def test_the_section_names_machine_rounds_and_reason(record: SweepRecord):
    first, second = how_measured(tables(record)[0])
    assert "a step takes alone on EPYC, 1 thread" in first
    assert "9 rounds" in first
    assert "6 of 6: 4 trials on 2 cores" in second
    (table,) = (
        block for block in seconds_section(record, analyse(tables(record)[0])) if isinstance(block, Table)
    )
    assert [[cell.shown for cell in row][1:4] for row in table.rows] == [
        ["5,000", "4.00", "20.00"],
        ["5,000", "8.00", "40.0"],
    ]


def test_a_sweep_without_a_probe_has_no_such_section(record: SweepRecord):
    bare = replace(record, probes=())
    assert seconds_section(bare, analyse(tables(bare)[0])) == []
    assert "differences in seconds may partly come from the load" in timing(bare)[0]


def test_the_limits_say_what_is_not_used_and_whose_seconds_they_are(record: SweepRecord):
    said = " ".join(timing(record))
    assert "no comparison uses it" in said
    assert "those of EPYC, 1 thread with nothing else to do" in said
    assert "may partly come from the load" not in said


def test_the_line_says_that_its_seconds_are_alone(record: SweepRecord):
    fit = analyse(tables(record)[0]).fits[0]
    assert "measured alone, fits" in fit_sentence(fit, "measured alone")
    assert "82 µs per optimizer step" in fit_sentence(fit)  # 4 ms for 49 samples


def test_a_forecast_is_told_with_its_interval_and_its_errors(record: SweepRecord):
    said = LaunchForecast(made=1.0, wall_seconds=100.0, wall_low=80.0, wall_high=120.0)
    pairs = tuple(Pair(trial, 30.0, 40.0) for trial in record.trials[:3])
    first, second = forecast_sentences(Check(1, said, 110.0, True, pairs))
    assert "100 s [80.0, 120]; it took 110 s, within that interval" in first
    assert "3 trials were forecast with an error of 25 % in the median and 25 % at most" in second
    (only,) = forecast_sentences(Check(1, said, 130.0, True, ()))
    assert "outside that interval" in only
    (stopped,) = forecast_sentences(Check(1, said, None, True, ()))
    assert "not run to its end" in stopped
