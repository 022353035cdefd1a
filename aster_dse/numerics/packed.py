"""Layers on arrays, packed for the compiled kernels: columns side by side, 64 to a group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aster_dse.numerics.cells import column_keys
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.ranges import FINE, ONE

__all__ = ["LARGE", "Columns", "PackedLayers", "alike", "can_pack", "longest_sum", "pack", "pack_columns"]

Ints = NDArray[np.int64]

_GROUP, _HALF, _OUTPUTS = 64, 32, 16
"""Columns of a group and of its halves; outputs that are written at once."""
_WIDE = 1 << 23
"""Sums with 8 fractional bits below which the kernels hold them in two words of 16 bits."""
_PARTS = 256
"""Parts of a tile's rows of which they do."""
LARGE = 1 << 24
"""From here on sums are read one by one, in 64 bits."""


@dataclass(frozen=True, eq=False)
class Columns:
    """Columns of cells in groups, and whose they are."""

    cells: Tensor
    """``[fan-in, groups, 64]``: of a pair 32 columns of the plus side, then those of the minus side."""
    place: Ints
    """``[slices, sides, outputs]`` index of each column in ``[groups * 64]``."""
    most: int
    """Rows whose cells' sum always fits into a cell's type."""
    longest: int
    """Largest sum of a tile's column."""

    @property
    def groups(self) -> int:
        return int(self.cells.shape[1])

    @property
    def pair(self) -> bool:
        return len(self.place[0]) > 1

    def spread(self, values: Ints, dtype: torch.dtype, rest: int = 0) -> Tensor:
        """``[groups, 64]`` of values ``[slices, sides, outputs]``, which may be 1 where they are the same."""
        out = np.full(self.groups * _GROUP, rest, dtype=np.int64)
        out[self.place] = np.broadcast_to(values, self.place.shape)
        return torch.from_numpy(out).to(dtype)


@dataclass(frozen=True, eq=False)
class PackedLayers:
    """Some layers that read the same spikes and whose arrays are alike; their outputs lie side by side."""

    layers: tuple[ArrayLayer, ...]
    columns: Columns
    kind: Literal["narrow", "wide", "loose"]
    """Which kernel: sums of whole cells in 16 bits, sums with 8 fractional bits and codes in 16, or any."""
    multipliers: Tensor
    """``[groups, 64]``"""
    highest: Tensor
    """``[groups, 64]``"""
    scales: Tensor
    """``[slices, padded]``"""
    bias: Tensor
    """``[outputs]`` or ``[H * W, outputs]``"""
    bias_rows: Tensor
    """The same with rows of a multiple of 16 numbers."""
    row_offsets: Tensor | None
    """``[2, padded]``"""
    keys: Tensor | None
    """``[groups, 64]`` of the read noise."""
    noise: Tensor | None
    """``[65536]`` what it adds."""

    @property
    def outputs(self) -> int:
        return int(self.bias.shape[-1])

    @property
    def padded(self) -> int:
        return int(self.scales.shape[1])


def can_pack(layer: ArrayLayer) -> bool:
    """Whether the kernels hold its cells and number its rows; the reference does the others."""
    largest = max(int(cells.max(initial=0)) for cells in (layer.cells, layer.calibration_cells))
    return largest < 1 << 16 and layer.layer.fan_in < 1 << 16


def alike(one: ArrayLayer, other: ArrayLayer) -> bool:
    """Whether two layers that read the same spikes can be computed at once."""
    names = ("rows", "cell_bits", "weight_bits", "column_kind", "compute")
    same = all(getattr(one.arrays, name) == getattr(other.arrays, name) for name in names)
    return same and (one.exact, one.arrays.rounds_down) == (other.exact, other.arrays.rounds_down)


