"""What a data set held when a sweep first read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from iwae.config.data import DataConfig


@dataclass(frozen=True)
class DataSet:
    """The content of one data set of a plan.

    Attributes:
        config: which set, and how it is split.
        sha256: of the bytes of its three splits, in hexadecimal.
        measured_sha256: of those of validation and test: what likelihoods are measured on.
        repeated: how many validation and test images are training images too, by split.
        sizes: how many there are of them.
    """

    config: DataConfig
    sha256: str
    measured_sha256: str
    repeated: Mapping[str, int]
    sizes: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON data."""
        return {**vars(self), "config": self.config.model_dump(mode="json")}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The data set in ``to_dict``'s values.

        Raises:
            ValueError, TypeError, KeyError: they are no data set.
        """
        return cls(**{**values, "config": DataConfig.model_validate(values["config"])})
