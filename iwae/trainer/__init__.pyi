from .trainer import FinalEvaluation as FinalEvaluation
from .trainer import Trainer as Trainer
from .trainer import load as load
