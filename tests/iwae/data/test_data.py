import hashlib
import os
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from iwae.config.data import DataConfig
from iwae.config.layout import Layout
from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.data.load import load_dataset, suit
from iwae.data.pixels import intensities
from iwae.errors import ConfigError, DataError


def npz(tmp_path: Path, **arrays: Any) -> DataConfig:
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    return DataConfig(name="npz", path=str(path))


def images(number: int, height: int = 3, width: int = 2) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (number, height, width), dtype=np.uint8)


def test_digits_are_split_into_1137_300_and_360(digits: Dataset) -> None:
    assert [len(part) for part in (digits.train, digits.validation, digits.test)] == [1137, 300, 360]
    assert digits.layout == Layout((8, 8), 10)


def test_splits_of_the_digits_are_the_whole_set_without_repetition(digits: Dataset) -> None:
    together = np.concatenate([part.numpy() for part in (digits.train, digits.validation, digits.test)])
    original = np.rint(load_digits().images.reshape(-1, 64) * 255 / 16).astype(np.uint8)
    assert sorted(map(bytes, together)) == sorted(map(bytes, original))


def test_digits_are_the_same_every_time_and_their_hash_is_over_shapes_and_bytes(digits: Dataset) -> None:
    digest = hashlib.sha256()
    for part in (digits.train, digits.validation, digits.test):
        digest.update(str(tuple(part.shape)).encode() + part.numpy().tobytes())
    assert digits.content_hash == digest.hexdigest()
    assert load_dataset(DataConfig(name="digits")).content_hash == digits.content_hash


