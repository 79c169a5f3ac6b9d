from .config.train import TrainConfig as TrainConfig
from .data.dataset import Dataset as Dataset
from .data.load import load_dataset as load_dataset
from .epoch import EpochRecord as EpochRecord
from .evaluation.evaluation import evaluate as evaluate
from .model.weights import load as load
from .trained import TrainedModel as TrainedModel
from .trainer.trainer import Trainer as Trainer
