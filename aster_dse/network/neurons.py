"""Leaky integrate-and-fire neurons that advance over all time steps in one differentiable function.

They are spikingjelly's neurons (same parameters, same memory, ``functional.reset_net`` resets them) with
decayed input, a hard reset to 0 that carries no gradient, and a fast path: spikingjelly's own multi-step loop
builds a graph of some eight tensors per step, here one autograd function walks through time in blocks that
stay in the processor's cache.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from spikingjelly.activation_based import neuron, surrogate
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["LIF", "PLIF", "FrozenPLIF", "SurrogateName", "surrogate_function"]

SurrogateName = Literal["sigmoid", "triangle"]

_BLOCK = 1 << 17
"""Neurons walked through time together: 0.5 MiB per step and tensor. Larger blocks fall out of the last-level
cache, smaller ones cost more in calls than they save."""


def surrogate_function(name: SurrogateName, alpha: float) -> surrogate.SurrogateFunctionBase:
    """The derivative that stands in for that of the spike.

    ``sigmoid``: that of ``sigmoid(alpha x)``. ``triangle``: ``alpha - alpha^2 |x|`` where positive.
    """
    if name == "triangle":
        return surrogate.PiecewiseQuadratic(alpha=alpha)
    return surrogate.Sigmoid(alpha=alpha)


def _slope(grad: Tensor, h: Tensor, threshold: Tensor, triangle: bool, alpha: float) -> Tensor:
    """``grad`` times the surrogate derivative at ``h - threshold``, over ``alpha``.

    Each line is one pass over the block, and passes are what this costs.
    """
    if triangle:
        return (h - threshold).abs_().mul_(-alpha).add_(1.0).clamp_min_(0.0).mul_(grad)
    steepness = torch.add(-alpha * threshold, h, alpha=alpha)
    slope: Tensor = torch.ops.aten.sigmoid_backward(grad, steepness.sigmoid_())
    return slope


class _Integrate(torch.autograd.Function):
    """Spikes ``[T, M, C]`` of inputs ``[T, M, C]``; the state is carried, not differentiated."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        state: Tensor | None,
        reciprocal_tau: Tensor | float,
        threshold: float,
        triangle: bool,
        alpha: float,
        record: bool,
    ) -> tuple[Tensor, Tensor]:
        steps, rows, channels = x.shape
        spikes = torch.empty_like(x)
        potentials = torch.empty_like(x) if record else None
        final = torch.empty_like(x[0])
        block = max(1, _BLOCK // channels)
        scratch = torch.empty_like(x[0, :block])
        for start in range(0, rows, block):
            part = slice(start, start + block)
            v = None if state is None else state[part]
            for t in range(steps):
                h = scratch[: len(final[part])] if potentials is None else potentials[t, part]
                # Rounded as spikingjelly rounds v + (x - v) / tau, so that no spike differs.
                if v is None:
                    torch.mul(x[t, part], reciprocal_tau, out=h)
                elif isinstance(reciprocal_tau, float):
                    torch.add(v, torch.sub(x[t, part], v, out=h), alpha=reciprocal_tau, out=h)
                else:
                    torch.add(v, torch.sub(x[t, part], v, out=h).mul_(reciprocal_tau), out=h)
                fired = torch.ge(h, threshold, out=spikes[t, part])
                v = torch.addcmul(h, h, fired, value=-1.0, out=final[part])
        ctx.mark_non_differentiable(final)
        ctx.constants = (threshold, triangle, alpha)
        if potentials is not None:
            if isinstance(reciprocal_tau, float):
                ctx.reciprocal_tau = reciprocal_tau
                ctx.save_for_backward(potentials)
            else:
                ctx.reciprocal_tau = None
                ctx.save_for_backward(potentials, spikes, state, reciprocal_tau)
        return spikes, final

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _final: Tensor) -> tuple[Tensor | None, ...]:
        threshold, triangle, alpha = ctx.constants
        potentials = ctx.saved_tensors[0]
        learnt = ctx.reciprocal_tau is None
        reciprocal_tau = ctx.saved_tensors[3] if learnt else ctx.reciprocal_tau
        steps, rows, channels = potentials.shape
        grad = grad.contiguous()
        grad_x = torch.empty_like(potentials)
        leak = 1.0 if learnt else 1.0 - reciprocal_tau
        level = potentials.new_tensor(threshold)
        block = max(1, _BLOCK // channels)
        for start in range(0, rows, block):
            part = slice(start, start + block)
            h = potentials[:, part]
            own = _slope(grad[:, part], h, level, triangle, alpha)
            if steps > 1:
                silent = torch.lt(h[:-1], threshold, out=torch.empty_like(h[:-1]))
                if learnt:
                    silent.mul_(1.0 - reciprocal_tau)
                for t in range(steps - 2, -1, -1):
                    own[t].addcmul_(own[t + 1], silent[t], value=leak)
            torch.mul(own, alpha * reciprocal_tau, out=grad_x[:, part])
        if not learnt:
            return grad_x, None, None, None, None, None, None
        _, spikes, state, _ = ctx.saved_tensors
        # dh/d(1/tau) = x - v = (h - v) / (1/tau), and grad_x = dL/dh / tau.
        before = torch.zeros_like(potentials)
        torch.addcmul(potentials[:-1], potentials[:-1], spikes[:-1], value=-1.0, out=before[1:])
        if state is not None:
            before[0] = state
        per_channel = (grad_x * (potentials - before)).sum((0, 1)) / (reciprocal_tau * reciprocal_tau)
        grad_tau = per_channel if reciprocal_tau.ndim else per_channel.sum()
        return grad_x, None, grad_tau, None, None, None, None


def _advance(node: LIF | PLIF, x: Tensor, reciprocal_tau: Tensor | float) -> Tensor:
    """Run ``node`` over ``x`` ``[T, ..., C]`` from the state it holds, and leave the last state in it."""
    shape = x.shape
    state = node.v if isinstance(node.v, Tensor) else None
    if state is not None and state.shape != shape[1:]:
        raise ValueError(
            f"the neurons hold a state of shape {tuple(state.shape)} and read an input of shape "
            f"{tuple(shape[1:])}; reset the network between sequences"
        )
    record = torch.is_grad_enabled() and (x.requires_grad or isinstance(reciprocal_tau, Tensor))
    surrogate_of_node = node.surrogate_function
    spikes, final = _Integrate.apply(  # type: ignore[no-untyped-call]
        x.contiguous().view(shape[0], -1, shape[-1]),
        None if state is None else state.detach().reshape(-1, shape[-1]),
        reciprocal_tau,
        node.v_threshold,
        isinstance(surrogate_of_node, surrogate.PiecewiseQuadratic),
        float(surrogate_of_node.alpha),
        record,
    )
    node.v = final.view(shape[1:])
    result: Tensor = spikes.view(shape)
    return result


class LIF(neuron.LIFNode):  # type: ignore[misc]
    """``h = v + (x - v) / tau``; fires at ``h >= v_threshold`` and resets to 0. Input ``[T, ..., C]``."""

    def __init__(
        self, tau: float, surrogate_function: surrogate.SurrogateFunctionBase, v_threshold: float = 1.0
    ) -> None:
        super().__init__(
            tau=tau,
            v_threshold=v_threshold,
            surrogate_function=surrogate_function,
            detach_reset=True,
            step_mode="m",
        )

    def multi_step_forward(self, x_seq: Tensor) -> Tensor:
        return _advance(self, x_seq, 1.0 / self.tau)


class PLIF(neuron.ParametricLIFNode):  # type: ignore[misc]
    """A LIF that learns its time constant, ``1 / tau = sigmoid(w)``.

    Args:
        groups: equal shares of the channels, each with its own time constant (``w`` is a vector for several).
    """

    w: torch.nn.Parameter

    def __init__(
        self,
        tau: float,
        surrogate_function: surrogate.SurrogateFunctionBase,
        v_threshold: float = 1.0,
        groups: int = 1,
    ) -> None:
        super().__init__(
            init_tau=tau,
            v_threshold=v_threshold,
            surrogate_function=surrogate_function,
            detach_reset=True,
            step_mode="m",
        )
        if groups > 1:
            self.w = torch.nn.Parameter(self.w.detach().repeat(groups))

    def rates(self, channels: int) -> Tensor:
        """``1 / tau``: one for all, or one for each of the ``channels``."""
        rate: Tensor = self.w.sigmoid()
        return rate.repeat_interleave(channels // len(rate)) if rate.ndim else rate

    def multi_step_forward(self, x_seq: Tensor) -> Tensor:
        return _advance(self, x_seq, self.rates(x_seq.shape[-1]))


class FrozenPLIF(PLIF):
    """A PLIF, or a LIF, whose rates have the same bits on every machine; it does not learn."""

    def __init__(self, node: LIF | PLIF) -> None:
        super().__init__(2.0, node.surrogate_function, node.v_threshold)
        self.w.requires_grad_(False)
        if isinstance(node, PLIF):
            # torch's sigmoid is rounded otherwise on processors with other vectors.
            ones = [1.0 / (1.0 + math.exp(-w)) for w in node.w.detach().double().reshape(-1).tolist()]
            rates = torch.tensor(ones, dtype=torch.float64).to(node.w.dtype).view(node.w.shape)
        else:
            rates = torch.tensor(1.0 / node.tau)
        self._rates = rates.to(self.w.device)

    def rates(self, channels: int) -> Tensor:
        """``1 / tau``: one for all, or one for each of the ``channels``."""
        rate = self._rates
        return rate.repeat_interleave(channels // len(rate)) if rate.ndim else rate
