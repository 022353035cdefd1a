"""Convolutions of spikes: weights are added only where a spike arrives, forwards and for their own gradient.

In place of spikes, events are kept: which channels spike, pixel by pixel. The gradient of the input is dense,
since a surrogate derivative is nowhere zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import conv2d

from aster_dse.network.kernels.library import Kernels
from aster_dse.network.kernels.neurons import Neurons, Norm, unfire

__all__ = [
    "SPARSE_FROM",
    "Events",
    "FireConvolution",
    "SpikeConvolution",
    "count_windows",
    "events_of",
    "fire_events",
]

DENSE_FROM = 0.35
"""Share of inputs that spike above which a dense convolution is as fast."""
SPARSE_FROM = 16
"""Input channels below which it is as fast at any rate."""
FEW = 16
"""Channels on both sides up to which our own dense 3x3 convolution is faster than the library's."""

SMALL = 2**14
"""Weights of a 1x1 convolution up to which a plain product is faster than the library's convolution."""
WINOGRAD_BYTES = 96 * 1024
"""Transformed inputs that are multiplied together: they stay in the second-level cache."""


@dataclass(frozen=True)
class Events:
    """Spikes of ``[N, H, W, C]``: pixel p's are the first ``count[p]`` of the C places ``channel[p]``."""

    channel: Tensor
    count: Tensor
    shape: tuple[int, int, int, int]
    total: int
    """How many there are; negative where the values are no spikes."""

    @property
    def many(self) -> bool:
        """A dense convolution is as fast, or the only way."""
        images, height, width, channels = self.shape
        return not 0 <= self.total <= DENSE_FROM * images * height * width * channels


def empty_events(shape: tuple[int, int, int, int]) -> tuple[Tensor, Tensor]:
    """Memory for channels and counts."""
    images, height, width, channels = shape
    pixels = images * height * width
    return torch.empty(pixels, channels, dtype=torch.uint16), torch.empty(pixels, dtype=torch.uint16)


def events_of(kernels: Kernels, spikes: Tensor) -> Events:
    """The events of ``spikes`` ``[N, H, W, C]``."""
    images, height, width, channels = spikes.shape
    shape = (images, height, width, channels)
    channel, count = empty_events(shape)
    totals = kernels.ranges(
        images * height * width,
        lambda first, last: kernels("events", spikes, first, last, channels, channel, count),
    )
    return Events(channel, count, shape, -1 if min(totals) < 0 else sum(totals))


