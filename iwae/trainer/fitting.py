"""What takes the place of optimizer steps where a model is fitted in closed form or by EM."""

import copy
import math
from typing import Any

import torch
from torch import Tensor

from iwae.annealing import AnnealingSchedule
from iwae.config.train import TrainConfig
from iwae.data.items import Items
from iwae.errors import NonFiniteError
from iwae.evaluation.deterministic import BLOCK
from iwae.model.protocol import FittedModel
from iwae.objectives.objective import Weights
from iwae.randomness import generator


class Fitting:
    """An iteration of the fit on all training items is a step, and an epoch.

    Args:
        config: of the run.
        model: what is fitted, on its device.
        items: resident training items on the same device.

    Attributes:
        epoch: completed epochs.
        batch: 1 when the current epoch's iteration is done, else 0.
        steps_per_epoch: 1.
        num_steps: of the whole fit.
        annealing: constant; a fit weighs nothing.
    """

    steps_per_epoch = 1

    def __init__(self, config: TrainConfig, model: FittedModel, items: Items) -> None:
        self.epoch = 0
        self.batch = 0
        self.num_steps = config.num_epochs
        self.annealing = AnnealingSchedule(config)
        self._model, self._inputs = model, items.inputs()
        self._generator = generator(config.seed, "noise")

    @property
    def steps(self) -> int:
        """Iterations done."""
        return self.epoch + self.batch

    def weights(self, steps: int) -> Weights:
        """None is weighed."""
        return Weights()

    def warm_up(self) -> None:
        """What a process does only once does not count as training seconds."""
        self._model.warm_up()

    def step(self) -> None:
        """One iteration."""
        self._model.fit_step(self._inputs, self._generator)
        self.batch = 1

    def epoch_means(self) -> dict[str, float]:
        """Mean log-likelihood of the training items, nats, where the model has one.

        Raises:
            NonFiniteError: it, or a number of the model's, is NaN or infinite.
        """
        for name, buffer in self._model.named_buffers():
            if not math.isfinite(total := float(buffer.double().sum())):
                raise NonFiniteError(self.epoch + 1, name, total)
        if self._model.config.evidence == "none":
            return {}
        blocks = torch.split(self._inputs, BLOCK)
        mean = float(torch.cat([self._model.log_evidence(block) for block in blocks]).mean())
        if not math.isfinite(mean):
            raise NonFiniteError(self.epoch + 1, "log p(x)", mean)
        return {"bound": mean}

    def end_epoch(self) -> None:
        """The next step starts a new epoch."""
        self.epoch, self.batch = self.epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """Position, the model's buffers and the generator; a copy."""
        return copy.deepcopy(
            {
                "epoch": self.epoch,
                "batch": self.batch,
                "model": dict(self._model.state_dict()),
                "noise_generator": self._generator.get_state(),
            }
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from ``state``."""
        self.epoch, self.batch = state["epoch"], state["batch"]
        self._model.load_state_dict(state["model"])
        noise: Tensor = state["noise_generator"]
        self._generator.set_state(noise.cpu())
