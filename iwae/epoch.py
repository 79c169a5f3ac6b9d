"""What is known of one completed epoch, in the trainer and in storage alike. No PyTorch."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class EpochRecord:
    """One completed epoch.

    Attributes:
        epoch: completed epochs, from 1.
        time: when it was completed, seconds since 1970.
        metrics: values under their MLflow names; likelihoods in nats, times in seconds.
    """

    epoch: int
    time: float
    metrics: Mapping[str, float]
