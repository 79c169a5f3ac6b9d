"""Trials of one shape, trained in lock step as one batched program.

Every trial stays a ``Trainer`` of its own: it draws its own images, pixels and noise, and evaluates itself.
Only the optimizer steps of an epoch are made together.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from iwae.errors import PackError
from iwae.model.protocol import LatentModel
from iwae.objectives.objective import StepTerms, Surrogates, Weights
from iwae.pack.key import pack_key
from iwae.pack.memory import PackMemory
from iwae.pack.stack import Stack, by_slots
from iwae.randomness import generator
from iwae.trainer.optimization import TERMS, Optimization
from iwae.trainer.stopwatch import together
from iwae.trainer.trainer import Trainer

# The images of all slots are a multiple of this, filled up with empty ones: what is left over behind whole
# vectors is computed by other instructions on a CPU, and a trial's last bits would depend on its slot.
WHOLE_VECTORS = 32


class _Member(NamedTuple):
    slot: int
    trainer: Trainer
    optimization: Optimization


class _Inputs(NamedTuple):
    """Of one step: pixels ``[N · B, X]`` and noise ``[K, N · B, ...]``, and the same by slot to be filled."""

    pixels: Tensor
    noise: Tensor
    pixels_by_slot: Tensor
    noise_by_slot: Tensor


class Pack:
    """A fixed number of slots in which trials of one shape train.

    With the same number of slots, the same bits: whatever trains beside it, and in which slot. Against the
    same trial alone only the last bits of a step differ. A slot that is free costs as much as one in use.

    Args:
        trainer: any of the shape, which ``iwae.pack.key.pack_key`` tells.
        slots: N, the most trials at once.

    Raises:
        PackError: the configuration can only train alone, or the slots have not the same bits on this
            machine.
    """

    def __init__(self, trainer: Trainer, slots: int) -> None:
        key = pack_key(trainer.config)
        if key is None:
            raise PackError("such a configuration trains alone")
        assert isinstance(trainer.model, LatentModel)
        self._key, self._slots, self._model = key, slots, trainer.model
        self._num_samples = trainer.config.objective.num_samples
        self._objective = trainer.join().objective
        self._memory = PackMemory(trainer.model, slots)
        self._stack = Stack(self._model, self._memory.parameters, slots)
        names = {id(parameter): name for name, parameter in trainer.model.named_parameters()}
        self._encoder = [names[id(parameter)] for parameter in self._model.groups()["encoder"]]
        self._inputs: dict[int, _Inputs] = {}
        self._sums = torch.zeros(slots, len(TERMS), dtype=torch.float64, device=trainer.device)
        self._refuse_unequal_slots(trainer)

    def train_epoch(self, trainers: Sequence[Trainer]) -> None:
        """Trains what is left of the current epoch of each; ``next(trainer.epochs(), None)`` then evaluates.

        That call raises the trainer's own NonFiniteError, and gives None after its ``stop()``: such a trainer
        leaves at the next step, with a state to go on from, and the others train on. One that had stopped
        inside an epoch joins where it left. A trainer's seconds are the pack's, divided by who trained.

        Args:
            trainers: of the pack's shape, at most N; others the next time, or in another order, as one likes.

        Raises:
            Exception: what a step raises, for want of memory above all. The trainers are of no use then:
                load their last states into new ones.
        """
        assert len(trainers) <= self._slots
        assert all(pack_key(trainer.config) == self._key for trainer in trainers)
        self._memory.clear()
        members = [_Member(slot, trainer, trainer.join()) for slot, trainer in enumerate(trainers)]
        for slot, _, optimization in members:
            self._memory.load(slot, optimization.optimizer)
            self._sums[slot] = optimization.sums
        while active := _next_to_train(members):
            with together([trainer.stopwatch for _, trainer, _ in active]):
                self._step(active)
                while _next_to_train(members) == active:
                    self._step(active)
        for slot, _, optimization in members:
            self._memory.store(slot, optimization.optimizer)
            optimization.sums.copy_(self._sums[slot])

    def _step(self, members: list[_Member]) -> None:
        """One optimizer step of members that are at the same minibatch."""
        told = [member.optimization.next_inputs() for member in members]
        size, scales, weights = len(told[0].indices), [0.0] * self._slots, [Weights()] * self._slots
        for (slot, trainer, optimization), inputs in zip(members, told, strict=True):
            self._fill(slot, optimization.pixels(inputs.indices), optimization.noise(size))
            weights[slot] = inputs.weights
            scales[slot] = -1 / size if trainer.config.optimizer.reduction == "mean" else -1.0
        sums = self._differentiate(size, scales, weights)
        alike: dict[tuple[float, ...], list[int]] = {}
        taking_part = [member.slot for member in members]
        if len(taking_part) == self._slots:
            self._sums += sums
        else:
            self._sums[taking_part] += sums[taking_part]
        for (slot, trainer, optimization), inputs in zip(members, told, strict=True):
            config = trainer.config.optimizer
            if config.clip_grad_norm is not None:
                self._memory.clip(slot, config.clip_grad_norm)
            alike.setdefault((float(inputs.rate), *config.betas, config.eps), []).append(slot)
            optimization.batch += 1
        for numbers, slots in alike.items():
            self._memory.update(slots, *numbers)

    def _fill(self, slot: int, pixels: Tensor, noise: Tensor) -> None:
        size = len(pixels)
        inputs = self._inputs_of(size)
        inputs.pixels_by_slot[slot, :size] = pixels
        inputs.noise_by_slot[:, slot, :size] = noise

    def _inputs_of(self, size: int) -> _Inputs:
        """Where minibatches of this size go, all zeros at first; empty images stay zeros."""
        if size not in self._inputs:
            multiple = WHOLE_VECTORS // math.gcd(WHOLE_VECTORS, self._slots)
            rows = self._slots * multiple * -(-size // multiple)
            pixels = self._memory.gradients.new_zeros(rows, self._model.num_inputs)
            noise = pixels.new_zeros(self._model.noise_shape(self._num_samples, rows))
            self._inputs[size] = _Inputs(
                pixels, noise, by_slots(pixels, self._slots), by_slots(noise, self._slots, 1)
            )
        return self._inputs[size]

    def _differentiate(self, size: int, scales: list[float], weights: list[Weights]) -> Tensor:
        """Sets the gradients of the losses, surrogates times ``scales``; sums of ``TERMS``, ``[N, 6]``."""
        inputs = self._inputs_of(size)
        every = Weights()
        if not all(each.at_one for each in weights):
            rows = torch.tensor(weights, device=self._sums.device)  # [N, 2]
            every = Weights(*rows.repeat_interleave(len(inputs.pixels) // self._slots, 0).T.contiguous())
        terms = self._objective.step_terms(self._stack, inputs.pixels, every, noise=inputs.noise)
        scale = torch.tensor(scales, device=self._sums.device)

        def loss(surrogate: Tensor) -> Tensor:
            return (by_slots(surrogate, self._slots)[:, :size].sum(1) * scale).sum()

        self._memory.set_gradients(self._gradients(terms.surrogates.each(loss)))
        with torch.no_grad():
            return by_slots(_sums_of_images(terms), self._slots, 1)[..., :size].sum(-1).T

    def _gradients(self, losses: Surrogates) -> dict[str, Tensor]:
        parameters = self._memory.parameters
        if losses.shared:
            return _gradients_of(losses.encoder, parameters, list(parameters))
        rest = [name for name in parameters if name not in self._encoder]
        found = _gradients_of(losses.encoder, parameters, self._encoder, retain_graph=True)
        return found | _gradients_of(losses.decoder, parameters, rest)

    def _refuse_unequal_slots(self, trainer: Trainer) -> None:
        """Trains the same in all slots, for both sizes of a minibatch, and compares."""
        source = generator(0, "pack", self._sums.device)
        num_images, batch_size = len(trainer.dataset.train), trainer.config.batch_size
        for size in {min(batch_size, num_images), num_images % batch_size} - {0}:
            shape = self._model.noise_shape(self._num_samples, size)
            pixels = torch.rand(size, self._model.num_inputs, generator=source, device=source.device)
            noise = torch.randn(shape, generator=source, device=source.device)
            for slot in range(self._slots):
                self._memory.load(slot, trainer.join().optimizer)
                self._fill(slot, pixels > 0.5, noise)
            sums = self._differentiate(size, [1.0] * self._slots, [Weights()] * self._slots)
            for rows in (sums, self._memory.gradients):
                if not torch.equal(rows, rows[:1].expand_as(rows)):
                    raise PackError("on this machine the slots of such a pack have not the same bits")
        self._inputs.clear()


def _next_to_train(members: list[_Member]) -> list[_Member]:
    """Those that are the farthest behind in the epoch, and were not stopped."""
    waiting = [
        member
        for member in members
        if member.optimization.batch < member.optimization.steps_per_epoch and not member.trainer.stopping
    ]
    first = min((member.optimization.batch for member in waiting), default=0)
    return [member for member in waiting if member.optimization.batch == first]


def _sums_of_images(terms: StepTerms) -> Tensor:
    """``TERMS`` of each image, means over samples, ``[6, B]``."""
    densities = terms.densities
    sampled = torch.stack(densities[:3]).mean(1)  # [3, K, B] -> [3, B]
    return torch.cat((sampled, torch.stack((densities.kl.sum(-1), terms.bound, terms.objective))))


def _gradients_of(
    loss: Tensor, parameters: dict[str, Tensor], names: list[str], *, retain_graph: bool = False
) -> dict[str, Tensor]:
    found = torch.autograd.grad(
        loss, [parameters[name] for name in names], retain_graph=retain_graph, materialize_grads=True
    )
    return dict(zip(names, found, strict=True))
