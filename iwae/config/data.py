"""DataConfig: which images, how they are split, and what becomes of gray pixels."""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from iwae.config.limits import Count
from iwae.config.part import Part, PartError

DatasetName = Literal["digits", "mnist", "fashion-mnist", "omniglot", "npz"]
Binarization = Literal["dynamic", "fixed", "threshold", "none"]


class DataConfig(Part):
    """The data set, its split and how gray pixels become binary.

    Attributes:
        name: ``digits`` (8×8, embedded), ``mnist``, ``fashion-mnist``, ``omniglot`` (28×28) or ``npz``.
        path: the file of ``npz``: arrays ``train`` and ``test``, optionally ``validation``, each
            ``[N, X]`` or ``[N, H, W]``: ``bool`` or ``uint8`` 0 and 1 (binary), or ``uint8`` intensities
            0 to 255. A spec may name it relative to the current folder.
        order: of the images of ``npz``, before some are held out or the first so many are taken: ``file``,
            or ``shuffled`` by a permutation that is the same every time (what a spec gets that says nothing).
        binarization: ``dynamic`` draws Bernoulli pixels afresh at every minibatch, ``fixed`` once (seeded),
            ``threshold`` rounds at ½, ``none`` leaves pixels as they are: byte / 255 in [0, 1] for a Gaussian
            likelihood, 0 or 1 for a Bernoulli one, which refuses gray ones.
        num_train: use only the first so many training images; null uses all.
        num_validation: images held out of the training images; null is the data set's default
            (10,000 for the MNIST kinds, 300 for digits, a sixth elsewhere).
    """

    later: ClassVar[frozenset[str]] = frozenset({"order"})

    name: DatasetName = "mnist"
    path: str | None = None
    binarization: Binarization = "dynamic"
    num_train: Count | None = None
    num_validation: Count | None = None
    order: Literal["file", "shuffled"] = "file"

    @model_validator(mode="after")
    def _path_belongs_to_npz(self) -> Self:
        if self.name == "npz" and self.path is None:
            raise PartError("path", "null", "the path of an .npz file when data.name is npz")
        if self.name != "npz" and self.path is not None:
            raise PartError("path", repr(self.path), f"null when data.name is {self.name}")
        if self.name != "npz" and self.order != "file":
            raise PartError("order", self.order, f"left out when data.name is {self.name}")
        return self
