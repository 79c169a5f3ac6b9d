"""The data sets, a row each: all that is known of them before they are read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from iwae.config.layout import Layout


@dataclass(frozen=True)
class TorchvisionSet:
    """Where torchvision has a set.

    Attributes:
        kind: the class in ``torchvision.datasets``.
        folder: of its files, below the folder of all sets.
    """

    kind: str
    folder: str


@dataclass(frozen=True)
class DatasetFacts:
    """What is known of one data set.

    Attributes:
        layout: of an item.
        num_train: training images, those included that are held out for validation.
        num_test: test images.
        num_validation: training images held out where the configuration says nothing; None is a sixth.
        evaluation: defaults of the evaluation that differ from ``EvaluationConfig``'s own. They are filled in
            before validation, so that a recorded configuration holds the numbers that were used.
        floats: whether items are floats, and not pixels.
        torchvision: where it comes from; None for a set of another source.
    """

    layout: Layout
    num_train: int
    num_test: int
    num_validation: int | None = None
    evaluation: Mapping[str, int | None] = field(default_factory=dict)
    floats: bool = False
    torchvision: TorchvisionSet | None = None

    def held_out(self, num_train: int) -> int:
        """Validation images taken from ``num_train`` where the configuration says nothing."""
        return num_train // 6 if self.num_validation is None else self.num_validation


_SMALL = {"num_samples": 50, "num_images": None, "final_num_samples": 1000, "few_num_samples": 50}
_TABLE = {"num_images": None}
_OMNIGLOT = TorchvisionSet("Omniglot", "omniglot-py")
_MNIST = (Layout((28, 28), 10), 60_000, 10_000, 10_000)

CATALOGUE: Mapping[str, DatasetFacts] = {
    "digits": DatasetFacts(Layout((8, 8), 10), 1437, 360, 300, evaluation=_SMALL),
    "mixture-2d": DatasetFacts(Layout((2,)), 5000, 2000, 1000, evaluation=_SMALL),
    "mnist": DatasetFacts(*_MNIST, torchvision=TorchvisionSet("MNIST", "MNIST/raw")),
    "fashion-mnist": DatasetFacts(*_MNIST, torchvision=TorchvisionSet("FashionMNIST", "FashionMNIST/raw")),
    "omniglot": DatasetFacts(Layout((28, 28), 50), 19_280, 13_180, torchvision=_OMNIGLOT),
    # The tables of scikit-learn: a fifth of the rows is test.
    "wine": DatasetFacts(Layout((13,), 3), 143, 35, floats=True, evaluation=_TABLE),
    "breast-cancer": DatasetFacts(Layout((30,), 2), 456, 113, floats=True, evaluation=_TABLE),
    "iris": DatasetFacts(Layout((4,), 3), 120, 30, floats=True, evaluation=_TABLE),
    "diabetes": DatasetFacts(Layout((10,)), 354, 88, floats=True, evaluation=_TABLE),
    # A user's own file: nothing is known before it is read, and a forecast takes it to be as large as MNIST.
    "npz": DatasetFacts(Layout((28, 28)), 60_000, 10_000),
}
