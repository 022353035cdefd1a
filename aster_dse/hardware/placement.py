"""Where the weights go: arrays, subarrays and tiles of every layer, and what must be reloaded each step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aster_dse.hardware.dataflow import Dataflow
from aster_dse.hardware.designs import DesignTable
from aster_dse.hardware.readout import ReadOut
from aster_dse.hardware.replication import replicate
from aster_dse.hardware.sram import sram_most_um2_per_kib
from aster_dse.hardware.units import array_um2, tile_um2

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
    """Of one copy. A layer owns whole subarrays; a tile may serve several layers."""
    replicas: Ints
    """Copies of the layer, between which its windows are shared."""
    on_chip: Ints
    """Subarrays of all copies that stay on the chip."""
    memories: Ints
    """Subarrays that hold a part of the layer's membranes."""
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
    """``[K]`` arrays that the weights need, all copies."""
    tiles: Ints
    """``[K]`` tiles on the chip."""
    tiles_needed: Ints
    utilisation: Array
    """``[K]`` share of the cells of the chip that hold weights of the network."""


def place(flow: Dataflow, designs: DesignTable, converter: ReadOut) -> Placement:
    """Fill tiles with subarrays in the order of execution.

    If all fit they stay for good. If not, one tile is set aside as staging area: the layers that do not fit
    in the others are written into it, a tile at a time, in every step. An area budget says how many tiles
    there are: if it has room for more than one copy of each layer, those that take longest get more.
    """
    count = len(designs)
    per_weight = designs.columns_per_weight
    per_array = designs.columns // per_weight
    row_tiles = np.broadcast_to(_ceil(flow.fan_in, designs.rows), (count, len(flow.fan_in)))
    column_tiles = np.broadcast_to(_ceil(flow.outputs, per_array), row_tiles.shape)
    arrays = row_tiles * column_tiles
    subarrays = _ceil(arrays, designs.arrays_per_subarray[:, None])
    per_tile = designs.subarrays_per_tile
    needed = _ceil(subarrays.sum(axis=1), per_tile)
    tiles = np.where(designs.tiles > 0, designs.tiles, needed)
    replicas = np.ones_like(subarrays)
    budgeted = designs.area_budget_mm2 > 0
    if budgeted.any():
        with_budget = _spend(flow, designs, converter, subarrays)
        replicas = np.where(budgeted[:, None], with_budget[0], replicas)
        tiles = np.where(budgeted, with_budget[1], tiles)
    end = np.cumsum(subarrays * replicas, axis=1)
    start = end - subarrays * replicas
    capacity = np.where(needed <= tiles, end[:, -1], (tiles - 1) * per_tile)
    on_chip = np.clip(capacity[:, None] - start, 0, subarrays * replicas)
    streamed = np.where(needed[:, None] <= tiles[:, None], 0, subarrays - on_chip)
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
    every = resident.all(axis=1)
    together = np.broadcast_to(same.sum(axis=0), subarrays.shape)
    if not every.all():
        together = resident.astype(float) @ same
    cells = flow.fan_in * flow.outputs * per_weight
    in_subarray = np.broadcast_to(
        designs.arrays_per_subarray[:, None] * designs.rows * designs.columns, subarrays.shape
    )
    spare = tiles * per_tile - on_chip.sum(axis=1)
    per_chip = (on_chip * in_subarray).sum(axis=1) + spare * in_subarray[:, -1]
    holding = (cells * (on_chip / subarrays)).sum(axis=1)
    # The staging tile holds one load after the other; it counts as full while there is something to stream.
    staged = np.where(every, 0, per_tile * in_subarray[:, -1])
    span = last - first + 1
    return Placement(
        row_tiles=row_tiles,
        column_tiles=column_tiles,
        used_columns=flow.outputs * per_weight,
        subarrays=subarrays,
        replicas=replicas,
        on_chip=on_chip,
        memories=np.minimum(subarrays * replicas, (tiles * per_tile)[:, None]),
        streamed=streamed,
        passes=passes,
        span=span,
        copies=np.minimum(_ceil(span, replicas), column_tiles),
        hops=hops,
        split=_ceil(row_tiles, (designs.arrays_per_subarray * per_tile)[:, None]) - 1,
        hops_to_attention=np.asarray(to_attention),
        overlap=np.where(resident, 1.0 / np.maximum(together, 1), 1.0),
        arrays=(arrays * replicas).sum(axis=1),
        tiles=tiles,
        tiles_needed=needed,
        utilisation=(holding + staged) / per_chip,
    )


def _spend(flow: Dataflow, designs: DesignTable, converter: ReadOut, subarrays: Ints) -> tuple[Ints, Ints]:
    """``[K, L]`` copies and ``[K]`` tiles that an area budget pays for."""
    per_tile = designs.subarrays_per_tile[:, None]
    beside = np.asarray(sum(tile_um2(designs).values()))
    arrays_um2 = np.asarray(sum(array_um2(designs, converter).values()))
    subarray = np.broadcast_to(designs.arrays_per_subarray[:, None] * arrays_um2, subarrays.shape)
    membranes = flow.membranes * designs.membrane_bits[:, None] / 8192.0
    # Copies make memories smaller, of whatever size: that which takes most area for what it holds.
    memory = sram_most_um2_per_kib(designs) * membranes
    budget = (designs.area_budget_mm2 - designs.links_mm2) * 1e6 - memory.sum(axis=1)
    cost = subarrays * (subarray + beside / per_tile)
    tile = per_tile[:, 0] * subarray.max(axis=1) + beside[:, 0]
    single = _ceil(subarrays.sum(axis=1), per_tile[:, 0])
    spare = single * per_tile[:, 0] - subarrays.sum(axis=1)
    once = (subarrays * subarray).sum(axis=1) + spare * subarray[:, -1] + single * beside[:, 0]
    work = flow.windows * converter.slots * converter.slot_ns
    work = np.broadcast_to(work + flow.neuron_cycles * converter.period_ns, subarrays.shape)
    replicas = replicate(
        work,
        cost,
        np.maximum(budget - once - tile, 0.0),  # the last tile may hold less than it could
        flow.windows.astype(float),
        balanced=designs.pipelining > 0,
    )
    most = np.maximum(np.floor(budget / tile), 1).astype(np.int64)
    needed = _ceil((subarrays * replicas).sum(axis=1), per_tile[:, 0])
    return replicas, np.where(once <= budget, needed, np.minimum(most, needed))


def _ceil(a: Ints, b: Ints) -> Ints:
    # In floating point: exact for counts, and several times faster than a division of integers.
    return np.ceil(a / b).astype(np.int64)


def _mesh(tile: Ints, tiles: Ints) -> tuple[Ints, Ints]:
    """Column and row of a tile in a square mesh, filled back and forth so that neighbours stay close."""
    side = np.ceil(np.sqrt(tiles)).astype(np.int64)[:, None]
    row = np.floor(tile / side).astype(np.int64)
    column = tile - row * side
    return np.where(row % 2 == 1, side - 1 - column, column), row
