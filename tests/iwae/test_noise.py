import pytest
import torch

from iwae.config.layout import Layout
from iwae.config.train import TrainConfig
from iwae.data.dataset import Dataset
from iwae.errors import ConfigError
from iwae.noise import noise_seed, refuse_shared_noise, rows_per_image
from iwae.trainer.trainer import Trainer


def test_no_two_chunks_share_a_seed() -> None:
    seeds = {noise_seed(7, image, chunk) for image in range(300) for chunk in range(50)}
    assert len(seeds) == 15_000


def test_images_share_no_noise_beyond_4096_chunks() -> None:
    # Chunk 4,096 of an image was chunk 0 of the next.
    chunks = [0, 1, 4095, 4096, 4097, 8191, 8192, 12_287]
    seeds = {noise_seed(7, image, chunk, rows=3) for image in range(2000) for chunk in chunks}
    assert len(seeds) == 2000 * len(chunks)


def test_seeds_up_to_4096_chunks_are_what_they_were() -> None:
    for image, chunk in ((0, 0), (3, 17), (9999, 4095)):
        expected = (5 + 2_654_435_761 * (image * 4096 + chunk)) % 2**32
        assert noise_seed(5, image, chunk) == noise_seed(5, image, chunk, rows=3) == expected


@pytest.mark.parametrize(("num_samples", "rows"), [(1, 1), (409_600, 1), (409_601, 2), (1_000_000, 3)])
def test_rows_an_image_takes(num_samples: int, rows: int) -> None:
    assert rows_per_image(num_samples, 100) == rows


def test_more_samples_than_there_is_noise_are_refused() -> None:
    refuse_shared_noise("evaluation.final_num_samples", 10_000, 42_598_400, 100)
    message = (
        r"evaluation.final_num_samples: 42598401 is not allowed: must be <= 42598400 with 10000 images, or"
    )
    with pytest.raises(ConfigError, match=message):
        refuse_shared_noise("evaluation.final_num_samples", 10_000, 42_598_401, 100)


def test_more_of_them_than_there_are_seeds_are_refused_before_training() -> None:
    images = torch.zeros(60_000, 2, dtype=torch.uint8)
    dataset = Dataset(images[:2], images[:2], images, Layout((2,)), "npz", "0" * 64)
    config = TrainConfig.parse(
        {
            "data": {"name": "npz", "path": "pixels.npz"},
            "evaluation": {"final_num_samples": 10**7, "final_num_images": None},
        }
    )
    with pytest.raises(ConfigError, match=r"evaluation.final_num_samples: .* must be <= .* 60000 images"):
        Trainer(config, dataset)
