"""Layers on arrays by the compiled kernels, from the events of their inputs; bits as by the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from aster_dse.network.kernels.convolution import Events, empty_events
from aster_dse.network.kernels.library import Kernels
from aster_dse.numerics.kernels.library import ArrayKernels
from aster_dse.numerics.layer import DIGITAL_BITS, ArrayLayer
from aster_dse.numerics.packed import LARGE, PackedLayers, longest_sum, pack_columns
from aster_dse.numerics.ranges import ONE

__all__ = ["Reading", "events_of_bit", "histogram_of", "read_events", "whole_numbers"]


@dataclass(frozen=True)
class Reading:
    """Which samples are read: read noise depends on it."""

    per_step: int
    """Images of one time step."""
    sample: int = 0
    """The first of them."""


def events_of_bit(kernels: ArrayKernels, x: Tensor, bit: int) -> Events:
    """Where a bit of whole numbers ``[T, B, H, W, C]`` is set, in whatever order they lie in memory."""
    steps, batch, height, width, channels = x.shape
    if x.dtype != torch.float32 or x.stride(2) != width * x.stride(3):
        x = x.float().contiguous()
    shape = (steps * batch, height, width, channels)
    channel, count = empty_events(shape)
    step, sample, _, pixel, map_ = x.stride()

    def run(first: int, last: int) -> int:
        total = torch.zeros(1, dtype=torch.int64)
        kernels(
            "arrays_events", x, first, last, batch, step, sample, height * width, pixel, channels, map_, bit,
            channel, count, total,
        )  # fmt: skip
        return int(total)

    return Events(channel, count, shape, sum(Kernels.ranges(steps * batch, run)))


def read_events(
    kernels: ArrayKernels,
    planes: Sequence[Events],
    packed: PackedLayers,
    out: Tensor,
    reading: Reading,
    counts: Tensor | None,
) -> None:
    """Compute some layers.

    Args:
        planes: the events of each bit of the inputs, lowest first.
        out: ``[N, H, W, outputs]``, part of the outputs of a whole module; written.
        counts: ``[N, 3]`` driven rows, windows with one, (window, tile) pairs with one; added to.
    """
    digital = packed.layers[0].arrays.compute == "digital"
    if len(planes) == 1 and not digital:
        _run(kernels, planes[0], packed, out, None, 0, reading, counts)
        return
    images, height, width, _ = planes[0].shape
    groups = packed.columns.groups * (32 if packed.columns.pair else 64)
    sums = torch.zeros(images, height * width, groups, dtype=torch.int32)
    for plane, events in enumerate(planes):
        _run(kernels, events, packed, out, sums, plane, reading, counts)
    slices = packed.scales.shape[0]
    parts = sums[..., : slices * packed.padded].view(images, height * width, slices, packed.padded)
    parts = parts[..., : packed.outputs].movedim(2, 0)
    y = packed.bias.expand(images, height * width, packed.outputs).clone()
    if digital:
        whole = sum(part.long() << (DIGITAL_BITS * place) for place, part in enumerate(parts))
        y += packed.scales[0, : packed.outputs] * torch.as_tensor(whole).float()
    else:
        for part, scale in zip(parts, packed.scales, strict=True):
            y += scale[: packed.outputs] * part.float()
    if packed.row_offsets is not None and not digital:
        driven = sum(_driven(events, packed) << plane for plane, events in enumerate(planes))
        for worth in packed.row_offsets:
            y -= worth[: packed.outputs] * torch.as_tensor(driven).float()[..., None]
    out.copy_(y.view(images, height, width, -1))


def _run(
    kernels: ArrayKernels,
    events: Events,
    packed: PackedLayers,
    out: Tensor,
    sums: Tensor | None,
    plane: int,
    reading: Reading,
    counts: Tensor | None,
) -> None:
    images, height, width, channels = events.shape
    first, columns = packed.layers[0], packed.columns
    bias_step = packed.bias_rows.stride(0) if packed.bias_rows.ndim > 1 else 0
    digital = (
        packed.scales, packed.scales.shape[0], packed.outputs, packed.padded, packed.bias_rows, bias_step,
        packed.row_offsets, out, out.stride(2), sums, plane,
    )  # fmt: skip
    noise = (
        int(columns.longest >= LARGE), packed.keys, packed.noise, int(first.event_gating), reading.per_step,
        reading.sample,
    )  # fmt: skip

    def run(start: int, stop: int) -> None:
        read = (
            events.channel, events.count, start, stop, height, width, channels, first.layer.kernel_size,
            first.arrays.rows, columns.cells, columns.groups, columns.most, packed.multipliers,
            packed.highest, int(columns.pair),
        )  # fmt: skip
        seen = None if counts is None else counts[start:]
        extra = noise if packed.kind == "loose" else ()
        kernels(f"arrays_{packed.kind}", *read, *digital, seen, *extra)

    Kernels.ranges(images, run)


def _driven(events: Events, packed: PackedLayers) -> Tensor:
    """``[N, H * W]`` driven rows of every window."""
    images, height, width, _ = events.shape
    kernel = packed.layers[0].layer.kernel_size
    spikes = events.count.to(torch.int64).view(images, 1, height, width).double()
    box = torch.ones(1, 1, kernel, kernel, dtype=torch.float64)
    return torch.nn.functional.conv2d(spikes, box, padding=kernel // 2).round().long().view(images, -1)


def whole_numbers(planes: Sequence[Events]) -> Tensor:
    """The inputs ``[N, H, W, C]`` whose bit planes these events are, lowest first."""
    total = torch.zeros(planes[0].shape, dtype=torch.int64)
    for plane, events in enumerate(planes):
        channels = events.shape[3]
        listed = torch.arange(channels)[None] < events.count.to(torch.int64)[:, None]
        pixel = torch.nonzero(listed)[:, 0]
        total.view(-1, channels)[pixel, events.channel.to(torch.int64)[listed]] += 1 << plane
    return total


def histogram_of(kernels: ArrayKernels, planes: Sequence[Events], layer: ArrayLayer) -> Tensor:
    """:func:`~aster_dse.numerics.reference.column_histogram` of events."""
    cells = layer.calibration_cells
    wide = layer.calibration_fine > 0 or longest_sum(cells, layer.arrays.rows) >= ONE
    columns = pack_columns(cells, layer.arrays.rows, wide=wide)
    slices, length = len(cells), columns.longest + 1
    whose = columns.spread(np.arange(slices)[:, None, None], torch.int64, rest=slices).to(torch.uint16)
    total = torch.zeros(slices + 1, length, dtype=torch.int64)
    for events in planes:

        def run(start: int, stop: int, events: Events = events) -> Tensor:
            found = torch.zeros(slices + 1, length, dtype=torch.int64)
            _, height, width, channels = events.shape
            read = (
                events.channel, events.count, start, stop, height, width, channels, layer.layer.kernel_size,
                layer.arrays.rows, columns.cells, columns.groups, columns.most, whose,
            )  # fmt: skip
            if wide:
                kernels("arrays_histogram_wide", *read, length, found)
            else:
                kernels("arrays_histogram", *read, slices, length, found)
            return found

        for part in Kernels.ranges(events.shape[0], run):
            total += part
    return total[:slices]
