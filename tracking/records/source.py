"""Where a record was read from, as far as MLflow's side of it needs to know: it imports no storage."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

Record = TypeVar("Record", covariant=True)


class Unit(Protocol):
    """The last unit of a trial; None for what it does not have."""

    @property
    def weights(self) -> bytes | None:
        """The model, as safetensors."""

    @property
    def likelihoods(self) -> bytes | None:
        """Each image's log-likelihood, as npz."""

    @property
    def pictures(self) -> bytes | None:
        """The arrays that its figures are drawn from, as npz."""


class Trial(Protocol):
    """The storage of one trial."""

    def newest(self) -> Unit | None:
        """Its newest intact unit."""


class Source(Protocol[Record]):
    """The storage of one sweep."""

    @property
    def name(self) -> str:
        """The sweep's."""

    @property
    def root(self) -> str:
        """The address of the storage that holds the sweep's folder."""

    @property
    def exists(self) -> bool:
        """Whether the sweep is there."""

    @property
    def is_half_deleted(self) -> bool:
        """Whether a deletion of it has begun."""

    def record(self) -> Record:
        """The sweep, read anew."""

    def trial(self, key: str) -> Trial:
        """The files of the trial with this key."""

    def read_json(self, name: str) -> Mapping[str, Any] | None:
        """What a file says; None when there is none or it is not to be believed."""

    def write_json(self, name: str, values: Mapping[str, Any]) -> None:
        """Write a file, durably."""

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Wait until no other process holds the lock of this name, and hold it."""

    def is_at(self, root: str) -> bool:
        """Whether another address means the same storage."""

    def namesake(self, root: str) -> "Source[Record] | None":
        """The sweep of this name in the storage at another address; None where that has none."""
