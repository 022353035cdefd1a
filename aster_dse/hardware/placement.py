"""Where the weights go: arrays, subarrays and tiles of every layer, and what must be reloaded each step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aster_dse.hardware.dataflow import Dataflow
from aster_dse.hardware.designs import DesignTable

__all__ = ["Placement", "place"]

Ints = NDArray[np.int64]
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Placement:
    """Per design ``[K]``, and per design and synaptic layer ``[K, L]``."""

    row_tiles: Ints
    """Arrays that one column of weights is split over."""
    column_tiles: Ints
    """Arrays that one row of weights is split over."""
    used_columns: Ints
    """Columns that hold weights, over all column tiles."""
    subarrays: Ints
    """A layer owns whole subarrays; a tile may serve several layers."""
    streamed: Ints
    """Subarrays of the layer that are written anew in every step."""
    passes: Ints
    """Times that the layer's windows run over the arrays: 1, or the loads of the staging tile."""
    span: Ints
    """Tiles that hold a part of the layer."""
    copies: Ints
    """Times that a whole input map is delivered: tiles that hold only some rows need only these rows."""
    hops: Ints
    """Routers between the layer's input and its first tile."""
    split: Ints
    """Tile borders that each partial sum crosses."""
    hops_to_attention: Ints
    """``[K, depth]`` routers from q and from k to the attention beside v."""
    overlap: Array
    """A layer's share in the time of its group: layers that read the same spikes run at once."""
    arrays: Ints
    """``[K]`` arrays that the weights need."""
    tiles: Ints
    """``[K]`` tiles on the chip."""
    tiles_needed: Ints
    utilisation: Array
    """``[K]`` share of the cells of the chip that hold weights of the network."""


def place(flow: Dataflow, designs: DesignTable) -> Placement:
    """Fill tiles with subarrays in the order of execution.

    If all fit they stay for good. If not, one tile is set aside as staging area: the layers that do not fit
    in the others are written into it, a tile at a time, in every step.
    """
    per_weight = designs.columns_per_weight[:, None]
    per_array = designs.columns[:, None] // per_weight
    row_tiles = _ceil(flow.fan_in, designs.rows[:, None])
    column_tiles = _ceil(flow.outputs, per_array)
    arrays = row_tiles * column_tiles
    subarrays = _ceil(arrays, designs.arrays_per_subarray[:, None])
    end = np.cumsum(subarrays, axis=1)
    start = end - subarrays
    per_tile = designs.subarrays_per_tile
    needed = _ceil(end[:, -1], per_tile)
    tiles = np.where(designs.tiles > 0, designs.tiles, needed)
    capacity = np.where(needed <= tiles, end[:, -1], (tiles - 1) * per_tile)
    streamed = subarrays - np.clip(capacity[:, None] - start, 0, subarrays)
    passes = np.maximum(_ceil(streamed, per_tile[:, None]), 1)

    last_tile = tiles[:, None] - 1
    first = np.minimum(start // per_tile[:, None], last_tile)
    last = np.minimum((end - 1) // per_tile[:, None], last_tile)
    x_first, y_first = _mesh(first, tiles)
    x_last, y_last = _mesh(last, tiles)
    # Layer -1 is the chip's input, beside tile 0.
    origin = flow.producer
    hops = np.abs(x_first - np.where(origin < 0, 0, x_last[:, origin]))
    hops += np.abs(y_first - np.where(origin < 0, 0, y_last[:, origin]))
    q, k, v = flow.query, flow.query + 1, flow.query + 2
    to_attention = sum(
        np.abs(x_last[:, part] - x_last[:, v]) + np.abs(y_last[:, part] - y_last[:, v]) for part in (q, k)
    )

    resident = streamed == 0
    same = flow.group[:, None] == flow.group[None, :]
    together = resident.astype(np.int64) @ same
    cells = flow.fan_in * flow.outputs * per_weight
    per_chip = tiles * per_tile * designs.arrays_per_subarray * designs.rows * designs.columns
    on_chip = (cells * (subarrays - streamed) / subarrays).sum(axis=1)
    # The staging tile holds one load after the other; it counts as full while there is something to stream.
    staged = np.where(
        resident.all(axis=1), 0, per_tile * designs.arrays_per_subarray * designs.rows * designs.columns
    )
    return Placement(
        row_tiles=row_tiles,
        column_tiles=column_tiles,
        used_columns=flow.outputs * per_weight,
        subarrays=subarrays,
        streamed=streamed,
        passes=passes,
        span=last - first + 1,
        copies=np.minimum(last - first + 1, column_tiles),
        hops=hops,
        split=_ceil(row_tiles, (designs.arrays_per_subarray * per_tile)[:, None]) - 1,
        hops_to_attention=np.asarray(to_attention),
        overlap=np.where(resident, 1.0 / np.maximum(together, 1), 1.0),
        arrays=arrays.sum(axis=1),
        tiles=tiles,
        tiles_needed=needed,
        utilisation=(on_chip + staged) / per_chip,
    )


def _ceil(a: Ints, b: Ints) -> Ints:
    return -(-a // b)


def _mesh(tile: Ints, tiles: Ints) -> tuple[Ints, Ints]:
    """Column and row of a tile in a square mesh, filled back and forth so that neighbours stay close."""
    side = np.ceil(np.sqrt(tiles)).astype(np.int64)[:, None]
    row = tile // side
    column = tile % side
    return np.where(row % 2 == 1, side - 1 - column, column), row
