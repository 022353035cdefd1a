"""Layers of the network on sequences ``[T, B, H, W, C]``: a pixel is a token, channels lie side by side.

On a CPU they run on the compiled kernels (:mod:`aster_dse.network.kernels`); on other devices, in mixed
precision and where no compiler is at hand, on torch, with the same function.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

import torch
from spikingjelly.activation_based import layer, surrogate
from torch import Tensor, nn

from aster_dse.network.folded import FoldedConvolution, FoldedNorm
from aster_dse.network.kernels.convolution import (
    SPARSE_FROM,
    FireConvolution,
    SpikeConvolution,
    fire_events,
)
from aster_dse.network.kernels.library import FAST, Build, Kernels, kernels_for
from aster_dse.network.kernels.neurons import Attend, Neurons, Norm, NormAdd, NormFire, NormPool, moments
from aster_dse.network.neurons import LIF, PLIF
from aster_dse.network.sequences import images, pool, sequence

__all__ = [
    "BatchNorm",
    "ConvNorm",
    "Convolution",
    "attend",
    "fire",
    "fire_convolve",
]


class Convolution(layer.Conv2d):  # type: ignore[misc]
    """Stride 1, same padding; fast on spikes."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, bias: bool) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=bias, step_mode="s")
        nn.init.trunc_normal_(self.weight, std=0.02)
        if bias:
            nn.init.zeros_(self.bias)
        self.weight.data = self.weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """``[T, B, H, W, inputs]`` to ``[T, B, H, W, outputs]``."""
        kernels = None if _mixed(x) else kernels_for(x, self.weight)
        if kernels is None:
            dense = super().forward(images(x).contiguous(memory_format=torch.channels_last))
            return sequence(dense.to(x.dtype), len(x))
        flat: Tensor = SpikeConvolution.apply(  # type: ignore[no-untyped-call]
            x.contiguous().flatten(0, 1), self.weight, self.bias, kernels
        )
        return flat.view(*x.shape[:2], *flat.shape[1:])


class BatchNorm(layer.BatchNorm2d):  # type: ignore[misc]
    """Batch norm over every dimension but the last."""

    reduce: Callable[[Tensor], object] | None = None
    """Sums a tensor, in place, over the processes that share a batch; None for one process alone."""

    def add(self, y: Tensor, stream: Tensor | None = None) -> Tensor:
        """``stream + norm(y)``, or the norm alone."""
        kernels = kernels_for(y, self.weight)
        if kernels is not None:
            y = y.contiguous()
            stream = None if stream is None else stream.contiguous()
            added: Tensor = NormAdd.apply(  # type: ignore[no-untyped-call]
                y, self.weight, self.bias, stream, self.norm_of(y, kernels), kernels
            )
            return added
        normed: Tensor = self(y)
        return normed if stream is None else stream + normed

    def pooled(self, y: Tensor) -> Tensor:
        """The 3x3 stride-2 max-pool of the norm of ``y`` ``[T, B, H, W, C]``."""
        kernels = kernels_for(y, self.weight)
        if kernels is not None:
            y = y.contiguous()
            out: Tensor = NormPool.apply(  # type: ignore[no-untyped-call]
                y, self.weight, self.bias, self.norm_of(y, kernels), kernels
            )
            return out
        return pool(self(y))

    def forward(self, y: Tensor) -> Tensor:
        """The norm of ``y`` ``[T, B, H, W, C]``, by torch."""
        # torch refuses the moments of a single value per channel, which are the value and zero.
        if self.training and (self.reduce is not None or y.numel() == y.shape[-1]):
            return self._shared(y)
        return sequence(super().forward(images(y)), len(y))

    def _shared(self, y: Tensor) -> Tensor:
        """With the moments of the parts that all processes have of the batch, which carry gradients."""
        rows = y.reshape(-1, y.shape[-1])
        own = torch.cat([rows.sum(0), rows.new_tensor([float(len(rows))])])
        sums = self._summed(own)
        count = int(sums[-1])
        mean = sums[:-1] / count
        squares = self._summed(((rows - mean) ** 2).sum(0))
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
            unbiased = squares / max(count - 1, 1)
            self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)
        normed: Tensor = (rows - mean) * (squares / count + self.eps).rsqrt() * self.weight + self.bias
        return normed.view(y.shape)

    def _summed(self, own: Tensor) -> Tensor:
        if self.reduce is None:
            return own
        total: Tensor = _Summed.apply(own, self.reduce)  # type: ignore[no-untyped-call]
        return total

    @torch.no_grad()
    def norm_of(self, y: Tensor, kernels: Kernels) -> Norm:
        """Of this batch in training, and the running moments follow it; else of the running moments."""
        both, count = (self._moments(y, kernels)) if self.training else (None, 0)
        constants = y.new_empty(4, y.shape[-1])
        kernels(
            "prepare", y.shape[-1], both, count, float(self.eps), self.weight, self.bias, self.running_mean,
            self.running_var, float(self.momentum), constants,
        )  # fmt: skip
        if self.training:
            self.num_batches_tracked.add_(1)
        return Norm(constants, count, self.reduce)

    def _moments(self, y: Tensor, kernels: Kernels) -> tuple[Tensor, int]:
        both, count = moments(kernels, y)
        if self.reduce is None:
            return both, count
        sums = torch.cat([both[0] * count, both.new_tensor([float(count)])])
        self.reduce(sums)
        total = int(sums[-1])
        mean = sums[:-1] / total
        squares = both[1] + count * (both[0] - mean) ** 2
        self.reduce(squares)
        return torch.stack([mean, squares]), total


