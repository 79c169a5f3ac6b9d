"""What the driver tells its workers about the trials of a sweep."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from tracking.records.planned import DataSet


@dataclass(frozen=True)
class TrialOptions:
    """What holds for every trial of a driver.

    It travels as plain data: a worker imports nothing of ours before its code is proven.

    Attributes:
        storage: URI of the folder or bucket of the sweeps.
        sweep: name of the sweep.
        session: number of the driver, whose trials they are.
        cpus: CPUs that a trial gets.
        gpus: GPUs that it gets, or a share of one.
        device: ``cpu`` or ``cuda``.
        threads: PyTorch's intra-op threads.
        checkpoint_every: seconds between checkpoints.
        keep: how many checkpoints are kept.
        early_stopping: the driver may end a trial at any report.
        data: what the data sets must hold.
        figures: store pictures too.
        shrink_retries: attempts with half the chunk after one ran out of memory.
        code: SHA-256 of the sources; the worker fills it in once it has proven them.
    """

    storage: str
    sweep: str
    session: int
    cpus: float
    gpus: float
    device: str
    threads: int
    checkpoint_every: float
    keep: int
    figures: bool
    shrink_retries: int
    early_stopping: bool = False
    data: tuple[DataSet, ...] = ()
    code: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "data": [one.to_dict() for one in self.data]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], code: str) -> Self:
        """The options in ``to_dict``'s data, of a worker that has proven this code."""
        data = tuple(DataSet.from_dict(one) for one in values["data"])
        return cls(**{**values, "data": data, "code": code})
