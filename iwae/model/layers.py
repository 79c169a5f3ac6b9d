"""Stacks of linear layers."""

import itertools

from torch import nn

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "elu": nn.ELU}


def dense(dims: tuple[int, ...], activation: type[nn.Module]) -> nn.Sequential:
    """Linear layers of the widths ``dims``, inputs first, with activations between them; values unset."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(dims):
        # skip_init: the layer's own initialization would draw from torch's global generator.
        linear = nn.utils.skip_init(nn.Linear, inputs, outputs)  # type: ignore[no-untyped-call]
        layers += [linear, activation()]
    return nn.Sequential(*layers[:-1])