class _Summed(torch.autograd.Function):
    """A tensor summed over the processes; so is its gradient."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, reduce: Callable[[Tensor], object]) -> Tensor:
        ctx.reduce = reduce
        total = own.clone()
        reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        total = gradient.clone()
        ctx.reduce(total)
        return total, None


class ConvNorm(nn.Module):
    """A convolution and the batch norm that follows; what reads them applies the norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, bias: bool) -> None:
        super().__init__()
        self.conv = Convolution(inputs, outputs, kernel, bias=bias)
        self.bn = BatchNorm(outputs, step_mode="s")


def fire(
    node: LIF | PLIF,
    y: Tensor,
    norm: BatchNorm | FoldedNorm | None = None,
    *,
    pooled: bool = False,
    keep: bool = False,
    build: Build = FAST,
) -> Tensor:
    """Spikes of the neurons that read ``y`` ``[T, B, H, W, C]``, through a norm where one is given.

    Args:
        pooled: max-pool the spikes, 3x3 with stride 2.
        keep: start from the node's membrane potentials and leave the last ones in it.
        build: of the kernels.
    """
    if isinstance(norm, FoldedNorm):
        norm = None
    kernels = kernels_for(y, *(() if norm is None else (norm.weight,)), build=build)
    if kernels is None or (pooled and keep):
        spikes: Tensor = node(y if norm is None else norm(y))
        return pool(spikes) if pooled else spikes
    y = y.contiguous()
    before = node.v.detach().contiguous() if keep and isinstance(node.v, Tensor) else None
    if before is not None and before.shape != y.shape[1:]:
        raise ValueError(
            f"the neurons hold a state of shape {tuple(before.shape)} and read an input of shape "
            f"{tuple(y.shape[1:])}; reset the network between sequences"
        )
    rate, neurons = _constants(node, y, y.shape[-1])
    fired, after = NormFire.apply(  # type: ignore[no-untyped-call]
        y,
        None if norm is None else norm.weight,
        None if norm is None else norm.bias,
        rate,
        before,
        None if norm is None else norm.norm_of(y, kernels),
        neurons,
        pooled,
        kernels,
    )
    if keep:
        node.v = after
    result: Tensor = fired
    return result


def fire_convolve(
    node: LIF | PLIF,
    y: Tensor,
    conv: Convolution | FoldedConvolution,
    norm: BatchNorm | FoldedNorm | None = None,
    *,
    pooled: bool = False,
    build: Build = FAST,
) -> Tensor:
    """``conv(fire(node, y, norm, pooled=pooled))`` from rest, whose spikes nobody else wants to see."""
    folded = isinstance(conv, FoldedConvolution)
    weights = () if isinstance(conv, FoldedConvolution) else (conv.weight,)
    kernels = kernels_for(y, *weights, build=build)
    if kernels is None or _mixed(y) or not (folded or y.shape[-1] >= SPARSE_FROM):
        return cast(Tensor, conv(fire(node, y, norm, pooled=pooled, build=build)))
    y = y.contiguous()
    rate, neurons = _constants(node, y, y.shape[-1])
    if isinstance(norm, FoldedNorm):
        norm = None
    if isinstance(conv, FoldedConvolution):
        constants = None if norm is None else norm.norm_of(y, kernels)
        events, _ = fire_events(y, rate, constants, neurons, pooled, kernels)
        return conv.of_events(events, len(y))
    result: Tensor = FireConvolution.apply(  # type: ignore[no-untyped-call]
        y,
        None if norm is None else norm.weight,
        None if norm is None else norm.bias,
        rate,
        conv.weight,
        conv.bias,
        None if norm is None else norm.norm_of(y, kernels),
        neurons,
        pooled,
        kernels,
    )
    return result


def attend(node: LIF | PLIF, fused: Tensor, *, build: Build = FAST) -> Tensor | None:
    """Spike-driven self-attention of the spikes ``[T, B, H, W, 3 C]`` of q, k and v; None without kernels.

    Args:
        node: counts k AND v over the pixels; q passes where it fires.
        build: of the kernels.
    """
    kernels = kernels_for(fused, build=build)
    if kernels is None:
        return None
    rate, neurons = _constants(node, fused, fused.shape[-1] // 3)
    attended: Tensor = Attend.apply(fused.contiguous(), rate, neurons, kernels)  # type: ignore[no-untyped-call]
    return attended


def _constants(node: LIF | PLIF, y: Tensor, channels: int) -> tuple[Tensor, Neurons]:
    """``1 / tau`` of each channel, and the other constants of the neurons."""
    if isinstance(node, PLIF):
        rate = node.rates(channels).expand(channels).contiguous()
    else:
        rate = _constant(1.0 / node.tau, channels, y.dtype)
    function = node.surrogate_function
    triangle = isinstance(function, surrogate.PiecewiseQuadratic)
    return rate, Neurons(node.v_threshold, triangle, float(function.alpha), rate.requires_grad)


@functools.lru_cache(maxsize=64)
def _constant(value: float, length: int, dtype: torch.dtype) -> Tensor:
    return torch.full((length,), value, dtype=dtype)


def _mixed(x: Tensor) -> bool:
    """Automatic mixed precision is on."""
    return torch.is_autocast_enabled(x.device.type)
