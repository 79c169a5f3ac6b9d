import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch

from iwae.data.dataset import Dataset
from iwae.errors import CheckpointError
from iwae.model.weights import load, save_weights
from iwae.trainer.trainer import Trainer


def test_loaded_model_is_the_saved_one_from_a_file_or_its_folder(
    small_config: Any, digits: Dataset, tmp_path: Path
) -> None:
    trainer = Trainer(small_config(num_epochs=1), digits)
    list(trainer.epochs())
    file = tmp_path / "model.safetensors"
    save_weights(trainer.model, trainer.config, file)
    assert file.read_bytes() == trainer.weights()
    x = digits.test[:5].float() / 255
    with torch.no_grad():
        expected = trainer.model.reconstruct(x)
        for path in (file, tmp_path, str(tmp_path)):
            assert torch.equal(load(path).reconstruct(x), expected)


def test_configuration_lies_in_the_metadata_of_the_file(small_config: Any, digits: Dataset) -> None:
    trainer = Trainer(small_config(), digits)
    content = trainer.weights()
    (length,) = struct.unpack("<Q", content[:8])  # safetensors: header length, then a JSON header
    header = json.loads(content[8 : 8 + length])
    assert json.loads(header["__metadata__"]["trained"]) == {
        "config": trainer.config.to_dict(),
        "layout": {"shape": [8, 8], "num_attributes": 10, "attributes_are_classes": True},
    }


def test_missing_broken_or_foreign_file_is_one_line(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    broken, foreign = tmp_path / "broken.safetensors", tmp_path / "foreign.safetensors"
    broken.write_bytes(b"nothing")
    save_file({"a": torch.zeros(2)}, foreign)
    cases = {tmp_path: "is not there", broken: "cannot be read", foreign: "no configuration"}
    for path, message in cases.items():
        with pytest.raises(CheckpointError, match=message) as caught:
            load(path)
        assert "\n" not in str(caught.value)


def test_weights_of_another_shape_are_refused(small_config: Any, digits: Dataset, tmp_path: Path) -> None:
    trainer = Trainer(small_config(), digits)
    other = small_config(model={"latent_dim": 7})
    save_weights(trainer.model, other, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="does not fit the configuration"):
        load(tmp_path)
