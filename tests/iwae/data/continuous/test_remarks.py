from itertools import combinations

import numpy as np

from iwae.data.continuous.remarks import FALSE_ALARM, discrete_remark, range_remark, strays


def test_random_parts_of_one_set_have_the_same_range() -> None:
    source = np.random.default_rng(0)
    draws = (source.exponential(size=(180, 30)) for _ in range(300))
    assert sum(bool(strays(rows[:140], rows[140:])) for rows in draws) == 0


def test_values_beyond_the_range_count_as_often_as_no_enumeration_makes_them() -> None:
    """Of 6 + 5 values in any order, the share of splits whose largest c are all in the second part."""
    for largest in (1, 2, 3):
        splits = list(combinations(range(11), 5))
        share = sum(set(range(11 - largest, 11)) <= set(second) for second in splits) / len(splits)
        product = np.prod([(5 - i) / (11 - i) for i in range(largest)])
        assert np.isclose(share, product)


def test_another_unit_a_shift_and_one_far_value_are_found_and_a_near_one_is_not() -> None:
    source = np.random.default_rng(1)
    train, split = source.normal(size=(140, 5)), source.normal(size=(40, 5)).clip(-1, 1)
    split[:, 0] *= 1000
    split[:, 1] += 4
    split[7, 2] = 1e3
    split[7, 3] = train[:, 3].max() + 1
    found = strays(train, split)
    assert {stray.feature for stray in found} == {0, 1, 2}
    assert found[-1] == (2, 1)
    remark = range_remark(train, split, "test items of mine", ("a", "b", "c", "d", "e"))
    assert remark.startswith("3 of 5 features have another range in the test items of mine than in training")


def test_few_items_never_are_enough_where_chance_does_the_same() -> None:
    train, split = np.arange(100.0)[:, None], 100.0 + np.arange(2.0)[:, None]
    assert FALSE_ALARM / 2 < (2 / 102) * (1 / 101)
    assert strays(train, split) == []


def test_features_of_few_values_are_named() -> None:
    rows = np.random.default_rng(2).normal(size=(60, 3))
    assert discrete_remark(rows, "mine") == ""
    rows[:, 1] = rows[:, 1] > 0
    assert "1 of 3 features of mine" in discrete_remark(rows, "mine", ("age", "sex", "bmi"))
    assert "(sex)" in discrete_remark(rows, "mine", ("age", "sex", "bmi"))
