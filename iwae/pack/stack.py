"""Models of one shape as one model, whose images are those of all of them."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.utils._pytree import tree_map

from iwae.model.densities import LogDensities
from iwae.model.layers import Tanh
from iwae.model.protocol import Encoding, LatentModel


class Stack:
    """N models as one, for an objective: slot n has the images n B … (n + 1) B − 1 of N · B.

    Args:
        model: one of them; its parameters are not used.
        parameters: of all, by their names in ``model``, ``[N, ...]`` each.
        slots: N.
    """

    def __init__(self, model: LatentModel, parameters: Mapping[str, Tensor], slots: int) -> None:
        self._model = _Calls(copy.deepcopy(model))
        for module in self._model.modules():
            if isinstance(module, Tanh):
                module.composed = True
        self._parameters = {f"model.{name}": tensor for name, tensor in parameters.items()}
        self._slots = slots
        self.widest = model.widest
        self.noise_shape = model.noise_shape

    def encode(self, x: Tensor) -> Encoding:
        """q(z|x) of pixels ``[N · B, X]``, each by its slot's encoder."""

        def of_slot(parameters: dict[str, Tensor], x: Tensor) -> Encoding:
            return functional_call(self._model, parameters, ("encode", x))

        posterior = vmap(of_slot)(self._parameters, self._by_slot(x))
        return tree_map(lambda tensor: tensor.flatten(0, 1), posterior)

    def log_densities(
        self,
        x: Tensor,
        num_samples: int,
        *,
        noise: Tensor | None = None,
        generator: torch.Generator | None = None,
        posterior: Encoding | None = None,
        stop_posterior: bool = False,
    ) -> LogDensities:
        """See ``LatentModel``; densities ``[K, N · B]``. Noise is each slot's own, and must be given."""
        assert noise is not None, generator

        def of_slot(parameters: dict[str, Tensor], x: Tensor, noise: Tensor, posterior: Encoding) -> Any:
            options = {"noise": noise, "posterior": posterior, "stop_posterior": stop_posterior}
            terms = functional_call(self._model, parameters, ("log_densities", x, num_samples), options)
            assert terms.auxiliary is None, "a family with auxiliary terms does not pack"
            return terms[:4]  # vmap takes no None

        encoded = None if posterior is None else tree_map(self._by_slot, posterior)
        by_slot = by_slots(noise, self._slots, 1)  # [K, N, B, ...]
        in_dims = (0, 0, 1, None if posterior is None else 0)
        terms = vmap(of_slot, in_dims)(self._parameters, self._by_slot(x), by_slot, encoded)
        # [N, K, B] -> [K, N · B]
        *sampled, kl = terms
        log_p_x_given_z, log_p_z, log_q_z_given_x = (term.transpose(0, 1).flatten(1, 2) for term in sampled)
        return LogDensities(log_p_x_given_z, log_p_z, log_q_z_given_x, kl.flatten(0, 1))

    def _by_slot(self, tensor: Tensor) -> Tensor:
        return by_slots(tensor, self._slots)


def by_slots(tensor: Tensor, slots: int, dim: int = 0) -> Tensor:
    """The images of all slots in dimension ``dim``, N · B, as two dimensions."""
    size = tensor.shape[dim] // slots
    return tensor.reshape(*tensor.shape[:dim], slots, size, *tensor.shape[dim + 1 :])


class _Calls(nn.Module):
    """``functional_call`` calls ``forward`` only."""

    def __init__(self, model: LatentModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, method: str, *arguments: Any, **options: Any) -> Any:
        return getattr(self.model, method)(*arguments, **options)
