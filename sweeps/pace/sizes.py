"""How many images a data set has, and of how many pixels, before it is read."""

import functools
from typing import NamedTuple

from iwae.config.catalogue import CATALOGUE
from iwae.config.data import DataConfig
from iwae.config.layout import Layout
from iwae.data.location import npz_path
from iwae.errors import DataError


class Sizes(NamedTuple):
    """Images of each split, and X.

    Attributes:
        train: training images that are used.
        validation: images held out.
        test: test images.
        layout: of an image.
    """

    train: int
    validation: int
    test: int
    layout: Layout

    @property
    def num_pixels(self) -> int:
        """X, the pixels of an image."""
        return self.layout.num_pixels

    @property
    def num_bytes(self) -> int:
        """Bytes of all images, one a pixel."""
        return (self.train + self.validation + self.test) * self.num_pixels


@functools.lru_cache(maxsize=256)
def sizes_of(data: DataConfig) -> Sizes:
    """The sizes that a configuration's split leaves: of the catalogue, or from the headers of its npz file.

    A file that is not here, such as that of a sweep from elsewhere, is taken to be as large as MNIST.
    """
    facts = CATALOGUE[data.name]
    train, validation, test, layout = facts.num_train, None, facts.num_test, facts.layout
    if data.name == "npz":
        from iwae.data.npz import split_shapes  # loads PyTorch

        try:
            shapes = split_shapes(npz_path(data, moved=True))
            train, test, layout = shapes["train"][0], shapes["test"][0], Layout(shapes["train"][1:])
            validation = shapes["validation"][0] if "validation" in shapes else None
        except DataError:
            pass  # who reads it says what is wrong with it
    if validation is None:
        validation = data.num_validation or facts.held_out(train)
        train -= validation
    return Sizes(min(data.num_train or train, train), validation, test, layout)
