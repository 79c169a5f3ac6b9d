from .spec import SweepSpec as SweepSpec
from .spec import load_spec as load_spec
