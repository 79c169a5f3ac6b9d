import math
from dataclasses import replace

import pytest

from tracking.analysis.configurations import tables
from tracking.report.charts.spread import bar, beyond, dots, note, view


def configuration(make, values, column="test/active_units"):
    trials = [
        make.trial({"model.latent_dim": 20}, seed, final={column: value}) for seed, value in enumerate(values)
    ]
    return tables(make.record(trials))[0].configurations[0]


def test_two_seeds_are_shown_themselves_and_three_as_a_bar(make):
    two, three = configuration(make, (9.0, 15.0)), configuration(make, (9.0, 11.0, 10.0))
    assert (dots(two, "active_units"), bar(two, "active_units", two.estimate("active_units"))) == (
        (9.0, 15.0),
        None,
    )
    # The t-quantile of two degrees of freedom; on the logarithm the standard error is that over the mean, 10.
    factor = math.exp(4.302653 / math.sqrt(3) / 10)
    assert dots(three, "active_units") == ()
    assert bar(three, "active_units", three.estimate("active_units")) == pytest.approx(
        (10 / factor, 10 * factor)
    )


def test_intervals_end_where_the_possible_ends(make):
    found = configuration(make, (20.0, 2.0, 19.0)).estimate("active_units")
    assert found.high == 20.0
    assert 0 < found.low < found.mean


@pytest.mark.parametrize(
    ("column", "limits"),
    [
        ("active_units", (0, 20)),
        ("ess", (1, 5000)),
        ("train_seconds", (0, math.inf)),
        ("peak_memory_bytes", (0, math.inf)),
        ("val_nll_final", (-math.inf, math.inf)),
    ],
)
def test_a_column_has_the_limits_of_what_it_measures(make, column, limits):
    row = configuration(make, (9.0,))
    assert row.trials[0].config.evaluation.final_num_samples == 5000
    assert row.possible(column) == limits


def test_an_axis_holds_every_seed_but_not_the_interval_of_two(make):
    row = configuration(make, (90.0, 91.0), "val/nll_final")
    assert row.estimate("val_nll_final").high > 96
    assert view([row], ("val_nll_final",)) == pytest.approx((89.92, 91.08))


def test_an_axis_holds_the_interval_of_three_seeds(make):
    row = configuration(make, (90.0, 91.0, 92.0), "val/nll_final")
    low, high = view([row], ("val_nll_final",))
    assert low < row.estimate("val_nll_final").low
    assert high > row.estimate("val_nll_final").high


def test_an_axis_never_shows_more_units_than_there_are(make):
    low, high = view([configuration(make, (1.0, 20.0))], ("active_units",))
    assert -1 < low < 1
    assert 20 < high < 21


def test_an_axis_of_equal_values_has_some_room(make):
    low, high = view([configuration(make, (90.0,), "val/nll_final")], ("val_nll_final",))
    assert low < 90 < high


def test_captions_say_what_is_drawn_and_no_more(make):
    one, two, three = (configuration(make, (9.0,) * count) for count in (1, 2, 3))
    assert note([one]) == ""
    assert "single seeds" in note([one, two])
    assert "Bars" not in note([two])
    assert "cut off at the edge of the axis" in note([three])


def test_what_diverged_does_not_set_the_scale(make):
    healthy = configuration(make, (90.0, 91.0, 92.0), "val/nll_final")
    broken = replace(configuration(make, (90.0, 9000.0), "val/nll_final"), diverged="seed 1 has 9,000 nats")
    assert view([healthy, broken], ("val_nll_final",)) == view([healthy], ("val_nll_final",))
    assert "beyond the axis" in beyond([healthy, broken])
    assert beyond([healthy]) == ""
    assert view([broken], ("val_nll_final",))[1] > 9000
