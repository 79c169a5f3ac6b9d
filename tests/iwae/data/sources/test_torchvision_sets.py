import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iwae.data.sources.torchvision_sets import read_torchvision


def test_omniglot_is_labelled_by_its_alphabets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = np.random.default_rng(0)
    drawn = {"images_background": {"Latin": 2, "Greek": 1}, "images_evaluation": {"Malayalam": 2}}
    ink: dict[bytes, str] = {}
    for part, alphabets in drawn.items():
        for alphabet, characters in alphabets.items():
            for character in range(characters):
                folder = tmp_path / "omniglot-py" / part / alphabet / f"character{character:02}"
                folder.mkdir(parents=True)
                for number in range(3):
                    image = Image.fromarray(source.integers(0, 256, (105, 105), np.uint8))
                    image.save(folder / f"{number}.png")
                    ink[(255 - np.asarray(image.resize((28, 28), resample=4))).tobytes()] = alphabet
    monkeypatch.setattr("torchvision.datasets.omniglot.check_integrity", lambda *_: True)
    raw = read_torchvision("omniglot", tmp_path, download=False)
    assert raw.label_names == ("Greek", "Latin", "Malayalam")
    assert raw.labels is not None
    for split, images in (("train", raw.train), ("test", raw.test)):
        named = [raw.label_names[one] for one in raw.labels[split]]
        assert named == [ink[image.tobytes()] for image in images], split


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_labels_are_those_of_the_files(name: str) -> None:
    root = Path(os.environ.get("IWAE_DATA_DIR", "/nowhere"))
    folder = root / {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}[name] / "raw"
    if not (folder / "t10k-labels-idx1-ubyte").exists():
        pytest.skip(f"IWAE_DATA_DIR holds no {name}")
    raw = read_torchvision(name, root, download=False)
    assert raw.labels is not None
    assert np.array_equal(raw.labels["test"], np.fromfile(folder / "t10k-labels-idx1-ubyte", np.uint8)[8:])
    assert np.array_equal(raw.labels["train"], np.fromfile(folder / "train-labels-idx1-ubyte", np.uint8)[8:])
    assert raw.label_names[1] == {"mnist": "1", "fashion-mnist": "Trouser"}[name]
