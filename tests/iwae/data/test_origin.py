from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_wine

from iwae.config.data import DataConfig
from iwae.data.load import load_dataset


@pytest.mark.parametrize("order", ["file", "shuffled"])
@pytest.mark.parametrize("own", [True, False])
def test_an_item_is_found_again_in_the_file_it_came_from(own: bool, order: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=(20, 3)) for name in ("train", "test", *(["validation"] if own else []))}
    np.savez(tmp_path / "mine.npz", **arrays)
    config = {"name": "npz", "path": str(tmp_path / "mine.npz"), "binarization": "none", "order": order}
    data = load_dataset(DataConfig.model_validate(config))
    assert data.origins is not None
    for split in ("train", "validation", "test"):
        array, rows = data.origins[split]
        assert array == ("train" if split == "validation" and not own else split)
        np.testing.assert_array_equal(getattr(data, split).numpy(), arrays[array][rows].astype(np.float32))
    assert (data.origins["test"].rows.tolist() == list(range(20))) == (order == "file")


def test_a_row_of_a_table_is_scikit_learns() -> None:
    data = load_dataset(DataConfig(name="wine", binarization="none", num_train=50))
    assert data.origins is not None
    for split in ("train", "validation", "test"):
        rows = data.origins[split].rows
        np.testing.assert_array_equal(getattr(data, split).numpy(), load_wine().data[rows].astype(np.float32))
