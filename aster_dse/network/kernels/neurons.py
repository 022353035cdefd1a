"""Neurons, batch norm and attention as differentiable functions of the compiled kernels.

Sequences are ``[T, B, H, W, C]``, contiguous. Neurons and the norm before them are one function: the
normalised input and the membrane potentials are never stored, the walk back through time computes them again
from what the convolution left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from aster_dse.network.kernels.library import Kernels

__all__ = ["Attend", "Neurons", "Norm", "NormAdd", "NormFire", "NormPool", "moments", "unfire"]

Reduce = Callable[[Tensor], object]
"""Sums a tensor, in place, over the processes that share a batch."""


@dataclass(frozen=True)
class Norm:
    """What a batch norm normalises with."""

    constants: Tensor
    """``[4, C]``: mean, one over the standard deviation, and scale and shift of the whole norm."""
    count: int
    """Rows that the mean was taken from, over all processes that share a batch; 0 where it is a constant."""
    reduce: Reduce | None


@dataclass(frozen=True)
class Neurons:
    """Constants of a neuron layer."""

    threshold: float
    triangle: bool
    alpha: float
    learnt: bool
    """The time constant gets a gradient."""


def moments(kernels: Kernels, y: Tensor) -> tuple[Tensor, int]:
    """``[2, C]`` (double): mean and summed squared deviation over all rows of ``y``; and how many rows."""
    channels = y.shape[-1]
    rows = y.view(-1, channels)

    def run(first: int, last: int) -> tuple[Tensor, int]:
        both = torch.empty(2, channels, dtype=torch.float64)
        kernels("moments", rows[first:last], last - first, channels, both, both[1])
        return both, last - first

    (together, count), *others = kernels.ranges(len(rows), run)
    for more, added in others:
        gap = more[0] - together[0]
        share = added / (count + added)
        together = torch.stack(
            [together[0] + gap * share, together[1] + more[1] + gap * gap * (count * share)]
        )
        count += added
    return together, count


def _summed(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.stack(parts).sum(0)


def _unnorm(kernels: Kernels, y: Tensor, dx: Tensor, norm: Norm, sums: Tensor) -> tuple[Tensor, Tensor]:
    """Turn the gradient ``dx`` of a norm's output into that of its input, in place.

    Args:
        sums: ``[2, C]`` of dx and of dx times the standardised input, in this process.

    Returns:
        The gradients of weight and bias, of this process.
    """
    bias, weight = sums.to(y.dtype, copy=True)
    if norm.reduce is not None and norm.count:
        norm.reduce(sums)
    channels = y.shape[-1]
    kernels.ranges(
        y.numel() // channels,
        lambda first, last: kernels("unnorm", y, dx, first, last, channels, norm.constants, sums, norm.count),
    )
    return weight, bias


class NormFire(torch.autograd.Function):
    """Spikes of neurons that read ``y`` through a batch norm (or none), max-pooled 3x3 stride 2 where asked.

    Returns the spikes and, without a pool, the last membrane potentials ``[B, H, W, C]``.
    """

    @staticmethod
    def forward(
        ctx: Any,
        y: Tensor,
        weight: Tensor | None,  # noqa: ARG004 - they are in the norm; here they get their gradients
        bias: Tensor | None,  # noqa: ARG004
        rate: Tensor,
        before: Tensor | None,
        norm: Norm | None,
        neurons: Neurons,
        pool: bool,
        kernels: Kernels,
    ) -> tuple[Tensor, Tensor | None]:
        steps, batch, height, width, channels = y.shape
        constants = None if norm is None else norm.constants
        choice = after = None
        if pool:
            size = ((height - 1) // 2 + 1, (width - 1) // 2 + 1)
            spikes = y.new_empty(steps, batch, *size, channels)
            choice = torch.empty(spikes.shape, dtype=torch.uint8)
            kernels.ranges(
                batch,
                lambda first, last: kernels(
                    "fire_pool", y, spikes, choice, steps, batch, first, last, height, width, channels,
                    constants, rate, neurons.threshold,
                ),
            )  # fmt: skip
        else:
            spikes, after = torch.empty_like(y), torch.empty_like(y[0])
            rows = batch * height * width
            kernels.ranges(
                rows,
                lambda first, last: kernels(
                    "fire", y, spikes, steps, rows * channels, first, last, channels, constants, rate,
                    neurons.threshold, before, after,
                ),
            )  # fmt: skip
            ctx.mark_non_differentiable(after)
        ctx.save_for_backward(y, rate, before, choice)
        ctx.norm, ctx.neurons, ctx.kernels = norm, neurons, kernels
        return spikes, after

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _after: Tensor | None) -> tuple[Tensor | None, ...]:
        y, rate, before, choice = ctx.saved_tensors
        gradients = unfire(
            ctx.kernels, y, grad.contiguous(), rate, ctx.norm, ctx.neurons, choice=choice, before=before
        )
        return *gradients, *(None,) * 5


def unfire(
    kernels: Kernels,
    y: Tensor,
    grad: Tensor,
    rate: Tensor,
    norm: Norm | None,
    neurons: Neurons,
    *,
    choice: Tensor | None = None,
    before: Tensor | None = None,
) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
    """Gradients of ``y``, the norm's weight and bias, and the rate, from that of the (pooled) spikes."""
    steps, batch, height, width, channels = y.shape
    dx = torch.empty_like(y)
    constants = None if norm is None else norm.constants
    kind = (neurons.threshold, neurons.alpha, int(neurons.triangle))

    def run(first: int, last: int) -> Tensor:
        sums = torch.zeros(3, channels, dtype=torch.float64)
        if choice is not None:
            kernels(
                "unfire_pool", y, grad, choice, dx, steps, batch, first, last, height, width, channels,
                constants, rate, *kind, int(neurons.learnt), sums,
            )  # fmt: skip
        else:
            kernels(
                "unfire", y, grad, dx, steps, batch * height * width * channels, first, last, channels,
                constants, rate, *kind, before, int(neurons.learnt), sums,
            )  # fmt: skip
        return sums

    sums = _summed(kernels.ranges(batch if choice is not None else batch * height * width, run))
    weight, bias = (None, None) if norm is None else _unnorm(kernels, y, dx, norm, sums[:2])
    return dx, weight, bias, sums[2].to(y.dtype) if neurons.learnt else None


