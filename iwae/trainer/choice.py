"""Which kind of optimization a run has."""

from iwae.config.train import TrainConfig
from iwae.evaluation.latent_use import ITEMS
from iwae.model.protocol import FittedModel, LatentModel, Model
from iwae.trainer.aggressive import AggressiveOptimization
from iwae.trainer.fitting import Fitting
from iwae.trainer.optimization import Optimization
from iwae.trainer.splits import Splits


def optimization_of(config: TrainConfig, model: Model, splits: Splits) -> Optimization | Fitting:
    """The optimizer steps of ``model``, or the iterations of its fit."""
    if isinstance(model, FittedModel):
        return Fitting(config, model, splits.train)
    assert isinstance(model, LatentModel)
    if config.objective.aggressive_encoder:
        return AggressiveOptimization(config, model, splits.train, splits.validation[:ITEMS])
    return Optimization(config, model, splits.train)
