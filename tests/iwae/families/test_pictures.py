"""What is drawn of a model, asked of every family."""

import numpy as np
import pytest
import torch

from iwae.data.load import load_dataset
from iwae.evaluation.pictures import pictures
from iwae.evaluation.pictures.grids import COLUMNS
from iwae.model.protocol import LatentModel
from iwae.trainer.trainer import Trainer
from support.families.configs import FAMILIES, tiny

FLAT = ("reconstructed", "feature_names", "drawn")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_drawn_and_the_same_every_time(family: str) -> None:
    config = tiny(family, num_epochs=1)
    trainer = Trainer(config, load_dataset(config.data))
    list(trainer.epochs())
    model, dataset = trainer.model, trainer.dataset
    arrays = pictures(model, dataset, trainer.items("test"))
    torch.manual_seed(7)  # nothing is drawn from the process's own generator
    again = pictures(model, dataset, trainer.items("test"))
    assert list(arrays) == list(again)
    assert all(np.array_equal(arrays[name], again[name]) for name in arrays)
    grids = {name: array for name, array in arrays.items() if array.dtype == np.uint8}
    assert all(array.shape[1:] == (COLUMNS, *dataset.layout.shape) for array in grids.values())
    assert set(grids) == {
        "reconstructions",
        *(["samples"] if config.model.generates else []),
        *(["class_samples"] if model.num_attributes else []),
        *(["interpolation"] if isinstance(model, LatentModel) else []),
        *(["traversals"] if isinstance(model, LatentModel) and config.model.generates else []),
    }
    assert arrays["latent_map"].shape == (len(dataset.test), 2)
    assert dataset.labels is not None
    assert np.array_equal(arrays["classes"], dataset.labels.test)
