"""Adam (Kingma & Ba 2015) whose step is little more than its kernel.

PyTorch's own step sorts the tensors by device again each time: beside a small model's gradient that is a
tenth of a training step on a CPU. In a CUDA graph it would ask for another flag than outside of one.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from iwae.config.optimizer import OptimizerConfig


class Adam(torch.optim.Adam):
    """PyTorch's fused Adam: the same states, the same bits, ``update`` for ``step``."""

    def __init__(self, config: OptimizerConfig, parameters: Iterable[nn.Parameter]) -> None:
        super().__init__(parameters, lr=config.lr, betas=config.betas, eps=config.eps, fused=True)

    def forget_gradients(self) -> None:
        """``zero_grad`` without its bookkeeping."""
        for parameter in self.param_groups[0]["params"]:
            parameter.grad = None

    def states(self) -> list[dict[str, Tensor]]:
        """``step``, ``exp_avg`` and ``exp_avg_sq`` of every parameter; zeros before the first step."""
        for parameter in self.param_groups[0]["params"]:
            if not self.state[parameter]:
                self.state[parameter] = {
                    "step": torch.zeros((), device=parameter.device),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                }
        return [self.state[parameter] for parameter in self.param_groups[0]["params"]]

    @torch.no_grad()
    def update(self, rate: float | Tensor) -> None:
        """One step at a learning rate, which may be a scalar of the device, float32."""
        group = self.param_groups[0]
        group["lr"] = rate
        parameters = [p for p in group["params"] if p.grad is not None]
        states = [self.state[p] for p in parameters]
        if not all(states):
            self.step()  # the first one makes the states
            return
        steps = [state["step"] for state in states]
        torch._foreach_add_(steps, 1)
        torch._fused_adam_(
            parameters,
            [p.grad for p in parameters],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            lr=rate,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            eps=group["eps"],
            weight_decay=0.0,
            amsgrad=False,
            maximize=False,
        )
