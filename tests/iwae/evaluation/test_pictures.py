from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from iwae.config.layout import Layout
from iwae.data.dataset import Dataset, content_hash
from iwae.data.items import Items
from iwae.evaluation.pictures import pictures
from iwae.evaluation.pictures.grids import COLUMNS
from iwae.model.build import build_model
from iwae.scaling import Scaling
from iwae.trainer.trainer import Trainer


def drawn(trainer: Trainer) -> dict[str, np.ndarray]:
    return pictures(trainer.model, trainer.dataset, trainer.items("test"))


def test_grids_are_bytes_in_rows_and_columns_and_the_same_every_time(
    small_config: Any, digits: Dataset
) -> None:
    trainer = Trainer(small_config(), digits)
    first, second = drawn(trainer), drawn(trainer)
    grids = {name for name, array in first.items() if array.dtype == np.uint8}
    assert grids == {"samples", "reconstructions", "interpolation", "traversals"}
    assert all(first[name].shape[1:] == (COLUMNS, 8, 8) for name in grids)
    assert all(np.array_equal(array, second[name]) for name, array in first.items())


def test_images_stand_above_their_reconstructions(small_config: Any, digits: Dataset) -> None:
    trainer = Trainer(small_config(), digits)
    grid = drawn(trainer)["reconstructions"]
    image = trainer.items("test").inputs()[11:12]
    assert np.array_equal(grid[2, 1].ravel(), image[0] * 255)
    with torch.no_grad():
        expected = trainer.model.reconstruct(image) * 255
    np.testing.assert_allclose(grid[3, 1].ravel(), expected[0].round(), atol=1)


def test_samples_of_a_model_that_is_told_a_files_attributes_are_told_those_of_test_items(
    small_config: Any, digits: Dataset
) -> None:
    told = {
        split: getattr(digits, split)[:, 20:22].float() / 255 for split in ("train", "validation", "test")
    }
    layout = Layout((8, 8), 2, attributes_are_classes=False)
    trainer = Trainer(
        small_config(model={"name": "conditional", "hidden_dims": [8], "latent_dim": 2}),
        replace(digits, attributes=told, layout=layout),
    )
    with torch.no_grad():
        trainer.model.decoder[0].weight[:, :2] = 0  # its samples are then told by the attributes alone
        expected = trainer.model.decode(torch.cat((torch.zeros(80, 2), told["test"][:80]), -1))
    made = drawn(trainer)
    assert "class_samples" not in made
    np.testing.assert_allclose(made["samples"].reshape(80, 64), (255 * expected).round(), atol=1)


def test_small_data_sets_have_pictures_too(small_config: Any, digits: Dataset) -> None:
    trainer = Trainer(small_config(), digits)
    grids = pictures(trainer.model, digits, trainer.items("test")[:3])
    assert grids["reconstructions"].shape == (2, 3, 8, 8)
    assert grids["interpolation"].shape == (1, COLUMNS, 8, 8)


def test_the_latent_map_is_that_of_scikit_learn_and_keeps_the_classes(
    small_config: Any, digits: Dataset
) -> None:
    trainer = Trainer(small_config(model={"hidden_dims": [16], "latent_dim": 4}), digits)
    arrays = drawn(trainer)
    with torch.no_grad():
        model, x = trainer.model, trainer.items("test").inputs()
        means = model.unit_means(model.encode(x)).double().numpy()
    expected = PCA(2).fit(means)
    places = expected.transform(means)
    signs = np.sign((places * arrays["latent_map"]).sum(0))
    np.testing.assert_allclose(arrays["latent_map"], places * signs, rtol=1e-3, atol=1e-4)
    share = f"{100 * expected.explained_variance_ratio_[0]:.0f} %"
    assert arrays["latent_axes"][0] == f"first principal component ({share})"
    assert digits.labels is not None
    assert np.array_equal(arrays["classes"], digits.labels.test)
    assert tuple(arrays["class_names"]) == digits.labels.names


def test_two_latent_units_are_drawn_as_they_are(small_config: Any, digits: Dataset) -> None:
    trainer = Trainer(small_config(model={"hidden_dims": [16], "latent_dim": 2}), digits)
    arrays = drawn(trainer)
    with torch.no_grad():
        means = trainer.model.unit_means(trainer.model.encode(trainer.items("test").inputs()))
    np.testing.assert_allclose(arrays["latent_map"], means.numpy(), rtol=1e-6)
    assert "latent_map" not in drawn(
        Trainer(small_config(model={"hidden_dims": [16], "latent_dim": 1}), digits)
    )


def floats(shape: tuple[int, ...], scaling: Scaling | None = None, names: tuple[str, ...] = ()) -> Dataset:
    layout, rng = Layout(shape), np.random.default_rng(0)
    splits = [
        torch.from_numpy(rng.normal(size=(count, layout.num_pixels)).astype(np.float32))
        for count in (60, 20, 30)
    ]
    return Dataset(
        *splits, layout, "floats", content_hash(splits), scaling=scaling, feature_names=names, measured="0"
    )


@pytest.mark.parametrize("shape", [(5,), (2,)])
def test_flat_features_are_numbers_in_their_own_unit_and_no_image(
    small_config: Any, shape: tuple[int]
) -> None:
    scaling = Scaling(np.full(shape, 100.0), np.full(shape, 10.0))
    dataset = floats(shape, scaling, tuple("abcde"[: shape[0]]))
    config = small_config(
        data={"name": "digits", "binarization": "none"},
        model={"hidden_dims": [8], "latent_dim": 2, "likelihood": "gaussian"},
    )
    model = build_model(config, dataset.layout, generator=torch.Generator().manual_seed(0))
    arrays = pictures(model, dataset, Items(dataset.test))
    assert not any(array.dtype == np.uint8 for array in arrays.values())
    np.testing.assert_allclose(arrays["reconstructed"][0], dataset.test * 10 + 100, rtol=1e-6)
    with torch.no_grad():
        expected = model.reconstruct(dataset.test) * 10 + 100
    np.testing.assert_allclose(arrays["reconstructed"][1], expected, rtol=1e-5)
    assert arrays["drawn"].shape == (30, *shape)
    assert tuple(arrays["feature_names"]) == dataset.feature_names


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_images_keep_their_channels_and_floats_span_the_bytes(small_config: Any, channels: int) -> None:
    dataset = floats((4, 3, channels))
    config = small_config(
        data={"name": "digits", "binarization": "none"},
        model={"hidden_dims": [8], "latent_dim": 2, "likelihood": "gaussian"},
    )
    model = build_model(config, dataset.layout, generator=torch.Generator().manual_seed(0))
    grid = pictures(model, dataset, Items(dataset.test))["reconstructions"]
    assert grid.shape == (6, COLUMNS, 4, 3, channels)
    low, high = dataset.train.min(), dataset.train.max()
    expected = ((dataset.test[3] - low) / (high - low)).clamp(0, 1) * 255
    np.testing.assert_allclose(grid[0, 3].ravel(), expected.round(), atol=1)
