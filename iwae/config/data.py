"""DataConfig: which data, how they are split, and what becomes of gray pixels and of floats."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from iwae.config.limits import Count
from iwae.config.part import Part, PartError

DatasetName = Literal[
    "digits",
    "mixture-2d",
    "mnist",
    "fashion-mnist",
    "omniglot",
    "wine",
    "breast-cancer",
    "iris",
    "diabetes",
    "npz",
]
Binarization = Literal["dynamic", "fixed", "threshold", "none"]
Dequantization = Literal["none", "uniform", "variational"]
ScalingKind = Literal["none", "standardize", "min-max"]
# Sets of floats, which have no pixels.
TABLES = frozenset({"mixture-2d", "wine", "breast-cancer", "iris", "diabetes"})


class DataConfig(Part):
    """The data set, its split, how gray pixels become binary and how floats are scaled.

    Attributes:
        name: ``digits`` (8×8, embedded), ``mnist``, ``fashion-mnist``, ``omniglot`` (28×28), a table of
            scikit-learn's (``wine``, ``breast-cancer``, ``iris``, ``diabetes``: floats, embedded) or ``npz``.
        path: the file of ``npz``: arrays ``train`` and ``test``, optionally ``validation``. Pixels are
            ``bool`` or ``uint8`` 0 and 1 (binary), or ``uint8`` intensities 0 to 255: ``[N, X]``,
            ``[N, H, W]``, ``[N, H, W, C]`` or ``[N, C, H, W]``, C <= 4. Floats are anything, of any range:
            ``[N, ...]``. Beside them ``train_labels`` ``[N]`` or, for a conditional model,
            ``train_attributes`` ``[N, Y]`` and so on, ``label_names`` and ``feature_names``.
            A spec may name it relative to the current folder.
        order: of the items of ``npz``, before some are held out or the first so many are taken: ``file``,
            or ``shuffled`` by a permutation that is the same every time (what a spec gets that says nothing).
        binarization: ``dynamic`` draws Bernoulli pixels afresh at every minibatch, ``fixed`` once (seeded),
            ``threshold`` rounds at ½, ``none`` leaves pixels as they are: byte / 255 in [0, 1] for a Gaussian
            likelihood, 0 or 1 for a Bernoulli one, which refuses gray ones. Floats have ``none``, which is
            the default of the tables.
        dequantization: what a Gaussian likelihood sees in place of a byte: ``none`` is byte / 255,
            ``uniform`` is (byte + u) / 256 with uniform u, ``variational`` the same with u from a learned
            q(u|x) (Flow++, Ho et al. 2019). With either, likelihoods are probabilities of bytes.
        scaling: of floats, feature by feature: ``standardize`` to mean 0 and standard deviation 1,
            ``min-max`` to the range 0 to 1, both of the training items alone; ``none`` leaves them as they
            are. Likelihoods are densities in the data's own unit, whatever it is.
        num_train: use only the first so many training items; null uses all.
        num_validation: items held out of the training items; null is the data set's default
            (10,000 for the MNIST kinds, 300 for digits, a sixth elsewhere).
    """

    later: ClassVar[frozenset[str]] = frozenset({"dequantization", "order", "scaling"})

    name: DatasetName = "mnist"
    path: str | None = None
    binarization: Binarization = "dynamic"
    num_train: Count | None = None
    num_validation: Count | None = None
    order: Literal["file", "shuffled"] = "file"
    dequantization: Dequantization = "none"
    scaling: ScalingKind = "none"

    @model_validator(mode="before")
    @classmethod
    def _tables_have_no_pixels(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("name") in TABLES:
            return {"binarization": "none", **values}
        return values

    @model_validator(mode="after")
    def _path_belongs_to_npz(self) -> Self:
        if self.name == "npz" and self.path is None:
            raise PartError("path", "null", "the path of an .npz file when data.name is npz")
        if self.name != "npz" and self.path is not None:
            raise PartError("path", repr(self.path), f"null when data.name is {self.name}")
        if self.name != "npz" and self.order != "file":
            raise PartError("order", self.order, f"left out when data.name is {self.name}")
        return self

    @model_validator(mode="after")
    def _dequantized_are_bytes(self) -> Self:
        if self.dequantization != "none" and self.name in TABLES:
            raise PartError("dequantization", self.dequantization, f"none: {self.name} has floats, no bytes")
        if self.dequantization != "none" and self.binarization != "none":
            raise PartError(
                "dequantization",
                self.dequantization,
                f"none when binarization is {self.binarization}: binary pixels are no bytes",
            )
        return self

    @model_validator(mode="after")
    def _floats_and_pixels_are_told_apart(self) -> Self:
        if self.name in TABLES and self.binarization != "none":
            raise PartError("binarization", self.binarization, f"none: {self.name} has floats")
        if self.scaling != "none" and self.name not in TABLES and self.name != "npz":
            raise PartError(
                "scaling", self.scaling, f"none: {self.name} has pixels, and only floats are scaled"
            )
        return self