def test_num_train_takes_the_first_training_images(digits: Dataset) -> None:
    fewer = load_dataset(DataConfig(name="digits", num_train=50))
    assert np.array_equal(fewer.train, digits.train[:50])
    assert np.array_equal(fewer.validation, digits.validation)
    assert fewer.content_hash != digits.content_hash


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_validation": 1437}, r"data.num_validation: 1437 is not allowed: must be < 1437"),
        ({"num_train": 1138}, r"data.num_train: 1138 is not allowed: must be <= 1137"),
    ],
)
def test_split_that_does_not_fit_is_refused(values: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_dataset(DataConfig.model_validate({"name": "digits", **values}))


def test_npz_holds_out_a_sixth_of_the_training_images(tmp_path: Path) -> None:
    data = load_dataset(npz(tmp_path, train=images(60), test=images(5)))
    assert (len(data.train), len(data.validation), len(data.test)) == (50, 10, 5)
    assert data.layout == Layout((3, 2))
    assert np.array_equal(data.validation, images(60)[50:].reshape(10, 6))


def test_npz_of_bools_is_binary_and_its_own_validation_images_are_used(tmp_path: Path) -> None:
    flat = images(9) > 99
    data = load_dataset(npz(tmp_path, train=flat, test=flat[:3], validation=flat[:4]))
    assert set(data.train.unique().tolist()) == {0, 255}
    assert (len(data.train), len(data.validation)) == (9, 4)


def test_flat_npz_images_are_one_row_high(tmp_path: Path) -> None:
    flat = images(12).reshape(12, 6)
    assert load_dataset(npz(tmp_path, train=flat, test=flat)).layout == Layout((6,))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"train": images(9)}, "the array test is missing: the file has train"),
        (
            {"train": images(9).astype(np.float32), "test": images(9)},
            "splits are of different kinds .train float32, test uint8.",
        ),
        ({"train": images(9), "test": images(9, 4)}, r"test has items of \(4, 2\): must be \(3, 2\)"),
        ({"train": images(9)[:, 0, 0], "test": images(9)[:, 0, 0]}, r"train has the shape \(9,\): must be"),
        ({"train": images(9).astype(int), "test": images(9)}, r"train is int64: .*train.astype.np.float32."),
        ({"train": images(12), "test": images(1)}, "test has 1 items: must be >= 2"),
        ({"train": images(60), "test": images(9)[:0]}, "test has the shape .* not empty"),
        ({"train": np.array([{}]), "test": images(9)}, "train is object: must be uint8"),
    ],
)
def test_malformed_npz_is_one_line(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_dataset(npz(tmp_path, **arrays))
    assert "\n" not in str(caught.value)


def test_missing_or_broken_npz_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data.path: .*none.npz is not allowed: must be an .npz file"):
        load_dataset(DataConfig(name="npz", path=str(tmp_path / "none.npz")))
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK\x03\x04 not a zip file")
    with pytest.raises(DataError, match=r"cannot be read as an .npz file"):
        load_dataset(DataConfig(name="npz", path=str(broken)))


def test_validation_size_and_own_validation_images_contradict(tmp_path: Path) -> None:
    config = npz(tmp_path, train=images(9), test=images(3), validation=images(4))
    with pytest.raises(ConfigError, match=r"data.num_validation: 2 is not allowed: must be left out"):
        load_dataset(config.model_copy(update={"num_validation": 2}))


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "omniglot"])
def test_missing_set_names_the_folder_and_the_fix(name: str, tmp_path: Path) -> None:
    config = DataConfig.model_validate({"name": name})
    with pytest.raises(DataError, match="IWAE_DATA_DIR") as caught:
        load_dataset(config, root=tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("existed", [True, False])
def test_download_that_fails_leaves_no_folder_behind(
    existed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", no_network)
    root = tmp_path / "a" / "b"
    if existed:
        root.mkdir(parents=True)
    with pytest.raises(DataError, match="mnist cannot be read from"):
        load_dataset(DataConfig(name="mnist"), root=root, download=True)
    assert sorted(tmp_path.rglob("*")) == ([tmp_path / "a", root] if existed else [])


def mnist_folder() -> Path:
    root = Path(os.environ.get("IWAE_DATA_DIR", "/nowhere"))
    if not (root / "MNIST/raw/train-images-idx3-ubyte").exists():
        pytest.skip("IWAE_DATA_DIR holds no MNIST")
    return root


def test_mnist_validation_is_the_last_10000_training_images() -> None:
    root = mnist_folder()
    data = load_dataset(DataConfig(name="mnist"), root=root)
    raw = np.fromfile(root / "MNIST/raw/train-images-idx3-ubyte", np.uint8)[16:].reshape(60_000, 784)
    assert np.array_equal(data.train, raw[:50_000])
    assert np.array_equal(data.validation, raw[50_000:])
    assert (len(data.test), data.layout) == (10_000, Layout((28, 28), 10))


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (torch.rand(9, 6).double(), "train is torch.float64: must be torch.uint8"),
        (torch.ones(9, 6, dtype=torch.bool), "train is torch.bool: must be torch.uint8"),
        (torch.zeros(9, 3, 2, dtype=torch.uint8), r"train has the shape \(9, 3, 2\): must be \[N, 6\]"),
        (torch.zeros(9, 5, dtype=torch.uint8), r"train has the shape \(9, 5\): must be \[N, 6\]"),
        (torch.eye(6, dtype=torch.uint8), "train goes up to 1: must be 0 .* multiply by 255 / 1"),
        (torch.eye(6, dtype=torch.uint8) * 16, "train goes up to 16: must be 0 .* multiply by 255 / 16"),
    ],
)
def test_dataset_of_anything_but_bytes_is_refused_and_the_tensor_stays(
    train: torch.Tensor, message: str
) -> None:
    before, good = train.clone(), torch.zeros(4, 6, dtype=torch.uint8)
    with pytest.raises(DataError, match=message):
        Dataset(train, good, good, Layout((3, 2)), "mine", "hash")
    assert torch.equal(train, before)


def test_pixels_that_are_no_bytes_are_refused_and_stay() -> None:
    pixels = torch.rand(4, 6).double()
    before = pixels.clone()
    with pytest.raises(DataError, match=r"images are torch.float64: must be torch.uint8"):
        intensities(pixels)
    assert torch.equal(pixels, before)


def test_images_that_are_training_images_too_are_counted(tmp_path: Path) -> None:
    train, test = images(60), images(1000)
    test[[3, 7, 9]] = train[[0, 1, 59]]
    mine = npz(tmp_path, train=train, test=test, validation=train[4:6])
    assert load_dataset(mine).repeated == {"validation": 2, "test": 3}


def test_hash_of_what_is_measured_on_does_not_depend_on_the_training_images(digits: Dataset) -> None:
    fewer = load_dataset(DataConfig(name="digits", num_train=50))
    other = load_dataset(DataConfig(name="digits", num_validation=200))
    assert fewer.measured_hash == digits.measured_hash
    assert other.measured_hash != digits.measured_hash


def test_gaussian_likelihood_of_binary_pixels_is_refused(tmp_path: Path) -> None:
    flat = images(30) > 99
    config = npz(tmp_path, train=flat, test=flat).model_copy(update={"binarization": "none"})
    gaussian = TrainConfig.parse({"data": config.model_dump(), "model": {"likelihood": "gaussian"}})
    with pytest.raises(DataError, match=r"gaussian is not allowed: must be bernoulli, .*npz has binary"):
        suit(load_dataset(config), gaussian)
