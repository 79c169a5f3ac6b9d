from .dataset import Dataset as Dataset
from .dataset import RawSplits as RawSplits
from .dataset import content_hash as content_hash
from .load import load_dataset as load_dataset
from .location import data_root as data_root
