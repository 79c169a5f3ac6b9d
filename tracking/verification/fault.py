"""What can be wrong with a sweep."""

from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """How something differs from what it must be; the words of a fault are for people only."""

    MISSING = "missing"  # storage or MLflow lacks it
    EXTRA = "extra"  # it is doubled, or belongs to nothing of the sweep
    DIFFERENT = "different"  # it is whole and says something else than storage
    TORN = "torn"  # a file of storage that cannot be read
    ALTERED = "altered"  # a file of storage that is whole and not as it was written
    OPEN = "open"  # a driver that is gone left it as running
    LOST = "lost"  # a result that only MLflow has
    UNREADABLE_PLAN = "unreadable plan"  # nothing else can be judged


@dataclass(frozen=True)
class Fault:
    """Something that is not as it must be.

    Attributes:
        trial_key: the trial; None when it concerns the sweep.
        what: in a sentence.
        kind: for programs.
    """

    trial_key: str | None
    what: str
    kind: FaultKind

    def to_dict(self) -> dict[str, str | None]:
        """As ``--json`` prints it."""
        return {"trial_key": self.trial_key, "what": self.what}
