"""What whoever compares likelihoods of floats should know of the data: sentences for plan and report."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from iwae.data.continuous.feature_names import feature_name, some_names
from iwae.scaling import Scaling

# Probability that a split which is a random part of the items is said to have another range.
FALSE_ALARM = 1e-4
# Beyond the training range by more than so many times its width, one value is enough.
FAR = 10.0
# Of the standard deviation of the widest feature: beyond it features are better scaled.
UNIT = (0.03, 30.0)
# A feature with as few values among as many items at least is no continuous one.
FEW_VALUES, FEWEST_ITEMS = 5, 20


class Stray(NamedTuple):
    """A feature whose values in a split lie beyond the training range.

    Attributes:
        feature: its number, from 0.
        number: values of the split outside the range.
    """

    feature: int
    number: int


def strays(train: np.ndarray, split: np.ndarray) -> list[Stray]:
    """Features whose range in a split is another than in training; the one with the most values first.

    A feature counts where so many values lie above the training maximum (or below the minimum) as happen by
    chance once in 10,000 splits, if they are random parts: of N + M exchangeable values, the largest c are
    all of the M with probability Π_{i<c} (M − i) / (N + M − i), whatever the distribution; Bonferroni over
    both ends of all features. Or where a value is farther beyond than ten times the width of the range.

    Args:
        train: ``[N, X]``.
        split: ``[M, X]``.
    """
    low, high = train.min(0), train.max(0)
    above, below = (split > high).sum(0), (split < low).sum(0)
    enough = _fewest_by_no_chance(len(train), len(split), FALSE_ALARM / (2 * train.shape[1]))
    with np.errstate(over="ignore"):
        width = high - low
        beyond = np.maximum(split.max(0) - high, low - split.min(0))
        far = (width > 0) & (beyond > FAR * width)
    found = np.flatnonzero((np.maximum(above, below) >= enough) & (width > 0) | far)
    every = [Stray(int(feature), int(above[feature] + below[feature])) for feature in found]
    return sorted(every, key=lambda stray: -stray.number)


def _fewest_by_no_chance(num_train: int, num_split: int, probability: float) -> int:
    """The fewest values beyond one end of the range that are less probable than this."""
    chance = 1.0
    for count in range(num_split):
        chance *= (num_split - count) / (num_train + num_split - count)
        if chance < probability:
            return count + 1
    return num_split + 1


def range_remark(
    train: np.ndarray, split: np.ndarray, name: str, names: Sequence[str] = (), scaling: Scaling | None = None
) -> str:
    """Where a split lies beyond the training range, in one sentence; empty where it does not.

    Args:
        train: ``[N, X]``.
        split: ``[M, X]``, the same.
        name: of the split and its data set, for example ``test items of wine``.
        names: of the features.
        scaling: what both were scaled by: the range is told in the data's own unit.
    """
    found = strays(train, split)
    if not found:
        return ""
    worst = found[0]
    ends = np.stack([train.min(0), train.max(0)])
    low, high = (ends if scaling is None else scaling.undo(ends))[:, worst.feature]
    return (
        f"{len(found):,} of {train.shape[1]:,} features have another range in the {name} than in training"
        f" ({feature_name(worst.feature, names)}: {worst.number:,} of {len(split):,} values are outside"
        f" {low:.4g} to {high:.4g}): their NLL is that of an extrapolation."
    )


def discrete_remark(train: np.ndarray, name: str, names: Sequence[str] = ()) -> str:
    """Which features are not continuous, in one sentence; empty where all are.

    Args:
        train: ``[N, X]``.
        name: of the data set.
        names: of the features.
    """
    if len(train) < FEWEST_ITEMS:
        return ""
    some = train[:FEWEST_ITEMS]
    found = [j for j in range(train.shape[1]) if _few_values(some[:, j]) and _few_values(train[:, j])]
    if not found:
        return ""
    return (
        f"{len(found):,} of {train.shape[1]:,} features of {name} have at most {FEW_VALUES} different values"
        f" ({some_names(found, names)}): a density of them has no upper limit, and an NLL can be as low as"
        " the model lets it."
    )


def scale_remark(train: np.ndarray, name: str) -> str:
    """That features are far from the unit which networks are made for; empty where they are not.

    Args:
        train: ``[N, X]`` as a model sees them.
        name: of the data set.
    """
    deviations = train.std(0, dtype=np.float64)
    low, high = float(deviations.min()), float(deviations.max())
    if UNIT[0] <= high <= UNIT[1]:
        return ""
    return (
        f"Features of {name} have standard deviations of {low:.2g} to {high:.2g}, and networks learn best"
        " from about 1: data.scaling: standardize scales them, and likelihoods stay in the data's own unit."
    )


def _few_values(column: np.ndarray) -> bool:
    return len(np.unique(column)) <= FEW_VALUES