def convolve(kernels: Kernels, events: Events, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``[N, H, W, Cout]``, stride 1, same padding."""
    images, height, width, inputs = events.shape
    outputs, kernel = weight.shape[0], weight.shape[-1]
    out = weight.new_empty(images, height, width, outputs)
    vectors = _vectors(kernels, outputs)
    packed = _packed(weight, vectors * kernels.lanes)
    offset = None if bias is None else _padded(bias, packed.shape[0] * packed.shape[-1])
    kernels.ranges(
        images,
        lambda first, last: kernels(
            "convolve", events.channel, events.count, first, last, height, width, inputs, outputs, kernel,
            vectors, packed, offset, out,
        ),
    )  # fmt: skip
    return out


def count_windows(kernels: Kernels, spikes: Tensor, kernel: int, row_sizes: Sequence[int]) -> Tensor:
    """What a convolution's windows read of ``spikes`` ``[N, H, W, C]``: ``[N, 2 + len(row_sizes)]`` int64.

    Rows with a spike, windows with one, and groups of so many rows with one; rows are numbered by channel,
    kernel row and kernel column.

    Args:
        row_sizes: 16 and its doubles.
    """
    events = events_of(kernels, spikes)
    if events.total < 0:
        raise ValueError("what is counted must be 0 or 1")
    images, height, width, channels = events.shape

    def run(first: int, last: int) -> Tensor:
        counts = torch.empty(last - first, 2 + len(row_sizes), dtype=torch.int64)
        kernels(
            "count_windows", events.channel, events.count, first, last, height, width, channels, kernel,
            len(row_sizes), counts,
        )  # fmt: skip
        return counts

    return torch.cat(kernels.ranges(images, run))


class SpikeConvolution(torch.autograd.Function):
    """Stride-1 same-padded convolution of ``[N, H, W, Cin]`` to ``[N, H, W, Cout]``.

    Fast where the input is 0 and 1 and mostly 0; a dense convolution where it is not.
    """

    @staticmethod
    def forward(ctx: Any, spikes: Tensor, weight: Tensor, bias: Tensor | None, kernels: Kernels) -> Tensor:
        ctx.events = None
        if spikes.shape[-1] >= SPARSE_FROM:
            events = events_of(kernels, spikes)
            ctx.events = None if events.many else events
        if ctx.events is None:
            out = dense(kernels, spikes, weight, bias)
            ctx.save_for_backward(weight, spikes)
        else:
            out = convolve(kernels, ctx.events, weight, bias)
            ctx.save_for_backward(weight)
        ctx.kernels, ctx.inputs = kernels, spikes.shape[-1]
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        weight, *spikes = ctx.saved_tensors
        grad = grad.contiguous()
        back = input_gradient(ctx.kernels, grad, weight, ctx.inputs) if ctx.needs_input_grad[0] else None
        weights = weight_gradient(ctx.kernels, ctx.events or spikes[0], grad, weight)
        return back, weights, grad.sum((0, 1, 2)) if ctx.needs_input_grad[2] else None, None


class FireConvolution(torch.autograd.Function):
    """The convolution of what neurons say that read ``y`` ``[T, B, H, W, C]`` through a norm (or none).

    Between neurons and convolution there are events only, where they are few enough. Max-pooled 3x3 stride 2
    where asked.
    """

    @staticmethod
    def forward(
        ctx: Any,
        y: Tensor,
        norm_weight: Tensor | None,  # noqa: ARG004 - they are in the norm; here they get their gradients
        norm_bias: Tensor | None,  # noqa: ARG004
        rate: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        norm: Norm | None,
        neurons: Neurons,
        pool: bool,
        kernels: Kernels,
    ) -> Tensor:
        events, choice = fire_events(y, rate, norm, neurons, pool, kernels)
        images, height, width, _ = events.shape
        spikes = None
        if events.many:
            spikes = y.new_empty(events.shape)
            kernels("spread", events.channel, events.count, 0, images * height * width, y.shape[-1], spikes)
            out = dense(kernels, spikes, weight, bias)
        else:
            out = convolve(kernels, events, weight, bias)
        ctx.save_for_backward(y, rate, choice, weight, spikes)
        ctx.events = None if events.many else events
        ctx.norm, ctx.neurons, ctx.kernels = norm, neurons, kernels
        return out.view(*y.shape[:2], height, width, -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        y, rate, choice, weight, spikes = ctx.saved_tensors
        grad = grad.contiguous().flatten(0, 1)
        weights = weight_gradient(ctx.kernels, ctx.events or spikes, grad, weight)
        bias = grad.sum((0, 1, 2)) if ctx.needs_input_grad[5] else None
        back = input_gradient(ctx.kernels, grad, weight, y.shape[-1])
        dy, norm_weight, norm_bias, grad_rate = unfire(
            ctx.kernels, y, back, rate, ctx.norm, ctx.neurons, choice=choice
        )
        return dy, norm_weight, norm_bias, grad_rate, weights, bias, *(None,) * 4


def fire_events(
    y: Tensor, rate: Tensor, norm: Norm | None, neurons: Neurons, pool: bool, kernels: Kernels
) -> tuple[Events, Tensor | None]:
    """The events of neurons, and which tap of its window each pooled one came from."""
    steps, batch, height, width, channels = y.shape
    constants = None if norm is None else norm.constants
    if pool:
        shape = (steps * batch, (height - 1) // 2 + 1, (width - 1) // 2 + 1, channels)
        channel, count = empty_events(shape)
        choice = torch.empty(shape, dtype=torch.uint8)
        totals = kernels.ranges(
            batch,
            lambda first, last: kernels(
                "fire_pool_events", y, channel, count, choice, steps, batch, first, last, height, width,
                channels, constants, rate, neurons.threshold,
            ),
        )  # fmt: skip
        return Events(channel, count, shape, sum(totals)), choice
    shape = (steps * batch, height, width, channels)
    channel, count = empty_events(shape)
    rows = batch * height * width
    totals = kernels.ranges(
        rows,
        lambda first, last: kernels(
            "fire_events", y, channel, count, steps, rows, first, last, channels, constants, rate,
            neurons.threshold,
        ),
    )  # fmt: skip
    return Events(channel, count, shape, sum(totals)), None


def weight_gradient(kernels: Kernels, inputs: Events | Tensor, grad: Tensor, weight: Tensor) -> Tensor:
    """Gradient of the weights from that of the output, ``[N, H, W, Cout]``."""
    outputs, channels, kernel = weight.shape[0], weight.shape[1], weight.shape[-1]
    images, height, width, _ = grad.shape
    few = isinstance(inputs, Tensor) and outputs in (8, 16) and _few(weight)
    if isinstance(inputs, Tensor) and not few:
        return _library_gradient(grad, inputs, weight, 1)
    vectors = _vectors(kernels, outputs)
    tile = outputs if few else vectors * kernels.lanes

    def run(first: int, last: int) -> Tensor:
        span = (first, last, height, width, channels, outputs)
        if isinstance(inputs, Tensor):
            part = grad.new_zeros(1, channels, 9, tile)
            kernels("unconvolve_few", inputs, *span, tile, grad, part)
            return part
        part = grad.new_zeros(-(-outputs // tile), kernel * kernel, channels, tile)
        kernels("unconvolve", inputs.channel, inputs.count, *span, kernel, vectors, grad, part)
        return part.transpose(1, 2)

    parts = kernels.ranges(images, run)
    summed = parts[0] if len(parts) == 1 else torch.stack(parts).sum(0)
    # [tiles, Cin, taps, tile]
    flat = summed.permute(0, 3, 1, 2).reshape(-1, channels, kernel * kernel)[:outputs]
    return torch.empty_like(weight).copy_(flat.view(outputs, channels, kernel, kernel))


def input_gradient(kernels: Kernels, grad: Tensor, weight: Tensor, inputs: int) -> Tensor:
    """Gradient of the input, ``[N, H, W, Cin]``: the convolution with the weights turned round."""
    if _few(weight):
        return _convolve_few(kernels, grad, weight.flip(2, 3).transpose(0, 1))
    if _winograd_suits(kernels, weight.transpose(0, 1)):
        return _winograd(kernels, grad, weight.flip(2, 3).transpose(0, 1))
    if weight.shape[-1] == 1 and weight.numel() <= SMALL:
        return (grad.view(-1, grad.shape[-1]) @ weight.view(-1, inputs)).view(*grad.shape[:3], inputs)
    like = grad.new_empty(*grad.shape[:3], inputs)
    return _library_gradient(grad, like, weight, 0).permute(0, 2, 3, 1).contiguous()


def dense(kernels: Kernels, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The convolution of any ``[N, H, W, Cin]``."""
    if bias is None and _few(weight):
        return _convolve_few(kernels, x, weight)
    out = conv2d(x.permute(0, 3, 1, 2), weight, bias, padding=weight.shape[-1] // 2)
    return out.permute(0, 2, 3, 1).contiguous()


def _few(weight: Tensor) -> bool:
    return weight.shape[-1] == 3 and max(weight.shape[:2]) <= FEW


def _convolve_few(kernels: Kernels, x: Tensor, weight: Tensor) -> Tensor:
    images, height, width, inputs = x.shape
    outputs = weight.shape[0]
    tile = 8 if outputs <= 8 else 16
    packed = weight.new_zeros(9, inputs, tile)
    packed[:, :, :outputs] = weight.permute(2, 3, 1, 0).flatten(0, 1)
    out = x.new_empty(images, height, width, outputs)
    kernels.ranges(
        images,
        lambda first, last: kernels(
            "convolve_few", x, first, last, height, width, inputs, outputs, tile, packed, out
        ),
    )
    return out


def _winograd_suits(kernels: Kernels, weight: Tensor) -> bool:
    outputs, inputs, kernel = weight.shape[:3]
    return kernels.wide and kernel == 3 and inputs % kernels.lanes == 0 and outputs >= kernels.lanes


def _winograd(kernels: Kernels, x: Tensor, weight: Tensor) -> Tensor:
    images, height, width, inputs = x.shape
    outputs = weight.shape[0]
    vectors = _vectors(kernels, outputs)
    # G g G^T of every filter (Lavin, Gray 2016), as one product.
    rows = weight.new_tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]])
    filters = (weight.flatten(2) @ torch.kron(rows, rows).T).view(outputs, inputs, 4, 4)
    packed = _packed(filters, vectors * kernels.lanes)
    out = x.new_empty(images, height, width, outputs)
    together = max(6, WINOGRAD_BYTES // (16 * inputs * x.element_size()) // 6 * 6)
    kernels.ranges(
        images,
        lambda first, last: kernels(
            "winograd", x, first, last, height, width, inputs, outputs, vectors, together, packed, out
        ),
    )
    return out


def _library_gradient(grad: Tensor, x: Tensor, weight: Tensor, which: int) -> Tensor:
    """Of the input (0) or the weights (1)."""
    pad = weight.shape[-1] // 2
    wanted: Tensor = torch.ops.aten.convolution_backward(
        grad.permute(0, 3, 1, 2), x.permute(0, 3, 1, 2), weight, None, [1, 1], [pad, pad], [1, 1], False,
        [0, 0], 1, [which == 0, which == 1, False],
    )[which]  # fmt: skip
    return wanted


def _vectors(kernels: Kernels, outputs: int) -> int:
    """Vectors of outputs that a kernel holds in registers."""
    for vectors in (4, 2):
        if outputs >= vectors * kernels.lanes:
            return vectors
    return 1


def _padded(values: Tensor, length: int) -> Tensor:
    out = values.new_zeros(length)
    out[: len(values)] = values
    return out


def _packed(weight: Tensor, tile: int) -> Tensor:
    """``[Cout, Cin, k, k]`` as ``[tiles, k * k, Cin, tile]``."""
    outputs, inputs = weight.shape[:2]
    tiles = -(-outputs // tile)
    flat = weight.flatten(2)
    if tiles * tile > outputs:
        flat = torch.cat([flat, flat.new_zeros(tiles * tile - outputs, *flat.shape[1:])])
    return flat.view(tiles, tile, inputs, -1).permute(0, 3, 2, 1).contiguous()
