"""Optimisers of the published recipes: AdamW, and LAMB for large batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from aster_dse.space import TrainingConfig

__all__ = ["Lamb", "optimiser_for"]


def optimiser_for(model: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """The optimiser that ``config`` names; vectors (biases, norms) are not decayed."""
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.optimiser == "lamb":
        return Lamb(groups, lr=config.learning_rate)
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)


class Lamb(torch.optim.Optimizer):
    """Adam's step, scaled layer by layer to the size of the weights.

    As the published recipes use it: the gradient of all layers together is first cut to a norm of
    ``max_gradient_norm``, and layers without weight decay take Adam's step as it is.

    Source: You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes", ICLR 2020,
    algorithm 2.
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        max_gradient_norm: float = 1.0,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})
        self.max_gradient_norm = max_gradient_norm

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step; ``closure`` evaluates the loss anew where it is given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        moved = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        if not moved:
            return loss
        norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(p.grad) for p in moved]))
        cut = (norm / self.max_gradient_norm).clamp(min=1.0)
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad / cut, group)
        return loss

    def _move(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] += 1
        first, second = group["betas"]
        count = float(state["step"])
        state["exp_avg"].lerp_(gradient, 1 - first)
        state["exp_avg_sq"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
        spread = (state["exp_avg_sq"] / (1 - second**count)).sqrt_().add_(group["eps"])
        update = state["exp_avg"] / (1 - first**count) / spread
        trust: Tensor | float = 1.0
        if group["weight_decay"]:
            update.add_(parameter, alpha=group["weight_decay"])
            weights, step = torch.linalg.vector_norm(parameter), torch.linalg.vector_norm(update)
            trust = torch.where((weights > 0) & (step > 0), weights / step, torch.ones_like(weights))
        parameter.sub_(update * trust * group["lr"])
