from .repair import repair_sweep as repair_sweep
from .runs import verify as verify
from .storage import Fault as Fault
