"""Memories of any capacity from the tabulated ones, and what does not fit into the global buffers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aster_dse.hardware.dataflow import Dataflow
from aster_dse.hardware.designs import DesignTable
from aster_dse.hardware.placement import Placement
from aster_dse.hardware.technology import SRAM_LOG2_KIB

__all__ = ["membrane_kib", "spilled_bits", "sram_area_um2", "sram_bit_pj"]

Array = NDArray[np.float64]


def sram_bit_pj(designs: DesignTable, capacity_kib: Array) -> Array:
    """``[K, L]`` energy per bit; under 1 KiB as for 1 KiB, over 1 MiB as for a bank of 1 MiB."""
    return _table(designs, "sram_bit_pj", capacity_kib)


def sram_area_um2(designs: DesignTable, capacity_kib: Array) -> Array:
    """``[K, L]`` area; proportional to the capacity under 1 KiB and over 1 MiB."""
    low, high = 2.0 ** SRAM_LOG2_KIB[0], 2.0 ** SRAM_LOG2_KIB[-1]
    outside = np.where(capacity_kib > high, capacity_kib / high, np.minimum(capacity_kib / low, 1.0))
    return np.asarray(_table(designs, "sram_um2", capacity_kib) * outside)


def _table(designs: DesignTable, name: str, capacity_kib: Array) -> Array:
    """Between two capacities the logarithm of a figure is linear in that of the capacity."""
    step = SRAM_LOG2_KIB[1] - SRAM_LOG2_KIB[0]
    place = np.log2(np.maximum(capacity_kib, 2.0 ** SRAM_LOG2_KIB[0])) / step
    below = np.clip(place.astype(np.int64), 0, len(SRAM_LOG2_KIB) - 2)
    share = np.minimum(place - below, 1.0)
    logs = np.log([getattr(t, name) for t in designs.technologies])
    which = designs.technology[:, None]
    low = logs[which, below]
    values: Array = np.exp(low + share * (logs[which, below + 1] - low))
    return values


def membrane_kib(flow: Dataflow, designs: DesignTable, placement: Placement) -> Array:
    """``[K, L]`` membrane memory of one subarray of the layer: its share of the layer's neurons."""
    owned = np.minimum(placement.subarrays, (placement.tiles * designs.subarrays_per_tile)[:, None])
    return np.asarray(flow.membranes * designs.membrane_bits[:, None] / (8192.0 * owned))


def spilled_bits(flow: Dataflow, designs: DesignTable, placement: Placement) -> tuple[Array, Array]:
    """Bits per executed step that the global buffers of all tiles cannot hold.

    Alive at once are a layer's input spikes and the residual stream; an attention holds q, k and v.

    Returns:
        ``[K, L]`` of the synaptic layers, ``[K, depth]`` of the attentions.
    """
    capacity = (placement.tiles * designs.buffer_kib * 8192)[:, None]
    stream = flow.live_values * designs.membrane_bits[:, None]
    attention = 3 * flow.tokens * flow.channels + stream[:, flow.query]
    return (
        np.maximum(flow.input_values + stream - capacity, 0).astype(float),
        np.maximum(attention - capacity, 0).astype(float),
    )
