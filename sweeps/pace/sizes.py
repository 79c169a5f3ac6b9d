"""How many items a data set has, and of what layout, before it is read."""

import functools
from typing import NamedTuple

from iwae.config.catalogue import CATALOGUE
from iwae.config.data import DataConfig
from iwae.config.layout import Layout
from iwae.data.location import npz_path
from iwae.data.npz.facts import npz_facts
from iwae.errors import DataError
from iwae.memory import FLOAT_BYTES


class Sizes(NamedTuple):
    """Items of each split, and what one is.

    Attributes:
        train: training items that are used.
        validation: items held out.
        test: test items.
        layout: of an item.
        floats: whether they are floats, and not bytes.
    """

    train: int
    validation: int
    test: int
    layout: Layout
    floats: bool = False

    @property
    def num_pixels(self) -> int:
        """X, the numbers of an item."""
        return self.layout.num_pixels

    @property
    def num_bytes(self) -> int:
        """Bytes of all items: one a pixel, four a float."""
        return (self.train + self.validation + self.test) * self.item_bytes

    @property
    def item_bytes(self) -> int:
        """Bytes of an item."""
        return self.num_pixels * (FLOAT_BYTES if self.floats else 1)


@functools.lru_cache(maxsize=256)
def sizes_of(data: DataConfig) -> Sizes:
    """The sizes that a configuration's split leaves: of the catalogue, or from the headers of its npz file.

    A file that is not here, such as that of a sweep from elsewhere, is taken to be as large as MNIST.
    """
    known = CATALOGUE[data.name]
    train, test = known.num_train, known.num_test
    validation: int | None = None
    layout, floats = known.layout, known.floats
    if data.name == "npz":
        try:
            facts = npz_facts(npz_path(data, moved=True))
            train, test = facts.sizes["train"], facts.sizes["test"]
            validation = facts.sizes.get("validation")
            layout, floats = facts.layout, facts.floats
        except DataError:
            pass  # who reads it says what is wrong with it
    if validation is None:
        validation = data.num_validation or known.held_out(train)
        train -= validation
    return Sizes(min(data.num_train or train, train), validation, test, layout, floats)
