"""The encoder ahead of the decoder (He et al. 2019, algorithm 1): a remedy against posterior collapse."""

from typing import Any

import torch

from iwae.config.objective import AggressiveEncoder
from iwae.config.train import TrainConfig
from iwae.data.items import Items
from iwae.evaluation.latent_use import mutual_information
from iwae.model.protocol import LatentModel
from iwae.trainer.graph import StepInputs
from iwae.trainer.optimization import TERMS, Optimization

OBJECTIVE = TERMS.index("objective")


class AggressiveOptimization(Optimization):
    """Before each step the encoder is updated by itself until that no longer helps; then the decoder is.

    When the mutual information of x and z is below that of the epoch before, it is over for good, and steps
    are those of ``Optimization``.

    Args:
        config: of the run; its objective is aggressive.
        model: what is trained, on its device.
        items: resident training items on the same device.
        watched: items on which the mutual information is measured, none of them trained on.

    Attributes:
        aggressive: whether the encoder still is.
    """

    def __init__(self, config: TrainConfig, model: LatentModel, items: Items, watched: Items) -> None:
        super().__init__(config, model, items)
        settings = getattr(config.objective, "aggressive", None)
        assert isinstance(settings, AggressiveEncoder)
        self.aggressive = True
        self._settings, self._watched = settings, watched
        self._updates = 0  # of the encoder by itself, in this epoch
        self._information: float | None = None  # of the epoch before
        self._encoder = model.groups()["encoder"]
        self._rest = [p for p in model.parameters() if not any(p is known for known in self._encoder)]

    def step(self) -> None:
        """The encoder's updates, and the step on the next minibatch of the epoch."""
        if not self.aggressive:
            super().step()
            return
        inputs = self.next_inputs()
        self._update_encoder(inputs)
        self._update(inputs, left_out=self._encoder)
        self.batch += 1

    def _update_encoder(self, inputs: StepInputs) -> None:
        """First on this minibatch, then on others; ends when the objective's mean no longer rises."""
        settings, best, total = self._settings, float("-inf"), 0.0
        indices = inputs.indices
        for number in range(1, settings.most_updates + 1):
            total += self._encoder_step(inputs._replace(indices=indices))
            self._updates += 1
            if number % settings.check_every == 0:
                if total <= best:
                    return
                best, total = total, 0.0
            indices = torch.randint(
                len(self._items), indices.shape, generator=self._data_generator, device=indices.device
            )

    def _encoder_step(self, inputs: StepInputs) -> float:
        """One update, no part of the epoch's means; the minibatch's mean objective before it, nats."""
        sums = self._sums.clone()
        self._update(inputs, left_out=self._rest)
        objective = float(self._sums[OBJECTIVE] - sums[OBJECTIVE]) / len(inputs.indices)
        self._sums.copy_(sums)
        return objective

    def epoch_means(self) -> dict[str, float]:
        """As ``Optimization``; with the encoder's updates before a step and the mutual information, nats."""
        means = super().epoch_means()
        if self.aggressive:
            means["encoder_updates"] = self._updates / self.steps_per_epoch
            means["mutual_information"] = self._measured()
        return means

    def _measured(self) -> float:
        found = mutual_information(self._model, self._watched.inputs(), purpose="aggressive")
        assert found is not None, "the configuration refuses such a model"
        return found

    def end_epoch(self) -> None:
        """The next step starts a new epoch."""
        if self.aggressive:
            information = self._measured()
            if self._information is not None and information < self._information:
                self.aggressive = False
            self._information, self._updates = information, 0
        super().end_epoch()

    def state_dict(self) -> dict[str, Any]:
        """As ``Optimization``, with what the encoder's updates depend on."""
        mine = {"on": self.aggressive, "updates": self._updates, "information": self._information}
        return {**super().state_dict(), "aggressive": mine}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from ``state``."""
        super().load_state_dict(state)
        mine = state["aggressive"]
        self.aggressive, self._updates = mine["on"], mine["updates"]
        self._information = mine["information"]
