"""Silicon area of the chip, by component."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aster_dse.hardware.dataflow import Dataflow
from aster_dse.hardware.designs import DesignTable
from aster_dse.hardware.memory import membrane_kib, sram_area_um2
from aster_dse.hardware.placement import Placement
from aster_dse.hardware.readout import ReadOut

__all__ = ["AREA_COMPONENTS", "area_by_component"]

Array = NDArray[np.float64]

AREA_COMPONENTS = (
    "cells",
    "row_drivers",
    "adc",
    "shift_add",
    "accumulators",
    "input_registers",
    "lif",
    "membrane",
    "max_pool",
    "attention",
    "buffers",
    "noc",
)

_COUNTER_BITS = 16
"""Width of the attention unit's token counters."""


def area_by_component(
    flow: Dataflow, designs: DesignTable, placement: Placement, converter: ReadOut
) -> dict[str, Array]:
    """``[K]`` um2 by component. The whole chip counts, also tiles that hold nothing."""

    def get(name: str) -> Array:
        return designs.gather(name)[:, 0]

    tiles, bits, lanes = placement.tiles, designs.membrane_bits, designs.digital_lanes
    arrays = tiles * designs.subarrays_per_tile * designs.arrays_per_subarray
    rows, columns = designs.rows, designs.columns
    converters = arrays * (columns // designs.column_mux)
    outputs = arrays * (columns // designs.columns_per_weight)
    adder, register = get("adder_bit_um2"), get("register_bit_um2")
    gate, comparator = get("gate_um2"), get("comparator_bit_um2")
    kib = membrane_kib(flow, designs, placement)
    owned = np.minimum(placement.subarrays, (tiles * designs.subarrays_per_tile)[:, None])
    pool = 8 * gate + 9 * register + 8 * comparator  # a lane is a bit: OR on spikes, compare on values
    counter = 2 * gate + _COUNTER_BITS * (adder + register)
    return {
        "cells": arrays * rows * columns * get("cell_um2"),
        "row_drivers": arrays * rows * columns * get("row_driver_um2"),
        "adc": converters * converter.converter_um2[:, 0],
        "shift_add": converters * get("shift_add_um2"),
        "accumulators": outputs * bits * (adder + register),
        "input_registers": arrays * 2 * rows * register,  # FIFO and mask
        "lif": outputs * (bits * (adder + comparator) + register),
        "membrane": (owned * sram_area_um2(designs, kib)).sum(axis=1),
        "max_pool": tiles * lanes * pool,
        "attention": tiles * lanes * counter,
        "buffers": tiles * sram_area_um2(designs, designs.buffer_kib[:, None].astype(float))[:, 0],
        "noc": tiles * get("router_um2"),
    }
