"""What a sweep ended with."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracking.records.records import SweepRecord, TrialState

if TYPE_CHECKING:
    from tracking.analysis.winner import Best  # loads SciPy


@dataclass(frozen=True)
class SweepResult:
    """What `run` and `resume` give back.

    Attributes:
        outcome: ``finished``, ``budget`` or ``interrupted``.
        seconds: of this session, from the first check to the written report.
        parent_run_id: the sweep's run in MLflow; None where MLflow lacks something.
        untold: why MLflow lacks something that storage has; None when it has everything.
    """

    record: SweepRecord
    outcome: str
    seconds: float
    parent_run_id: str | None
    best: "Best | None"
    best_run_id: str | None
    untold: str | None

    @property
    def failed(self) -> bool:
        """Whether a trial failed, or MLflow has not everything."""
        failures = any(trial.state is TrialState.FAILED for trial in self.record.trials)
        return failures or self.untold is not None
