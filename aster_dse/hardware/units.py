"""Area of one array with what goes with it, and of what a tile has beside its subarrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aster_dse.hardware.designs import DesignTable
from aster_dse.hardware.ranges import adder_tree_bits
from aster_dse.hardware.readout import ReadOut
from aster_dse.hardware.sram import sram_area_um2

__all__ = ["array_um2", "lane_um2", "tile_um2"]

Array = NDArray[np.float64]

_COUNTER_BITS = 16
"""Width of the attention unit's token counters."""


def array_um2(designs: DesignTable, converter: ReadOut) -> dict[str, Array]:
    """``[K, 1]`` or ``[K, layers]`` um2 of one array and what goes with it."""
    get, digital, ranges = designs.gather, designs.compute == 1, converter.ranges
    bits, register, adder = designs.membrane_bits[:, None], get("register_bit_um2"), get("adder_bit_um2")
    cells = designs.rows * designs.columns
    outputs = designs.columns // designs.columns_per_weight
    # Where columns share a converter they share what follows it; an adder tree has its own.
    lanes = np.where(digital, outputs, designs.columns // designs.column_mux)
    trees = adder_tree_bits(designs.rows.astype(float), designs.weight_bits.astype(float)) * adder
    digital_cells = cells * (get("digital_cell_um2") + get("gate_um2"))
    return {
        "cells": np.where(digital, 0.0, cells * get("cell_um2")),
        "row_drivers": cells * get("row_driver_um2"),
        "adc": lanes * converter.converter_um2,
        "shift_add": lanes * converter.shift_add_um2,
        "adc_ranges": lanes * ranges.reference_um2 + ranges.registers_um2,
        "step_multipliers": lanes * ranges.multiplier_um2,
        "row_counters": ranges.counter_um2,
        "digital_arrays": np.where(digital, digital_cells + outputs * trees, 0.0),
        "accumulators": bits * (lanes * adder + outputs * register),
        "input_registers": np.broadcast_to(2 * designs.rows * register, cells.shape),  # FIFO and mask
        "lif": lanes * bits * (adder + get("comparator_bit_um2")) + outputs * register,
    }


def lane_um2(designs: DesignTable) -> Array:
    """``[K]`` um2 of what comes with each converter: an adder, and the adder and comparator of a LIF."""
    adder, comparator = designs.gather("adder_bit_um2"), designs.gather("comparator_bit_um2")
    return np.asarray((designs.membrane_bits[:, None] * (2.0 * adder + comparator))[:, 0])


def tile_um2(designs: DesignTable) -> dict[str, Array]:
    """``[K, 1]`` um2 of what each tile has beside its subarrays."""
    get, lanes = designs.gather, designs.digital_lanes[:, None]
    adder, register, gate = get("adder_bit_um2"), get("register_bit_um2"), get("gate_um2")
    pool = (
        8 * gate + 9 * register + 8 * get("comparator_bit_um2")
    )  # a lane is a bit: OR on spikes, compare on values
    counter = 2 * gate + _COUNTER_BITS * (adder + register)
    return {
        "max_pool": lanes * pool,
        "attention": lanes * counter,
        "buffers": sram_area_um2(designs, designs.buffer_kib[:, None].astype(float)),
        "noc": get("router_um2") + designs.subarrays_per_tile[:, None] * get("bus_um2"),
    }
