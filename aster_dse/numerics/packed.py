"""Layers on arrays, packed for the compiled kernels: columns side by side, 64 to a group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aster_dse.numerics.cells import column_keys
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.ranges import FINE, ONE

__all__ = ["Columns", "PackedLayers", "alike", "can_pack", "pack", "pack_columns"]

Ints = NDArray[np.int64]

_GROUP, _HALF = 64, 32
_WIDE_SUM = 1 << 24
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
    narrow: bool
    """Sums fit into 16 bits."""
    multipliers: Tensor
    """``[groups, 64]``"""
    highest: Tensor
    """``[groups, 64]``"""
    scales: Tensor
    """``[slices, padded]``"""
    bias: Tensor
    """``[outputs]`` or ``[H * W, outputs]``"""
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

    @property
    def large(self) -> bool:
        """Sums are read in 64 bits."""
        return bool(self.columns.longest >= _WIDE_SUM)


def can_pack(layer: ArrayLayer) -> bool:
    """Whether the kernels hold its cells; the reference does the others."""
    return max(int(cells.max(initial=0)) for cells in (layer.cells, layer.calibration_cells)) < 1 << 16


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
    columns = pack_columns(cells, first.arrays.rows, fine=0) if first.fine == 0 else None
    if columns is not None and not _is_narrow(columns, cells, first, multipliers, highest):
        columns, cells = None, cells << FINE
        highest = np.where(highest == ONE - 1, (1 << 31) - 1, highest)
    narrow = columns is not None
    columns = columns or pack_columns(cells, first.arrays.rows, fine=FINE)
    kind = torch.int16 if narrow else torch.int32
    scales, offsets = _digital_side(layers, cells.shape[0], -(-cells.shape[2] // 4) * 4)
    keys = None
    if first.noisy:
        shapes = [layer.levels.shape for layer in layers]
        drawn = [
            column_keys((s[0], s[1], s[2]), layer.number, layer.chip.number)
            for s, layer in zip(shapes, layers, strict=True)
        ]
        keys = columns.spread(np.concatenate(drawn, axis=2).view(np.int64), torch.int64)
    return PackedLayers(
        layers=tuple(layers),
        columns=columns,
        narrow=narrow,
        multipliers=columns.spread(np.minimum(multipliers, ONE - 1) if narrow else multipliers, kind),
        highest=columns.spread(highest, kind),
        scales=torch.from_numpy(scales),
        bias=torch.from_numpy(
            np.ascontiguousarray(np.concatenate([a.weights.bias for a in layers], axis=-1))
        ),
        row_offsets=None if first.row_offsets is None else torch.from_numpy(offsets),
        keys=keys,
        noise=torch.from_numpy(first.noise) if first.noisy else None,
    )


def pack_columns(cells: Ints, rows: int, *, fine: int) -> Columns:
    """Lay out cells ``[slices, sides, outputs, fan-in]``, in bytes, or with fractional bits in 16."""
    slices, sides, outputs, fan_in = cells.shape
    padded = -(-outputs // 4) * 4
    lanes = _HALF if sides > 1 else _GROUP
    group, lane = np.divmod(np.arange(slices)[:, None] * padded + np.arange(outputs)[None], lanes)
    place = (group * _GROUP + lane)[:, None] + _HALF * np.arange(sides)[None, :, None]
    groups = -(-slices * padded // lanes)
    tiles = -(-fan_in // rows)
    held = np.zeros((tiles * rows, groups * _GROUP), dtype=np.int64)
    held[:fan_in, place] = np.moveaxis(cells, 3, 0)
    word, full = (np.uint16, (1 << 16) - 1) if fine else (np.uint8, (1 << 8) - 1)
    largest = max(int(held.max(initial=0)), 1)
    return Columns(
        cells=torch.from_numpy(held[:fan_in].astype(word)).view(fan_in, groups, _GROUP),
        place=np.asarray(place, dtype=np.int64),
        most=max(full // largest, 1),
        longest=int(held.reshape(tiles, rows, -1).sum(axis=1).max(initial=0)),
    )


def _is_narrow(columns: Columns, cells: Ints, first: ArrayLayer, multipliers: Ints, highest: Ints) -> bool:
    """Whether sums, codes and their sums fit into 16 bits; m = 2^15 becomes 32,767, right up to 2^14."""
    whole = bool((multipliers == ONE).any())
    tiles = -(-cells.shape[3] // first.arrays.rows)
    digital = int(cells.sum(axis=3).max(initial=0)) if first.exact else tiles * int(highest.max())
    return columns.longest <= (ONE // 2 if whole else ONE - 1) and digital < ONE


def _by_slice(layer: ArrayLayer, values: list[int]) -> Ints:
    """``[slices, sides, outputs]``"""
    shape = layer.cells.shape[:3]
    return np.broadcast_to(np.array(values, dtype=np.int64)[:, None, None], shape)


def _joined(parts: list[Ints]) -> Ints:
    return np.concatenate(parts, axis=2)


def _digital_side(
    layers: Sequence[ArrayLayer], slices: int, padded: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    scales = np.zeros((slices, padded), dtype=np.float32)
    offsets = np.zeros((2, padded), dtype=np.float32)
    at = 0
    for layer in layers:
        part = slice(at, at + layer.layer.out_channels)
        scales[:, part] = layer.scales[:, None] if len(layer.scales) == slices else layer.scales[0]
        if layer.row_offsets is not None:
            offsets[:, part] = np.array(layer.row_offsets)[:, None]
        at = part.stop
    return scales, offsets
