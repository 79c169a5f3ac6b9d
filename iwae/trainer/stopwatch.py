"""Training seconds and what the machine gave for them."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

# Below this share of CPU time in wall-clock time the training thread waited for a core.
CONTENDED_BELOW = 0.9


class Stopwatch:
    """Seconds of training, device synchronised; evaluation, logging and checkpoints are not in it.

    Attributes:
        device: where training runs.
        train_seconds: wall-clock seconds of all training so far.
        epoch_seconds: of the current epoch.
        cpu_seconds: CPU time of the training thread, of all training so far.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.train_seconds = 0.0
        self.epoch_seconds = 0.0
        self.cpu_seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Counts the time spent inside."""
        with together([self]):
            yield

    @property
    def contended(self) -> bool:
        """Whether the training thread, on the CPU, had to wait for a core for a tenth of the time or more."""
        if self.device.type != "cpu" or self.train_seconds == 0:
            return False
        return self.cpu_seconds / self.train_seconds < CONTENDED_BELOW

    def state_dict(self) -> dict[str, float]:
        """The seconds, to go on from."""
        return {
            "train_seconds": self.train_seconds,
            "epoch_seconds": self.epoch_seconds,
            "cpu_seconds": self.cpu_seconds,
        }

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Goes on from ``state``."""
        self.train_seconds = state["train_seconds"]
        self.epoch_seconds = state["epoch_seconds"]
        self.cpu_seconds = state["cpu_seconds"]


@contextmanager
def together(stopwatches: Sequence[Stopwatch]) -> Iterator[None]:
    """Counts the time spent inside, in equal shares; all are of one device."""
    device = stopwatches[0].device
    _synchronize(device)
    wall, cpu = time.perf_counter(), time.thread_time()
    try:
        yield
    finally:
        _synchronize(device)
        seconds = (time.perf_counter() - wall) / len(stopwatches)
        cpu_seconds = (time.thread_time() - cpu) / len(stopwatches)
        for stopwatch in stopwatches:
            stopwatch.train_seconds += seconds
            stopwatch.epoch_seconds += seconds
            stopwatch.cpu_seconds += cpu_seconds


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
