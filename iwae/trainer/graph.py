"""A step on a CUDA device: its inputs are tensors that stay where they are, and the step is a CUDA graph.

A step launches a hundred small kernels. At small K the device has done each before the host has launched the
next; a graph launches all at once.
"""

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from iwae.objectives.bounds import Weight
from iwae.objectives.objective import Weights

# Set to 0 to launch every kernel of a step by itself.
SWITCH = "IWAE_CUDA_GRAPHS"
# Steps before the capture: libraries make their workspaces, kernels are compiled and tuned.
WARM_UP_STEPS = 3


class StepInputs(NamedTuple):
    """All that a step is told by the host.

    Attributes:
        indices: of the minibatch's images, ``[B]``, on the device.
        weights: β and λ.
        rate: the learning rate.
    """

    indices: Tensor
    weights: Weights
    rate: Weight


Update = Callable[[StepInputs], None]


class GraphedStep:
    """A step on inputs in static tensors; once captured, a whole minibatch's is one launch.

    The host's numbers reach the device as arguments of kernels, not as copies. A smaller minibatch, and any
    before ``capture``, runs kernel by kernel: the same kernels, and the same draws from the generators.

    The step itself is given at every call: kept here, it would keep its owner's tensors alive.

    Args:
        batch_size: images of a whole minibatch.
        annealed: the one of ``Weights`` that changes from step to step; None where none does.
        device: where the step runs.
    """

    def __init__(self, batch_size: int, annealed: str | None, device: torch.device) -> None:
        self._annealed = annealed
        self._indices = torch.zeros(batch_size, dtype=torch.long, device=device)
        self._weight, self._rate = torch.ones((), device=device), torch.zeros((), device=device)
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, update: Update, inputs: StepInputs) -> None:
        """One step: ``update``, which reads nothing from the device, or its graph."""
        static = self._filled(inputs)
        if self._graph is not None and static.indices is self._indices:
            self._graph.replay()
        else:
            update(static)

    def capture(
        self,
        update: Update,
        inputs: StepInputs,
        generators: Sequence[torch.Generator],
        state: Iterable[Tensor],
    ) -> None:
        """Makes a graph of the step; does nothing under ``IWAE_CUDA_GRAPHS=0``.

        Args:
            update: the step.
            inputs: of a whole minibatch, for the warm-up.
            generators: all that the step draws from; they go on as they would without a graph.
            state: every tensor that the step changes; afterwards as before. Where one of them is replaced
                later, ``drop`` the graph.
        """
        if os.environ.get(SWITCH) == "0":
            return
        kept = [(tensor, tensor.detach().clone()) for tensor in state]
        drawn = [source.get_state() for source in generators]
        self._graph = _captured(update, self._filled(inputs), generators)
        for source, position in zip(generators, drawn, strict=True):
            source.set_state(position)
        with torch.no_grad():
            for tensor, before in kept:
                tensor.copy_(before)

    def drop(self) -> None:
        """Frees the graph and its memory; steps run kernel by kernel until the next capture."""
        self._graph = None

    def _filled(self, inputs: StepInputs) -> StepInputs:
        """``inputs`` in the static tensors; the indices of a smaller minibatch stay in their own."""
        self._rate.fill_(inputs.rate)
        weights, indices = inputs.weights, inputs.indices
        if self._annealed is not None:
            self._weight.fill_(getattr(weights, self._annealed))
            weights = weights._replace(**{self._annealed: self._weight})
        if len(indices) == len(self._indices):
            indices = self._indices.copy_(indices)
        return StepInputs(indices, weights, self._rate)


def _captured(
    update: Update, inputs: StepInputs, generators: Sequence[torch.Generator]
) -> torch.cuda.CUDAGraph:
    """Warms up and captures on one stream, as PyTorch's notes on CUDA graphs ask."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP_STEPS):
            update(inputs)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    for source in generators:
        _register(graph, source)
    # thread_local: other threads of a worker may ask for memory while this one captures.
    with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
        update(inputs)
    return graph


def _register(graph: torch.cuda.CUDAGraph, source: torch.Generator) -> None:
    """Older PyTorch must be told what a graph draws from; newer sees it by itself, and warns."""
    register = getattr(graph, "register_generator_state", None)
    if register is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            register(source)
