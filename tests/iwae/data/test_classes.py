from typing import Any

import numpy as np
import pytest

from iwae.data.classes import classes_of
from iwae.errors import DataError


@pytest.mark.parametrize(
    ("train", "test", "names", "numbers", "classes"),
    [
        (["b", "a", "b"], ["c"], None, [1, 0, 1, 2], ("a", "b", "c")),
        ([7, 3, 3], [9], None, [1, 0, 0, 2], ("3", "7", "9")),
        ([True, False], [True], None, [1, 0, 1], ("0", "1")),
        ([2, 0], [1], ["cat", "dog", "eel"], [2, 0, 1], ("cat", "dog", "eel")),
        (["eel", "cat"], ["dog"], ["eel", "dog", "cat"], [0, 2, 1], ("eel", "dog", "cat")),
        ([b"y", b"x"], [b"y"], None, [1, 0, 1], ("x", "y")),
    ],
)
def test_labels_become_classes(
    train: list[Any], test: list[Any], names: list[str] | None, numbers: list[int], classes: tuple[str, ...]
) -> None:
    labels = {"train": np.array(train), "test": np.array(test)}
    found, named = classes_of(labels, None if names is None else np.array(names), "a.npz")
    assert [*found["train"].tolist(), *found["test"].tolist()] == numbers
    assert found["train"].dtype == np.int64
    assert named == classes


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ([0, 1, 5], ["cat", "dog"], r"a.npz: train_labels\[2\] is 5: must be 0 to 1"),
        ([0, -1], ["cat", "dog"], r"train_labels\[1\] is -1: must be 0 to 1"),
        (["cat", "cow"], ["cat", "dog"], r"train_labels\[1\] is cow: must be one of label_names"),
        ([0, 1], ["cat", "cat"], r"label_names has a name twice"),
        ([0, 1], [[1, 2]], r"label_names has the shape \(1, 2\) of int64: must be text"),
        (list(range(10_001)), None, r"the labels have 10,001 classes: must be <= 10,000"),
    ],
)
def test_labels_that_are_no_classes_are_one_line(labels: list[Any], names: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        classes_of({"train": np.array(labels)}, None if names is None else np.array(names), "a.npz")
