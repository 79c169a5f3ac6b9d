from .runs import verify as verify
from .storage import Fault as Fault
