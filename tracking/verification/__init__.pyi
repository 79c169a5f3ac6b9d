from .fault import Fault as Fault
from .fault import FaultKind as FaultKind
from .repair import repair_sweep as repair_sweep
from .runs import verify as verify
