"""The optimizer steps of a training run, and everything they depend on."""

import copy
import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from iwae.annealing import AnnealingSchedule, learning_rate
from iwae.config.train import TrainConfig
from iwae.data.items import Items
from iwae.data.pixels import minibatch
from iwae.errors import NonFiniteError
from iwae.memory import images_at_once, images_of_a_pass
from iwae.model.protocol import LatentModel
from iwae.objectives.objective import (
    SUMMED,
    StepTerms,
    Surrogates,
    Weights,
    backward,
    build_objective,
    sums_of,
)
from iwae.randomness import generator
from iwae.trainer.adam import Adam
from iwae.trainer.graph import GraphedStep, StepInputs

# Summed over images while an epoch trains, in the order in which a NaN is looked for.
TERMS = (*SUMMED, "bound", "objective")
OBJECTIVE = TERMS.index("objective")


class Optimization:
    """Steps of one run; its state says where inside an epoch it is.

    Args:
        config: of the run.
        model: what is trained, on its device.
        items: resident training items on the same device.

    Attributes:
        epoch: completed epochs.
        batch: steps done in the current epoch.
        steps_per_epoch: the last, smaller minibatch counted.
        num_steps: of the whole training.
        annealing: the schedule of one of the objective's weights.
        objective: what is maximized.
        images_at_once: of a forward and backward pass.
    """

    def __init__(self, config: TrainConfig, model: LatentModel, items: Items) -> None:
        self.epoch = 0
        self.batch = 0
        self.steps_per_epoch = math.ceil(len(items) / config.batch_size)
        self.num_steps = self.steps_per_epoch * config.num_epochs
        self.annealing = AnnealingSchedule(config)
        self.objective = build_objective(config.objective)
        self._config, self._model, self._items = config, model, items
        self.images_at_once = images_of_a_pass(config, model.layout, items.device.type)
        model.activation_bytes = config.activation_bytes
        self._optimizer = Adam(config.optimizer, model.parameters())
        self._data_generator = generator(config.seed, "data", items.device)
        self._noise_generator = generator(config.seed, "noise", items.device)
        self._permutation: Tensor | None = None
        self._sums = torch.zeros(len(TERMS), dtype=torch.float64, device=items.device)
        self._graphed: GraphedStep | None = None
        if items.device.type == "cuda":
            annealed = None if self.annealing.is_constant else self.annealing.target
            whole = min(config.batch_size, len(items))
            self._graphed = GraphedStep(whole, annealed, items.device)

    @property
    def steps(self) -> int:
        """Optimizer steps done."""
        return self.epoch * self.steps_per_epoch + self.batch

    def weights(self, steps: int) -> Weights:
        """β and λ of the objective after so many steps."""
        weight = self.annealing(steps / self.num_steps)
        return Weights(self._config.objective.beta)._replace(**{self.annealing.target: weight})

    @property
    def optimizer(self) -> Adam:
        """With the parameters and their moments."""
        return self._optimizer

    @property
    def sums(self) -> Tensor:
        """Of ``TERMS`` over the images of the epoch so far, float64 ``[6]``."""
        return self._sums

    def warm_up(self) -> None:
        """A step that changes nothing: what a process does only once does not count as training seconds."""
        self._try_backward()
        # In a pack the steps of the epoch have been made.
        left = self.batch < self.steps_per_epoch
        if self._graphed is not None and left and not self._config.objective.reads_device:
            size = min(self._config.batch_size, len(self._items))
            images = torch.arange(size, device=self._items.device)
            inputs = StepInputs(images, self.weights(0), self._config.optimizer.lr)
            generators = (self._data_generator, self._noise_generator)
            self._graphed.capture(self._update, inputs, generators, self._changing())

    def _try_backward(self) -> None:
        config = self._config
        x = self._items[: self.images_at_once].inputs()
        noise = torch.zeros(self._model.noise_shape(config.objective.num_samples, len(x)), device=x.device)
        terms = self.objective.step_terms(self._model, x, Weights(), noise=noise)
        backward(terms.surrogates.each(torch.sum), self._model)
        self._optimizer.forget_gradients()

    def _changing(self) -> Iterator[Tensor]:
        """Every tensor that a step changes."""
        yield from self._model.parameters()
        yield from self._model.buffers()
        for state in self._optimizer.states():
            yield from state.values()
        yield self._sums

    def step(self) -> None:
        """One optimizer step on the next minibatch of the epoch."""
        inputs = self.next_inputs()
        if self._graphed is None:
            self._update(inputs)
        else:
            self._graphed(self._update, inputs)
        self.batch += 1

    def next_inputs(self) -> StepInputs:
        """What the next step is told; the first of an epoch draws the order of the images."""
        if self._permutation is None:
            self._permutation = torch.randperm(
                len(self._items), generator=self._data_generator, device=self._items.device
            )
        size = self._config.batch_size
        indices = self._permutation[self.batch * size : (self.batch + 1) * size]
        rate = learning_rate(self._config.optimizer, self.steps, self.steps_per_epoch, self.num_steps)
        return StepInputs(indices, self.weights(self.steps), rate)

    def pixels(self, indices: Tensor) -> Tensor:
        """Of the items at ``indices`` ``[B]``, drawn afresh under ``dynamic``: ``[B, X + Y]``."""
        items = self._items.at(indices)
        return items.beside(minibatch(items.values, self._config.data.binarization, self._data_generator))

    def noise(self, num_images: int) -> Tensor:
        """Of the next minibatch, ``[K, B, ...]``."""
        shape = self._model.noise_shape(self._config.objective.num_samples, num_images)
        return torch.randn(shape, generator=self._noise_generator, device=self._items.device)

    def _update(self, inputs: StepInputs, left_out: Sequence[nn.Parameter] = ()) -> None:
        """One optimizer step; reads nothing from the device, so that it can be a CUDA graph.

        Args:
            inputs: of the step.
            left_out: parameters that stay as they are.
        """
        config = self._config
        x = self.pixels(inputs.indices)
        self._optimizer.forget_gradients()
        for part, noise in self.chunks(x, self.images_at_once, self._noise_generator):
            terms = self.objective.step_terms(
                self._model, part, inputs.weights, noise=noise, generator=self._noise_generator
            )
            backward(terms.surrogates.each(partial(self._loss, len(x))), self._model)
            self._add(terms)
        for parameter in left_out:
            parameter.grad = None
        if config.optimizer.clip_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._model.parameters(), config.optimizer.clip_grad_norm)
        self._optimizer.update(inputs.rate)
        self._model.after_step(x, self._noise_generator)

    def chunks(self, x: Tensor, size: int, source: torch.Generator) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Pixels ``[B, X]`` in chunks of at most ``size`` images, each with its own noise ``[K, b, ...]``.

        Drawn for all images first, the noise is the same as without chunks; one chunk draws its own (None).
        """
        if size >= len(x):
            yield x, None
            return
        shape = self._model.noise_shape(self._config.objective.num_samples, len(x))
        noise = torch.randn(shape, generator=source, device=x.device, dtype=x.dtype)
        yield from zip(torch.split(x, size), torch.split(noise, size, dim=1), strict=True)

    def surrogates(self, x: Tensor, weights: Weights, source: torch.Generator) -> Surrogates:
        """Means over a minibatch ``[B, X]`` of what is differentiated, with fresh noise from ``source``."""
        again = torch.Generator(x.device)

        def of_chunk(part: Tensor, noise: Tensor | None, state: Tensor) -> Surrogates:
            again.set_state(state)
            terms = self.objective.step_terms(self._model, part, weights, noise=noise, generator=again)
            return terms.surrogates

        found = []
        for part, noise in self.chunks(x, images_at_once(self._config, self._model.layout), source):
            # What a chunk holds for the gradient is computed again when the gradient needs it, from the same
            # state of the generator.
            state = source.get_state()
            if noise is None:
                found.append(of_chunk(part, noise, state))
            else:
                found.append(checkpoint(of_chunk, part, noise, state, use_reentrant=False))
            source.set_state(again.get_state())
        return (found[0] if len(found) == 1 else Surrogates.joined(found)).each(torch.mean)

    def epoch_means(self) -> dict[str, float]:
        """Means over the epoch's images of every term, nats; a smaller minibatch counts by its size.

        Raises:
            NonFiniteError: a term or a parameter is NaN or infinite.
        """
        names = [f"parameter {name}" for name, _ in self._model.named_parameters()]
        sums = torch.stack([p.detach().sum() for p in self._model.parameters()])
        # Read at once: a read waits for the device.
        read = torch.cat((self._sums / len(self._items), sums.double())).tolist()
        for term, value in zip((*TERMS, *names), read, strict=True):
            if not math.isfinite(value):
                raise NonFiniteError(self.epoch + 1, term, value)
        return dict(zip(TERMS, read, strict=False))

    def end_epoch(self) -> None:
        """The next step starts a new epoch."""
        self.epoch, self.batch, self._permutation = self.epoch + 1, 0, None
        self._sums.zero_()
        if self._graphed is not None and self.epoch == self._config.num_epochs:
            self._graphed.drop()  # its memory is the final evaluation's

    def state_dict(self) -> dict[str, Any]:
        """Position, parameters, optimizer, generators, sums; a copy."""
        return copy.deepcopy(
            {
                "epoch": self.epoch,
                "batch": self.batch,
                "permutation": self._permutation,
                "sums": self._sums,
                "model": dict(self._model.state_dict()),
                "optimizer": self._optimizer.state_dict(),
                "data_generator": self._data_generator.get_state(),
                "noise_generator": self._noise_generator.get_state(),
            }
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from ``state``."""
        self.epoch, self.batch = state["epoch"], state["batch"]
        permutation = state["permutation"]
        self._permutation = None if permutation is None else permutation.to(self._items.device, copy=True)
        self._sums.copy_(state["sums"])
        if self._graphed is not None:
            self._graphed.drop()
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self._data_generator.set_state(state["data_generator"].cpu())
        self._noise_generator.set_state(state["noise_generator"].cpu())

    def _loss(self, num_images: int, surrogate: Tensor) -> Tensor:
        """What is minimized, from the surrogates ``[b]`` of a chunk of a minibatch of so many images."""
        total = surrogate.sum()
        return -total / num_images if self._config.optimizer.reduction == "mean" else -total

    def _add(self, terms: StepTerms) -> None:
        """Adds the sums over a chunk, in the order of ``TERMS``."""
        values = torch.stack((terms.bound.sum(), terms.objective.sum()))
        self._sums += torch.cat((sums_of(terms.densities), values))
