"""A user's own floats, colours and labels, from the file to the data set."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from iwae.config.data import DataConfig
from iwae.config.layout import Layout
from iwae.config.train import TrainConfig
from iwae.data.load import load_dataset, suit
from iwae.data.npz.facts import npz_facts
from iwae.errors import ConfigError, DataError

SOURCE = np.random.default_rng(0)
ROWS = SOURCE.normal(size=(90, 3)) * [1, 100, 1e-3] + [0, 500, 0]
COLOURS = SOURCE.integers(0, 256, (90, 6, 5, 3), np.uint8)
CLASSES = np.array(["cat", "dog", "eel"])[SOURCE.integers(0, 3, 90)]


def saved(folder: Path, rows: np.ndarray, **more: np.ndarray) -> DataConfig:
    """60 training, 20 validation and 10 test items."""
    path = folder / "mine.npz"
    np.savez(path, train=rows[:60], validation=rows[60:80], test=rows[80:], **more)
    return DataConfig(name="npz", path=str(path), binarization="none")


def labelled(classes: np.ndarray) -> dict[str, np.ndarray]:
    return {"train_labels": classes[:60], "validation_labels": classes[60:80], "test_labels": classes[80:]}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f8"])
def test_floats_are_taken_as_they_are(dtype: Any, tmp_path: Path) -> None:
    data = load_dataset(saved(tmp_path, ROWS.astype(dtype)))
    assert np.array_equal(data.train.numpy(), ROWS[:60].astype(dtype).astype(np.float32))
    assert (data.layout, data.scaling, data.log_determinant) == (Layout((3,)), None, 0)


def test_the_same_values_in_another_precision_are_the_same_content(tmp_path: Path) -> None:
    half = ROWS.astype(np.float16)
    configs = [saved(tmp_path, half.astype(dtype)) for dtype in ("<f2", "<f4", ">f8")]
    first, *rest = [load_dataset(saved(tmp_path, half.astype(dtype))) for dtype in ("<f2", "<f4", ">f8")]
    assert {data.content_hash for data in rest} == {first.content_hash}
    scaled = load_dataset(configs[0].model_copy(update={"scaling": "standardize"}))
    assert (scaled.content_hash, scaled.measured_hash) == (rest[-1].content_hash, rest[-1].measured_hash)
    assert load_dataset(saved(tmp_path, half * 2)).content_hash != first.content_hash


def test_every_pixel_of_a_colour_image_is_where_the_layout_says(tmp_path: Path) -> None:
    last = load_dataset(saved(tmp_path, COLOURS))
    assert last.layout == Layout((6, 5, 3))
    assert np.array_equal(last.test.numpy().reshape(10, 6, 5, 3), COLOURS[80:])
    first = load_dataset(saved(tmp_path, COLOURS.transpose(0, 3, 1, 2)))
    assert (first.layout, first.content_hash) == (last.layout, last.content_hash)
    floats = load_dataset(saved(tmp_path, COLOURS.transpose(0, 3, 1, 2) / 255))
    np.testing.assert_allclose(floats.test, last.test.numpy() / 255, atol=1e-7)


@pytest.mark.parametrize("order", ["file", "shuffled"])
@pytest.mark.parametrize("own_validation", [True, False])
def test_labels_stay_with_their_items(order: str, own_validation: bool, tmp_path: Path) -> None:
    digits = load_digits()
    pixels, classes = digits.images.astype(np.uint8) * np.uint8(15), digits.target
    arrays = {"train": pixels[:200], "test": pixels[200:300]}
    arrays |= {"train_labels": classes[:200], "test_labels": classes[200:300]}
    if own_validation:
        arrays |= {"valid": pixels[300:350], "valid_labels": classes[300:350]}
    np.savez(tmp_path / "a.npz", **arrays)
    config = DataConfig.model_validate({"name": "npz", "path": str(tmp_path / "a.npz"), "order": order})
    data = load_dataset(config.model_copy(update={"num_train": 90}))
    assert data.labels is not None
    class_of = {image.tobytes(): int(one) for image, one in zip(pixels, classes, strict=True)}
    for split in ("train", "validation", "test"):
        items, labels = getattr(data, split), getattr(data.labels, split)
        assert [class_of[row.tobytes()] for row in items.numpy()] == labels.tolist(), split
    assert data.labels.names == tuple("0123456789")
    assert len(data.labels.train) == 90
    assert data.layout.num_attributes == 10


@pytest.mark.parametrize("order", ["file", "shuffled"])
def test_attributes_stay_with_their_items_and_are_told_in_place_of_classes(
    order: str, tmp_path: Path
) -> None:
    told = np.stack([ROWS.sum(1), ROWS[:, 0], ROWS[:, 1]], 1)  # as wide as an item
    arrays = {
        "train_attributes": told[:60],
        "validation_attributes": told[60:80],
        "test_attributes": told[80:],
    }
    config = saved(tmp_path, ROWS, **arrays, **labelled(CLASSES)).model_copy(update={"order": order})
    data = load_dataset(config)
    assert npz_facts(Path(config.path or "")).layout == data.layout == Layout((3,), 3, False)
    for split in ("train", "validation", "test"):
        items = getattr(data, split).double()
        np.testing.assert_allclose(data.told(split)[:, 0], items.sum(1), rtol=1e-5)
        np.testing.assert_allclose(data.told(split)[:, 1:], items[:, :2], rtol=1e-6)
    other = load_dataset(saved(tmp_path, ROWS, **{name: 2 * array for name, array in arrays.items()}))
    assert other.told_hash != data.told_hash


def test_labels_are_no_part_of_the_content(tmp_path: Path) -> None:
    without = load_dataset(saved(tmp_path, COLOURS))
    named = load_dataset(saved(tmp_path, COLOURS, **labelled(CLASSES)))
    other = load_dataset(saved(tmp_path, COLOURS, **labelled(CLASSES[::-1])))
    assert without.labels is None
    assert named.content_hash == without.content_hash
    assert named.labels is not None
    assert other.labels is not None
    assert named.labels.names == ("cat", "dog", "eel")
    assert named.labels.hash != other.labels.hash


def test_headers_and_labels_tell_what_the_items_are(tmp_path: Path) -> None:
    config = saved(tmp_path, COLOURS.transpose(0, 3, 1, 2), **labelled(CLASSES))
    facts = npz_facts(Path(config.path or ""))
    assert facts == ({"train": 60, "validation": 20, "test": 10}, Layout((6, 5, 3), 3), False)
    assert load_dataset(config).layout == facts.layout
    assert npz_facts(Path(saved(tmp_path, ROWS).path or "")).floats


def broken(value: float) -> np.ndarray:
    rows = ROWS.copy()
    rows[70, 1] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        (broken(np.nan), {}, r"validation has 1 NaN of 60 values, in 1 of 20 items .the first at \[10, 1\]"),
        (broken(np.inf), {"feature_names": np.array(["a", "b", "c"])}, r"1 infinite .*\[10, 1\], b\): must"),
        (ROWS.astype(complex), {}, "train is complex128: must be uint8"),
        (ROWS, {"feature_names": np.array(["a", "b"])}, r"feature_names has the shape \(2,\).*text \[3\]"),
        (
            ROWS,
            {"train_labels": CLASSES[:60]},
            "has train_labels and no validation_labels, test_labels: must",
        ),
        (
            ROWS,
            labelled(CLASSES) | {"test_labels": CLASSES[:9]},
            r"test_labels has the shape \(9,\): must be",
        ),
        (
            ROWS,
            {"test_attributes": ROWS[80:]},
            "has test_attributes and no train_attributes, validation_attr",
        ),
        (
            ROWS,
            {
                "train_attributes": ROWS[:60],
                "validation_attributes": ROWS[:20, :2],
                "test_attributes": ROWS[80:],
            },
            r"validation_attributes has the shape \(20, 2\): must be \[20, Y\], of one width",
        ),
        (ROWS, labelled(np.linspace(0, 1, 90)), "train_labels is float64: must be whole numbers or text"),
        (ROWS, labelled(CLASSES) | {"label_names": np.array(["cat", "dog"])}, "is eel: must be one of"),
        (COLOURS[:, :3, :, :3], {}, "channels could be the first or the last"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(
    rows: np.ndarray, more: dict[str, np.ndarray], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_dataset(saved(tmp_path, rows, **more))
    assert "\n" not in str(caught.value)
    assert "mine.npz" in str(caught.value)


@pytest.mark.parametrize("scaling", ["standardize", "min-max"])
def test_constant_feature_is_refused_where_it_would_be_divided_by_nothing(
    scaling: str, tmp_path: Path
) -> None:
    rows = ROWS.copy()
    rows[:60, 2] = 0.1
    config = saved(tmp_path, rows)
    load_dataset(config)
    with pytest.raises(
        DataError, match=r"mine.npz has 1 of 3 features .* in all 60 training items .feature 2"
    ):
        load_dataset(config.model_copy(update={"scaling": scaling}))


@pytest.mark.parametrize(
    ("rows", "data", "model", "message"),
    [
        (
            ROWS,
            {"binarization": "dynamic"},
            {},
            "data.binarization: dynamic is not allowed: must be none, .*mine",
        ),
        (ROWS, {}, {}, "model.likelihood: bernoulli is not allowed: must be gaussian, .*mine.npz has floats"),
        (COLOURS, {"scaling": "min-max"}, {"likelihood": "gaussian"}, "data.scaling: min-max .* has pixels"),
    ],
)
def test_what_is_for_pixels_is_refused_for_floats_and_the_other_way_round(
    rows: np.ndarray, data: dict[str, str], model: dict[str, str], message: str, tmp_path: Path
) -> None:
    config = saved(tmp_path, rows).model_copy(update=data)
    with pytest.raises(DataError, match=message):
        suit(load_dataset(config), TrainConfig.parse({"data": config.model_dump(), "model": model}))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"data": {"name": "digits", "scaling": "min-max"}}, "data.scaling: min-max .*: digits has pixels"),
        ({"data": {"name": "wine", "binarization": "fixed"}}, "data.binarization: fixed .*: wine has floats"),
        ({"data": {"name": "wine"}}, "model.likelihood: bernoulli .* gaussian: wine has floats"),
    ],
)
def test_what_a_name_decides_is_refused_before_anything_is_read(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig.parse(values)


def test_what_is_odd_about_the_data_is_told(tmp_path: Path) -> None:
    rows, classes = ROWS.copy(), CLASSES.copy()
    rows[80:, 0] *= 1e5
    rows[:, 2] = rows[:, 2] > 0
    classes[:60], classes[80:83] = "cat", "eel"
    config = saved(tmp_path, rows, **labelled(classes))
    for scaling in ("none", "standardize"):
        told = load_dataset(config.model_copy(update={"scaling": scaling})).remarks
        if scaling == "none":
            assert "data.scaling: standardize scales them" in told[2]
            told = told[:2] + told[3:]
        assert len(told) == 4
        assert "validation items of" in told[0]
        assert "of a class that no training item has" in told[1]
        assert "1 of 3 features" in told[2]
        assert "have at most 5 different values (feature 2)" in told[2]
        assert "1 of 3 features have another range in the test items" in told[3]
        low, high = rows[:60, 0].min(), rows[:60, 0].max()
        assert f"outside {low:.4g} to {high:.4g}" in told[3]


def test_key_of_data_that_are_not_scaled_is_that_of_old_sweeps() -> None:
    assert "scaling" not in DataConfig(name="digits").model_dump()
    assert (
        DataConfig.model_validate({"name": "wine", "scaling": "min-max"}).model_dump()["scaling"] == "min-max"
    )
    assert DataConfig.model_validate({"name": "wine"}).binarization == "none"
