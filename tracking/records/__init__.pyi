from .records import EpochRecord as EpochRecord
from .records import PlannedTrial as PlannedTrial
from .records import SweepRecord as SweepRecord
from .records import TrialRecord as TrialRecord
from .records import TrialState as TrialState
