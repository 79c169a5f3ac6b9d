from .sweep import SweepStorage as SweepStorage
