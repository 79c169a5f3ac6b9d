"""What `sweeps` raises, in the tree of `iwae.errors` and `tracking.errors`.

SweepError
├── RecordError
│   ├── ConnectionLostError     the cluster does not answer
│   ├── JobExistsError          the cluster has a job of this id
│   └── NameTakenError          there is a sweep of this name
└── Superseded                  no failure: a later driver has the sweep

KeyboardInterrupt
└── Interrupted                 a sweep was stopped in order
"""

from typing import Any

from iwae.errors import SweepError
from tracking.errors import RecordError


class ConnectionLostError(RecordError):
    """The cluster does not answer at its address now."""


class JobExistsError(RecordError):
    """The submission id is taken."""


class NameTakenError(RecordError):
    """There is a sweep of this name."""


class Superseded(SweepError):  # noqa: N818 (not an error)
    """A later driver works on the sweep: what this one still wrote would be written twice."""


class Interrupted(KeyboardInterrupt):
    """A sweep that was stopped in order: its trials wrote checkpoints, and `Sweep.resume` goes on.

    Attributes:
        sweep: the `sweeps.Sweep`, with its ``result``.
    """

    def __init__(self, sweep: Any) -> None:
        super().__init__(f"{sweep.name} was stopped in order; Sweep.resume() goes on")
        self.sweep = sweep
