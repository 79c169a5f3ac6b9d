"""Files as people have them, imported: the sets that come out are theirs, number by number."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_iris

from iwae.config.train import TrainConfig
from iwae.data.load import load_dataset, suit
from sweeps.importing.importing import import_data
from sweeps.importing.source import Reading

IRIS, SPECIES = load_iris(return_X_y=True)
NAMES = load_iris().target_names[SPECIES]
FEATURES = ("sepal length", "sepal width", "petal length", "petal width")
DIGITS, CLASSES = load_digits(return_X_y=True)
GRAY = (DIGITS * 15).astype(np.uint8).reshape(-1, 8, 8)
COLOUR = np.random.default_rng(0).integers(0, 256, (60, 5, 6, 3), dtype=np.uint8)


def frame() -> pd.DataFrame:
    return pd.DataFrame(IRIS, columns=FEATURES).assign(species=NAMES)


def npy(folder: Path) -> Path:
    np.save(folder / "any.npy", IRIS.astype(np.float32))
    return folder / "any.npy"


def keras(folder: Path) -> Path:
    arrays = {
        "x_train": GRAY[:80],
        "y_train": CLASSES[:80],
        "x_test": GRAY[80:100],
        "y_test": CLASSES[80:100],
    }
    np.savez(folder / "mnist.npz", **arrays)
    return folder / "mnist.npz"


def medmnist(folder: Path) -> Path:
    arrays: dict[str, np.ndarray] = {}
    for split, rows in (("train", slice(0, 30)), ("val", slice(30, 40)), ("test", slice(40, 60))):
        arrays[f"{split}_images"] = COLOUR[rows]
        arrays[f"{split}_labels"] = np.arange(60, dtype=np.uint8)[rows, None] % 3
    np.savez_compressed(folder / "pathmnist.npz", **arrays)
    return folder / "pathmnist.npz"


def bare_npz(folder: Path) -> Path:
    np.savez(folder / "own.npz", np.moveaxis(COLOUR, 3, 1))  # arr_0, channels first
    return folder / "own.npz"


def csv(folder: Path) -> Path:
    frame().to_csv(folder / "iris.csv")  # with pandas' row numbers
    return folder / "iris.csv"


def csv_without_names(folder: Path) -> Path:
    np.savetxt(folder / "numbers.csv", IRIS, delimiter=";")
    return folder / "numbers.csv"


def tsv(folder: Path) -> Path:
    with gzip.open(folder / "iris.tsv.gz", "wt") as file:
        frame().to_csv(file, sep="\t", index=False)
    return folder / "iris.tsv.gz"


def parquet(folder: Path) -> Path:
    frame().to_parquet(folder / "iris.parquet")
    return folder / "iris.parquet"


def embeddings(folder: Path) -> Path:
    pd.DataFrame({"embedding": list(IRIS), "label": SPECIES + 1}).to_parquet(folder / "vectors.parquet")
    return folder / "vectors.parquet"


def pixels(folder: Path) -> Path:
    table = pd.DataFrame(GRAY[:100].reshape(100, 64)).add_prefix("pixel").assign(label=CLASSES[:100])
    table.to_csv(folder / "train.csv", index=False)
    return folder / "train.csv"


def png(folder: Path) -> Path:
    for number, (image, label) in enumerate(zip(GRAY[:100], CLASSES, strict=False)):
        path = folder / "digits" / str(label) / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    (folder / "digits" / ".DS_Store").write_bytes(b"")
    return folder / "digits"


def split_folders(folder: Path) -> Path:
    for number, image in enumerate(COLOUR):
        split = "train" if number < 30 else "val" if number < 40 else "test"
        path = folder / "photos" / split / f"{number:04}.bmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return folder / "photos"


LABELLED = Reading(label="species")
KINDS: dict[str, tuple[Callable[[Path], Path], Reading, np.ndarray, np.ndarray | None]] = {
    "npy": (npy, Reading(), IRIS.astype(np.float32), None),
    "npz of keras": (keras, Reading(), GRAY[:100], CLASSES[:100]),
    "npz of MedMNIST": (medmnist, Reading(), COLOUR, np.arange(60) % 3),
    "npz without names": (bare_npz, Reading(), COLOUR, None),
    "csv": (csv, LABELLED, IRIS, SPECIES),
    "csv without names": (csv_without_names, Reading(), IRIS, None),
    "tsv, compressed": (tsv, LABELLED, IRIS, SPECIES),
    "parquet": (parquet, LABELLED, IRIS, SPECIES),
    "parquet of vectors": (embeddings, Reading(label="label"), IRIS, SPECIES),
    "csv of pixels": (
        pixels,
        Reading(label="label", kept_as="bytes", shape=(8, 8)),
        GRAY[:100],
        CLASSES[:100],
    ),
    "folder of classes": (png, Reading(), GRAY[:100], CLASSES[:100]),
    "folder of splits": (split_folders, Reading(), COLOUR, None),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_what_the_source_has(kind: str, tmp_path: Path) -> None:
    make, reading, items, labels = KINDS[kind]
    found = import_data(make(tmp_path), tmp_path / "out.npz", reading)
    with np.load(tmp_path / "out.npz", allow_pickle=False) as written:
        arrays = dict(written)
    splits = [arrays[name] for name in ("train", "validation", "test")]
    assert {part.dtype for part in splits} == {items.dtype}
    together = np.concatenate(splits)
    pairs = rows(together, labels if labels is None else labels_of(arrays))
    assert pairs == rows(items, labels)
    assert [found.splits[name].items for name in ("train", "validation", "test")] == [*map(len, splits)]
    # What a sweep reads of it, with the lines that were printed.
    config = TrainConfig.parse(found.base)
    data = load_dataset(config.data)
    suit(data, config)
    assert data.layout.shape == items.shape[1:]
    assert [len(data.train), len(data.validation), len(data.test)] == [*map(len, splits)]
    if labels is not None:
        assert data.labels is not None
        assert data.labels.test.tolist() == arrays["test_labels"].tolist()
    if items.dtype.kind == "f":
        assert data.scaling is not None
        np.testing.assert_allclose(data.scaling.undo(data.test.numpy()), arrays["test"], rtol=1e-5, atol=1e-5)


def labels_of(arrays: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([arrays[f"{name}_labels"] for name in ("train", "validation", "test")])


def rows(items: np.ndarray, labels: np.ndarray | None) -> list[tuple[bytes, int]]:
    """Every item with its label, whatever the order."""
    numbers = [0] * len(items) if labels is None else [int(label) for label in labels]
    return sorted(zip((item.tobytes() for item in items), numbers, strict=True))


@pytest.mark.parametrize("make", [keras, medmnist, split_folders])
def test_splits_of_the_source_stay(make: Callable[[Path], Path], tmp_path: Path) -> None:
    import_data(make(tmp_path), tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as written:
        if make is keras:
            assert np.array_equal(written["test"], GRAY[80:100])
            assert np.array_equal(written["test_labels"], CLASSES[80:100])
            assert not set(map(bytes, written["validation"])) & set(map(bytes, GRAY[80:100]))
        else:
            bounds = {"train": (0, 30), "validation": (30, 40), "test": (40, 60)}
            for name, (start, end) in bounds.items():
                assert np.array_equal(written[name], COLOUR[start:end])


def test_names_of_classes_and_features_are_kept(tmp_path: Path) -> None:
    import_data(csv(tmp_path), tmp_path / "out.npz", LABELLED)
    with np.load(tmp_path / "out.npz") as written:
        assert written["label_names"].tolist() == ["setosa", "versicolor", "virginica"]
        assert tuple(written["feature_names"]) == FEATURES
    found = import_data(embeddings(tmp_path), tmp_path / "vectors.npz", Reading(label="label"))
    assert found.label_names == ("1", "2", "3")


@pytest.mark.parametrize(
    ("array", "kept_as", "dtype", "values"),
    [
        (np.tile([0, 1], (9, 2)), None, "bool", [0, 1]),
        (np.tile([0, 255], (9, 2)).astype(np.uint8), None, "bool", [0, 1]),
        (np.tile([0.0, 1.0], (9, 2)), None, "float64", [0, 1]),
        (np.tile([0.0, 1.0], (9, 2)), "binary", "bool", [0, 1]),
        (np.tile([7, 200], (9, 2)), None, "float64", [7, 200]),
        (np.tile([7, 200], (9, 2)), "bytes", "uint8", [7, 200]),
        (np.tile([0, 16], (9, 2)).astype(np.uint8), "floats", "float32", [0, 16]),
        (np.tile([-3, 4], (9, 2)).astype(np.float16), None, "float32", [-3, 4]),
    ],
)
def test_no_unit_is_guessed(
    array: np.ndarray, kept_as: Any, dtype: str, values: list[int], tmp_path: Path
) -> None:
    np.save(tmp_path / "a.npy", array)
    found = import_data(tmp_path / "a.npy", tmp_path / "out.npz", Reading(kept_as=kept_as))
    with np.load(tmp_path / "out.npz") as written:
        assert (found.dtype, np.unique(written["train"]).tolist()) == (dtype, values)


def picture(mode: str, shade: int) -> Image.Image:
    if mode == "P":
        return Image.new("RGB", (4, 3), (shade, 20, 30)).quantize(4)
    if mode == "I;16":
        return Image.fromarray(np.full((3, 4), 256 * shade, np.uint16))
    colours: dict[str, Any] = {"1": shade > 30, "L": shade, "LA": (shade, 255), "RGB": (shade, 20, 30)}
    colours |= {"RGBA": (shade, 20, 30, 255), "see-through": (shade, 20, 30, 9 + shade)}
    return Image.new("RGBA" if mode == "see-through" else mode, (4, 3), colours[mode])


@pytest.mark.parametrize(
    ("modes", "shape", "dtype", "last"),
    [
        (["1"], (3, 4), "bool", 1),
        (["L"], (3, 4), "uint8", 240),
        (["LA", "L"], (3, 4), "uint8", 240),
        (["RGB"], (3, 4, 3), "uint8", 30),
        (["P", "RGBA", "RGB", "L"], (3, 4, 3), "uint8", None),
        (["see-through", "RGB"], (3, 4, 4), "uint8", None),
        (["I;16"], (3, 4), "float32", 256 * 240),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_images_of_every_mode_are_brought_to_one(
    modes: list[str], shape: tuple[int, ...], dtype: str, last: int | None, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    for number in range(12):
        shade = 20 * (number + 1)
        picture(modes[number % len(modes)], shade).save(tmp_path / "folder" / f"{number:02}.png")
    found = import_data(tmp_path / "folder", tmp_path / "out.npz")
    assert (found.shape, found.dtype) == (shape, dtype)
    with np.load(tmp_path / "out.npz") as written:
        items = np.concatenate([written[name] for name in ("train", "validation", "test")])
    if last is not None:
        assert items.reshape(12, -1)[:, -1].max() == last


def test_images_of_two_sizes_are_resized_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for number in range(12):
        Image.new("L", (8 + number, 9), 200 + number).save(tmp_path / "folder" / f"{number:02}.png")
    import_data(tmp_path / "folder", tmp_path / "out.npz", Reading(resize=(6, 5)))
    with np.load(tmp_path / "out.npz") as written:
        items = np.concatenate([written[name] for name in ("train", "validation", "test")])
    assert items.shape == (12, 6, 5)
    assert sorted(items[:, 0, 0]) == [200 + number for number in range(12)]
    assert (items == items[:, :1, :1]).all()


def test_attributes_stand_beside_their_items(tmp_path: Path) -> None:
    frame().to_parquet(tmp_path / "iris.parquet")
    reading = Reading(label="species", attribute=("petal length", "petal width"))
    found = import_data(tmp_path / "iris.parquet", tmp_path / "out.npz", reading)
    assert found.feature_names == FEATURES[:2]
    again = import_data(tmp_path / "out.npz", tmp_path / "again.npz")
    assert [split.items for split in again.splits.values()] == [105, 15, 30]
    data = load_dataset(TrainConfig.parse(again.base).data)
    assert data.scaling is not None
    together = np.concatenate([data.scaling.undo(data.train.numpy()), data.told("train").numpy()], axis=1)
    known = {tuple(row) for row in IRIS.round(1).tolist()}
    assert {tuple(row) for row in together.astype(float).round(1).tolist()} <= known
