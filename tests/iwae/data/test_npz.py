import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from iwae.config.data import DataConfig
from iwae.data.dataset import Dataset
from iwae.data.load import load_dataset
from iwae.data.npz import archive
from iwae.errors import DataError
from iwae.trainer.trainer import Trainer

DIGITS = load_digits().images.astype(np.uint8)  # intensities 0 … 16
BINARY = DIGITS > 7
GRAY = DIGITS * np.uint8(15)


def saved(folder: Path, **arrays: Any) -> DataConfig:
    path = folder / "mine.npz"
    np.savez_compressed(path, **arrays)
    return DataConfig(name="npz", path=str(path), binarization="none")


def splits(train: np.ndarray, test: np.ndarray | None = None) -> dict[str, np.ndarray]:
    return {"train": train[:60], "validation": train[60:80], "test": (train if test is None else test)[80:90]}


def test_bytes_of_0_and_1_are_binary_pixels_with_the_same_likelihoods_as_bool(
    small_config: Any, tmp_path: Path
) -> None:
    results = []
    for pixels in (BINARY, BINARY.astype(np.uint8), BINARY * np.uint8(255)):
        config = saved(tmp_path, **splits(pixels))
        data = load_dataset(config)
        trainer = Trainer(small_config(data=config.model_dump(), num_epochs=1), data)
        list(trainer.epochs())
        results.append((data.content_hash, trainer.finish()))
    assert results[1] == results[0]
    assert results[2] == results[0]


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (DIGITS, None, r"uint8 up to 16 is in no known unit .*array \* \(255 / 16\).*or bool"),
        (BINARY.astype(np.uint8), GRAY, "ranges .train 0 to 1, validation 0 to 1, test 0 to 240.: must"),
        (BINARY.astype(np.uint8), BINARY * np.uint8(255), "different ranges .*must be in one unit"),
        (GRAY, DIGITS, "different ranges .*test 0 to 16"),
        (BINARY, GRAY, "train binary, validation binary, test gray.: must be all binary or all gray"),
        (GRAY, BINARY, "must be all binary or all gray"),
        (BINARY, DIGITS, "different ranges|no known unit"),
    ],
)
def test_pixels_in_no_certain_unit_are_refused(
    train: np.ndarray, test: np.ndarray | None, message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_dataset(saved(tmp_path, **splits(train, test)))
    assert "\n" not in str(caught.value)


def test_gray_bytes_stay_as_they_are(tmp_path: Path) -> None:
    data = load_dataset(saved(tmp_path, **splits(GRAY)))
    assert np.array_equal(data.train.numpy(), GRAY[:60].reshape(60, 64))


@pytest.mark.parametrize("name", ["valid", "val", "validation"])
def test_every_common_name_of_the_validation_images_is_known(name: str, tmp_path: Path) -> None:
    data = load_dataset(saved(tmp_path, train=GRAY[:60], test=GRAY[60:70], **{name: GRAY[90:97]}))
    assert np.array_equal(data.validation.numpy(), GRAY[90:97].reshape(7, 64))


def test_images_under_a_name_that_says_nothing_are_refused_and_labels_are_not(tmp_path: Path) -> None:
    arrays = {"train": GRAY[:60], "test": GRAY[60:70], "labels": np.arange(60)}
    load_dataset(saved(tmp_path, **arrays))
    with pytest.raises(DataError, match="the array dev has items and is not used: must be named train"):
        load_dataset(saved(tmp_path, **arrays, dev=GRAY[:5]))
    with pytest.raises(DataError, match="has valid and val: must have one array"):
        load_dataset(saved(tmp_path, **arrays, valid=GRAY[:5], val=GRAY[:5]))


def test_shuffled_validation_has_every_class_of_a_sorted_file(tmp_path: Path) -> None:
    labels = np.sort(load_digits().target)
    ordered = GRAY[np.argsort(load_digits().target, kind="stable")]
    class_of = {image.tobytes(): int(label) for image, label in zip(ordered, labels, strict=True)}
    config = saved(tmp_path, train=ordered, test=ordered)

    def classes(data: Dataset, split: str) -> set[int]:
        return {class_of[image.tobytes()] for image in getattr(data, split)[:100].numpy()}

    in_order = load_dataset(config)
    assert classes(in_order, "validation") < {7, 8, 9}
    shuffled = load_dataset(config.model_copy(update={"order": "shuffled"}))
    for split in ("train", "validation", "test"):
        assert classes(shuffled, split) == set(range(10))
    assert load_dataset(config.model_copy(update={"order": "shuffled"})).content_hash == shuffled.content_hash
    together = torch.cat([shuffled.train, shuffled.validation]).numpy()
    assert sorted(map(bytes, together)) == sorted(map(bytes, ordered))


def test_key_and_record_of_a_file_in_its_own_order_are_those_of_old_sweeps() -> None:
    config = DataConfig(name="npz", path="/data/mine.npz")
    assert "order" not in config.model_dump()
    assert DataConfig(name="npz", path="/data/mine.npz", order="shuffled").model_dump()["order"] == "shuffled"
    assert DataConfig.model_validate(config.model_dump()) == config


def rewritten(path: Path, name: str, content: bytes) -> None:
    """Replace a member of the file by any bytes."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    members[f"{name}.npy"] = content
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, written in members.items():
            archive.writestr(member, written)


def array_bytes(shape: str, data: bytes, dtype: str = "|u1") -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (array_bytes("(60, 8, 8)", b"\0" * 100), r"train is torn: the shape .* needs 3840 bytes, it has 100"),
        (array_bytes("(10**15, 8, 8)", b"\0" * 64), "train cannot be read"),
        (array_bytes("(1000000000000000, 8, 8)", b"\0" * 64), "needs 64000000000000000 bytes, it has 64"),
        (array_bytes("(-60, 8, 8)", b"\0" * 64), "needs -3840 bytes"),
        (array_bytes("(60, 8", b""), "train cannot be read"),
        (array_bytes("(60, 8, 8)", b"\0" * 3840, "|O"), "train is object: must be uint8"),
        (array_bytes("(60, 8, 8)", b"\0" * 3840, "nonsense"), "train cannot be read"),
        (b"\x93NUMPY\x01", "train cannot be read"),
        (b"", "train cannot be read"),
    ],
)
def test_header_that_promises_what_is_not_there_is_one_line(
    content: bytes, message: str, tmp_path: Path
) -> None:
    config = saved(tmp_path, **splits(GRAY))
    rewritten(Path(config.path or ""), "train", content)
    with pytest.raises(DataError, match=message) as caught:
        load_dataset(config)
    assert "\n" not in str(caught.value)


def test_encrypted_file_is_one_line(tmp_path: Path) -> None:
    config = saved(tmp_path, **splits(GRAY))
    path = Path(config.path or "")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # in the directory of the archive
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"is encrypted: must be what numpy.savez writes"):
        load_dataset(config)


def test_altered_byte_is_found_by_its_checksum(tmp_path: Path) -> None:
    config = saved(tmp_path, **splits(GRAY))
    path = Path(config.path or "")
    content = bytearray(path.read_bytes())
    content[content.index(b"train.npy") + 300] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="train cannot be read"):
        load_dataset(config)


def test_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "COMPRESSION_CHECKED_ABOVE", 2**20)
    config = saved(tmp_path, **splits(GRAY))
    rewritten(Path(config.path or ""), "train", array_bytes("(65536, 8, 8)", b"\0" * 2**22))
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: pytest.fail("was unpacked"))
    with pytest.raises(DataError, match=r"train unpacks to 4,194,304 bytes from .*must be data"):
        load_dataset(config)


def test_images_that_do_not_fit_in_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_MEMORY_SHARE", 1e-9)
    with pytest.raises(DataError, match=r"has 5,760 bytes of data: must be <= .* a quarter of the memory"):
        load_dataset(saved(tmp_path, **splits(GRAY)))


def test_pickles_are_never_read(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.array([print, None], dtype=object), allow_pickle=True)
    config = saved(tmp_path, **splits(GRAY))
    rewritten(Path(config.path or ""), "test", buffer.getvalue())
    with pytest.raises(DataError, match="test is object: must be uint8"):
        load_dataset(config)