def _norm_backward(
    kernels: Kernels, y: Tensor, grad: Tensor, dx: Tensor, norm: Norm
) -> tuple[Tensor, Tensor]:
    """As :func:`_unnorm`, of a norm whose output got ``grad``; ``dx`` holds the same values."""
    channels = y.shape[-1]

    def run(first: int, last: int) -> Tensor:
        sums = torch.zeros(2, channels, dtype=torch.float64)
        kernels("norm_sums", y, grad, first, last, channels, norm.constants, sums)
        return sums

    return _unnorm(kernels, y, dx, norm, _summed(kernels.ranges(y.numel() // channels, run)))


class NormAdd(torch.autograd.Function):
    """``stream + norm(y)``, or ``norm(y)`` alone."""

    @staticmethod
    def forward(
        ctx: Any,
        y: Tensor,
        weight: Tensor,  # noqa: ARG004
        bias: Tensor,  # noqa: ARG004
        stream: Tensor | None,
        norm: Norm,
        kernels: Kernels,
    ) -> Tensor:
        channels = y.shape[-1]
        out = torch.empty_like(y)
        kernels.ranges(
            y.numel() // channels,
            lambda first, last: kernels("norm_add", y, stream, out, first, last, channels, norm.constants),
        )
        ctx.save_for_backward(y)
        ctx.norm, ctx.kernels, ctx.added = norm, kernels, stream is not None
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (y,) = ctx.saved_tensors
        grad = grad.contiguous()
        dy = grad.clone()
        weight, bias = _norm_backward(ctx.kernels, y, grad, dy, ctx.norm)
        return dy, weight, bias, grad if ctx.added else None, None, None


class NormPool(torch.autograd.Function):
    """The 3x3 stride-2 max-pool of ``norm(y)``."""

    @staticmethod
    def forward(
        ctx: Any,
        y: Tensor,
        weight: Tensor,  # noqa: ARG004
        bias: Tensor,  # noqa: ARG004
        norm: Norm,
        kernels: Kernels,
    ) -> Tensor:
        steps, batch, height, width, channels = y.shape
        out = y.new_empty(steps, batch, (height - 1) // 2 + 1, (width - 1) // 2 + 1, channels)
        choice = torch.empty(out.shape, dtype=torch.uint8)
        kernels.ranges(
            steps * batch,
            lambda first, last: kernels(
                "norm_pool", y, out, choice, first, last, height, width, channels, norm.constants
            ),
        )
        ctx.save_for_backward(y, choice)
        ctx.norm, ctx.kernels = norm, kernels
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        y, choice = ctx.saved_tensors
        steps, batch, height, width, channels = y.shape
        grad, dx = grad.contiguous(), torch.empty_like(y)
        ctx.kernels.ranges(
            steps * batch,
            lambda first, last: ctx.kernels("unpool", grad, choice, dx, first, last, height, width, channels),
        )
        weight, bias = _norm_backward(ctx.kernels, y, dx, dx, ctx.norm)
        return dx, weight, bias, None, None


class Attend(torch.autograd.Function):
    """Spike-driven self-attention of spikes ``[T, B, H, W, 3 C]`` of q, k and v, to ``[T, B, H, W, C]``."""

    @staticmethod
    def forward(ctx: Any, fused: Tensor, rate: Tensor, neurons: Neurons, kernels: Kernels) -> Tensor:
        steps, batch, height, width, channels = fused.shape
        out = fused.new_empty(steps, batch, height, width, channels // 3)
        kernels.ranges(
            batch,
            lambda first, last: kernels(
                "attend", fused, out, steps, batch, first, last, height * width, channels // 3, rate,
                neurons.threshold,
            ),
        )  # fmt: skip
        ctx.save_for_backward(fused, rate)
        ctx.neurons, ctx.kernels = neurons, kernels
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        fused, rate = ctx.saved_tensors
        neurons = ctx.neurons
        steps, batch, height, width, channels = fused.shape
        grad, back = grad.contiguous(), torch.empty_like(fused)

        def run(first: int, last: int) -> Tensor:
            sums = torch.zeros(channels // 3, dtype=torch.float64)
            ctx.kernels(
                "unattend", fused, grad, back, steps, batch, first, last, height * width, channels // 3, rate,
                neurons.threshold, neurons.alpha, int(neurons.triangle), sums,
            )  # fmt: skip
            return sums

        parts = ctx.kernels.ranges(batch, run)
        return back, _summed(parts).to(fused.dtype) if neurons.learnt else None, None, None