def pack(layers: Sequence[ArrayLayer]) -> PackedLayers:
    """Lay out the columns of layers that are :func:`alike`."""
    first = layers[0]
    cells = np.concatenate([layer.cells for layer in layers], axis=2)
    multipliers = _joined([_by_slice(layer, [*layer.multipliers]) for layer in layers])
    highest = _joined(
        [_by_slice(layer, [ONE - 1 if layer.exact else layer.highest_code]) for layer in layers]
    )
    kind, columns = _kind(cells, first, multipliers, highest)
    if kind == "narrow":
        multipliers = np.minimum(multipliers, ONE - 1)
    elif kind == "loose":
        highest = np.where(highest == ONE - 1, (1 << 31) - 1, highest)
    word = torch.int32 if kind == "loose" else torch.int16
    scales, offsets = _digital_side(layers, cells.shape[0], -(-cells.shape[2] // 4) * 4)
    bias = np.concatenate([layer.weights.bias for layer in layers], axis=-1)
    room = [(0, 0)] * (bias.ndim - 1) + [(0, -bias.shape[-1] % _OUTPUTS)]
    return PackedLayers(
        layers=tuple(layers),
        columns=columns,
        kind=kind,
        multipliers=columns.spread(multipliers, word),
        highest=columns.spread(highest, word),
        scales=scales,
        bias=torch.from_numpy(bias),
        bias_rows=torch.from_numpy(np.pad(bias, room)),
        row_offsets=None if first.row_offsets is None else offsets,
        keys=_column_keys(layers, columns) if first.noisy else None,
        noise=torch.from_numpy(first.noise) if first.noisy else None,
    )


def _kind(
    cells: Ints, first: ArrayLayer, multipliers: Ints, highest: Ints
) -> tuple[Literal["narrow", "wide", "loose"], Columns]:
    """The fastest kernel that is right, and the columns as it reads them."""
    tiles = -(-cells.shape[3] // first.arrays.rows)
    codes = tiles * int(highest.max())
    if first.fine == 0:
        columns = pack_columns(cells, first.arrays.rows, wide=False)
        digital = int(cells.sum(axis=3).max(initial=0)) if first.exact else codes
        # m = 2^15 becomes 32,767, which is right for sums up to 2^14.
        longest = ONE // 2 if (multipliers == ONE).any() else ONE - 1
        if columns.longest <= longest and digital < ONE:
            return "narrow", columns
        cells = cells << FINE
    columns = pack_columns(cells, first.arrays.rows, wide=True)
    parts = -(-min(first.arrays.rows, cells.shape[3]) // columns.most)
    short = columns.longest < _WIDE and parts <= _PARTS and codes < ONE
    return "wide" if short and not (first.exact or first.noisy) else "loose", columns


def pack_columns(cells: Ints, rows: int, *, wide: bool) -> Columns:
    """Lay out cells ``[slices, sides, outputs, fan-in]``, in bytes or in 16 bits."""
    slices, sides, outputs, fan_in = cells.shape
    padded = -(-outputs // 4) * 4
    lanes = _HALF if sides > 1 else _GROUP
    group, lane = np.divmod(np.arange(slices)[:, None] * padded + np.arange(outputs)[None], lanes)
    place = (group * _GROUP + lane)[:, None] + _HALF * np.arange(sides)[None, :, None]
    groups = -(-slices * padded // lanes)
    word, full = (np.uint16, (1 << 16) - 1) if wide else (np.uint8, (1 << 8) - 1)
    held = np.zeros((groups * _GROUP, fan_in), dtype=word)
    held[place] = cells
    # A copy by torch, whose memory begins at a cache line.
    return Columns(
        cells=torch.from_numpy(held.T).clone(memory_format=torch.contiguous_format).view(fan_in, groups, -1),
        place=np.asarray(place, dtype=np.int64),
        most=max(full // max(int(cells.max(initial=0)), 1), 1),
        longest=longest_sum(cells, rows),
    )


def longest_sum(cells: Ints, rows: int) -> int:
    """Largest sum of a column of a tile."""
    return int(np.add.reduceat(cells, np.arange(0, cells.shape[3], rows), axis=3).max(initial=0))


def _column_keys(layers: Sequence[ArrayLayer], columns: Columns) -> Tensor:
    shapes = [layer.levels.shape for layer in layers]
    drawn = [
        column_keys((s[0], s[1], s[2]), layer.number, layer.chip.number)
        for s, layer in zip(shapes, layers, strict=True)
    ]
    return columns.spread(np.concatenate(drawn, axis=2).view(np.int64), torch.int64)


def _by_slice(layer: ArrayLayer, values: list[int]) -> Ints:
    """``[slices, sides, outputs]``"""
    shape = layer.cells.shape[:3]
    return np.broadcast_to(np.array(values, dtype=np.int64)[:, None, None], shape)


def _joined(parts: list[Ints]) -> Ints:
    return np.concatenate(parts, axis=2)


def _digital_side(layers: Sequence[ArrayLayer], slices: int, padded: int) -> tuple[Tensor, Tensor]:
    """``[slices, padded]`` and ``[2, padded]``, with memory for 16 numbers behind the last."""
    scales, offsets = (torch.zeros(rows * padded + _OUTPUTS) for rows in (slices, 2))
    scales, offsets = (held[:-_OUTPUTS].view(-1, padded) for held in (scales, offsets))
    at = 0
    for layer in layers:
        part = slice(at, at + layer.layer.out_channels)
        scales[:, part] = torch.from_numpy(layer.scales)[:, None]
        if layer.row_offsets is not None:
            offsets[:, part] = torch.tensor(layer.row_offsets)[:, None]
        at = part.stop
    return scales, offsets
