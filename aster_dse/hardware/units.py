"""Area of one array with what goes with it, and of what a tile has beside its subarrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aster_dse.hardware.designs import DesignTable
from aster_dse.hardware.ranges import adder_tree_bits
from aster_dse.hardware.readout import ReadOut
from aster_dse.hardware.routers import router_um2
from aster_dse.hardware.sram import sram_area_um2
from aster_dse.space.hardware_knobs import PIPELINING

__all__ = ["array_um2", "lane_um2", "pipeline_stages", "row_drive_pj", "row_registers", "tile_um2"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_STAGES = np.array([{"none": 0, "layers": 1, "steps": 2}[kind] for kind in PIPELINING])

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
        "event_detectors": _detectors_um2(designs),
        "input_registers": np.broadcast_to(row_registers(designs) * designs.rows * register, cells.shape),
        "pipeline_registers": pipeline_stages(designs)[:, None] * outputs * register,
        "lif": lanes * bits * (adder + get("comparator_bit_um2")) + outputs * register,
    }


def row_drive_pj(designs: DesignTable) -> Array:
    """``[K, 1]`` or ``[K, layers]`` energy of one driven row in an access of an array."""
    get = designs.gather
    return np.asarray(designs.columns * get("row_drive_pj") + get("row_drive_fixed_pj"))


def row_registers(designs: DesignTable) -> Ints:
    """``[K, 1]`` register bits of a row: the FIFO's, and where rows are gated the mask's."""
    return np.asarray(1 + designs.event_gating[:, None])


def pipeline_stages(designs: DesignTable) -> Ints:
    """``[K]`` registers between a layer's outputs and the next layer's inputs.

    None where layers take turns. At once, a layer writes while the next one reads what it wrote before; with
    time steps that overlap too, spikes of two steps are under way.
    """
    return _STAGES[designs.pipelining]


def _detectors_um2(designs: DesignTable) -> Array:
    """Of an array's event gating: a gate to each row that masks its driver, and a tree that finds a spike."""
    gates = 2.0 * designs.rows - 1.0
    return np.where(designs.event_gating[:, None], gates * designs.gather("gate_um2"), 0.0)


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
        "noc": router_um2(designs) + designs.subarrays_per_tile[:, None] * get("bus_um2"),
    }
