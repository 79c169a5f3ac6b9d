import math

import pytest

from tracking.statistics.comparisons import Difference
from tracking.statistics.numbers import listing, measured, nats, number, signed, times


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (551.4, "551"), (12_345.6, "12,346"), (1.2, "1.20"), (0.0620, "0.062"), (-3.14159, "−3.14")],
)
def test_numbers_keep_three_digits_and_all_whole_ones(value, shown):
    assert number(value) == shown


def test_nats_have_two_places_and_a_real_minus():
    assert (nats(86.756), nats(-31.2), nats(-0.001)) == ("86.76", "−31.20", "0.00")
    assert (signed(0.18), signed(-0.18)) == ("+0.18", "−0.18")


@pytest.mark.parametrize(
    ("value", "ends", "shown"),
    [
        (23.6, (23.2, 24.0), ("23.60", "[23.20, 24.00]")),
        (432.1, (420.0, 444.2), ("432", "[420, 444]")),
        (0.0625, (0.0431, 0.0819), ("0.062", "[0.043, 0.082]")),
        (0.1, (-1.26, 1.46), ("0.10", "[−1.26, 1.46]")),
        (8.14, (-1.8, 18.1), ("8.1", "[−1.8, 18.1]")),
        (0.004, (-0.9, 0.9), ("0.0", "[−0.9, 0.9]")),
        (18.0, (18.0, 18.0), ("18.0", "[18.0, 18.0]")),
        (5.0, None, ("5.00", "")),
    ],
)
def test_a_value_has_the_decimals_of_its_interval(value, ends, shown):
    assert measured(value, ends) == shown


def test_lists_end_with_and_or_with_how_many_are_left_out():
    assert listing([]) == ""
    assert listing(["a"]) == "a"
    assert listing(["a", "b", "c"]) == "a, b and c"
    assert listing(list("abcdef"), 4) == "a, b, c, d and 2 more"


def test_a_logarithm_of_a_ratio_is_shown_as_that_ratio():
    assert times(Difference(math.log(2), math.log(1.5), math.log(2.7))) == ("×2.0", "[1.5, 2.7]")
    assert times(Difference(math.log(2))) == ("×2.00", "")
    assert times(Difference(math.log(2), math.log(0.013), math.log(312))) == ("×2.0", "[0.013, 312]")
    assert times(None) == ("", "")
