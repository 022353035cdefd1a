"""Energy of one inference, by component, for every synaptic layer and attention."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aster_dse.hardware.dataflow import Dataflow
from aster_dse.hardware.designs import DesignTable
from aster_dse.hardware.events import Events
from aster_dse.hardware.latency import LayerTimes
from aster_dse.hardware.memory import membrane_kib, spilled_bits
from aster_dse.hardware.placement import Placement
from aster_dse.hardware.readout import ReadOut
from aster_dse.hardware.routers import bus_bit_pj, router_bit_pj
from aster_dse.hardware.sram import sram_read_pj, sram_write_pj
from aster_dse.hardware.units import pipeline_stages, row_registers

__all__ = ["ENERGY_COMPONENTS", "ENERGY_KINDS", "LayerEnergy", "clocked_bits", "energy_by_layer"]

Array = NDArray[np.float64]

ENERGY_COMPONENTS = (
    "event_detectors",
    "row_drivers",
    "row_switches",
    "cells",
    "columns",
    "adc",
    "shift_add",
    "adc_ranges",
    "step_multipliers",
    "row_counters",
    "adder_trees",
    "accumulators",
    "input_registers",
    "pipeline_registers",
    "lif",
    "membrane",
    "max_pool",
    "attention",
    "buffers",
    "noc",
    "dram",
    "array_write",
    "clock",
    "static",
)
ENERGY_KINDS = {
    "with_spikes": ("row_drivers", "cells", "attention"),
    "with_accesses": (
        "row_switches",
        "columns",
        "adc",
        "shift_add",
        "adc_ranges",
        "step_multipliers",
        "row_counters",
        "adder_trees",
        "accumulators",
        "input_registers",
    ),
    "with_steps": (
        "event_detectors",
        "pipeline_registers",
        "lif",
        "membrane",
        "max_pool",
        "buffers",
        "noc",
        "dram",
        "array_write",
    ),
    "with_time": ("clock", "static"),
}
"""What a component's energy grows with: spikes, reads of arrays, executed time steps, or time. The sums
are energy of a whole inference, not the cost of one spike."""

_POOL_INPUTS = 9
"""Values under a 3x3 max-pool window."""


@dataclass(frozen=True, eq=False)
class LayerEnergy:
    """pJ, by component; a component that a kind of work does not have is absent."""

    synaptic: dict[str, Array]
    """``[K, L]``"""
    attention: dict[str, Array]
    """``[K, depth]``"""


def energy_by_layer(
    flow: Dataflow,
    designs: DesignTable,
    placement: Placement,
    events: Events,
    converter: ReadOut,
    times: LayerTimes,
    leakage_mw: Array,
) -> LayerEnergy:
    """Each term is a count of :class:`~aster_dse.hardware.events.Events` times a figure of the library.

    Args:
        leakage_mw: ``[K]`` static power of the chip; a layer pays for it while it runs.
    """
    get, bits, ranges = designs.gather, designs.membrane_bits[:, None], converter.ranges
    adder, register, gate = get("adder_bit_pj") * bits, get("register_bit_pj"), get("gate_pj")
    buffer_kib = designs.buffer_kib[:, None].astype(float)
    buffer_read, buffer_write = sram_read_pj(designs, buffer_kib), sram_write_pj(designs, buffer_kib)
    states_kib = membrane_kib(flow, designs, placement)
    router, bus, dram = router_bit_pj(designs), bus_bit_pj(designs), get("dram_bit_pj")
    flit = designs.flit_bits[:, None]
    conversions = events.accesses * placement.used_columns
    sums = events.accesses * flow.outputs
    per_access_rows = flow.fan_in / placement.row_tiles

    def packets(values: NDArray[np.int64]) -> Array:
        return (-(-values // flit) * flit).astype(float)

    spill, attention_spill = spilled_bits(flow, designs, placement)
    states = flow.membranes * events.runs
    readers = np.bincount(flow.group, minlength=len(flow.group))[flow.group]
    # Each spike map is written once, whoever reads it, and read once for every copy delivered.
    buffered_in = flow.input_values / readers + flow.residual_writes * bits
    buffered_out = flow.input_values * placement.copies + flow.residual_reads * bits
    travelled = packets(flow.input_values) * (placement.hops + placement.copies - 1)
    share = placement.streamed / placement.subarrays
    weight_bits = flow.fan_in * flow.outputs * designs.weight_bits * share * events.runs
    write = np.where(designs.compute == 1, get("digital_write_pj"), get("cell_write_pj"))
    pool_bits = np.where(flow.pool_on_spikes, 1, bits)
    pool_step = np.where(
        flow.pool_on_spikes, (_POOL_INPUTS - 1) * gate, (_POOL_INPUTS - 1) * bits * get("comparator_bit_pj")
    )
    synaptic = {
        # Every array looks at its own rows: a gate to mask each, and a tree that finds a spike.
        "event_detectors": events.searched
        * placement.column_tiles
        * (2 * flow.fan_in - placement.row_tiles)
        * gate,
        "row_drivers": events.row_drives * placement.column_tiles * designs.columns * get("row_drive_pj"),
        "row_switches": events.accesses
        * placement.column_tiles
        * per_access_rows
        * get("row_drive_fixed_pj"),
        "cells": events.conducting_rows * placement.used_columns * converter.cell_pj,
        "columns": conversions * converter.column_pj,
        "adc": conversions * converter.conversion_pj,
        "shift_add": conversions * converter.shift_add_pj,
        "adc_ranges": conversions * ranges.switching_pj,
        "step_multipliers": conversions * ranges.multiply_pj,
        # Every array counts its own rows.
        "row_counters": events.accesses * placement.column_tiles * ranges.count_pj
        + events.windows * flow.outputs * ranges.subtract_pj,
        "adder_trees": sums * converter.tree_pj,
        # Row tiles are added as they come; the sum of a window is kept between bit planes.
        "accumulators": sums * adder
        + 2 * events.windows * flow.outputs * bits * register
        + flow.residual_adds * events.runs * adder,
        "input_registers": events.accesses * placement.column_tiles * per_access_rows * register,
        "pipeline_registers": states * pipeline_stages(designs)[:, None] * register,
        "lif": states * (adder + bits * get("comparator_bit_pj") + register),
        "membrane": states * bits * (sram_read_pj(designs, states_kib) + sram_write_pj(designs, states_kib)),
        "max_pool": flow.pool_outputs * events.runs * (pool_step + _POOL_INPUTS * pool_bits * register),
        "buffers": (buffered_in * buffer_write + buffered_out * buffer_read) * events.runs,
        "noc": travelled * events.runs * router
        + flow.input_values * placement.copies * events.runs * bus
        + events.windows * placement.split * flow.outputs * bits * router
        + weight_bits * bus,
        "dram": (np.where(flow.from_memory, flow.input_values, 0) + 2.0 * spill) * events.runs * dram
        + weight_bits * dram,
        "array_write": flow.fan_in * placement.used_columns * share * events.runs * write,
        "clock": times.cycles * clocked_bits(designs, placement) * get("clock_bit_pj"),
        "static": times.synaptic_ns * leakage_mw[:, None],
    }
    maps = flow.tokens * flow.channels
    attention = {
        "attention": events.mask_operations * gate
        + events.count_operations * get("adder_bit_pj") * bits
        + maps * 3 * events.attention_runs * register,
        # Spikes of q, k and v, each written and read.
        "buffers": 3.0 * maps * events.attention_runs * (buffer_write + buffer_read),
        "noc": packets(maps) * placement.hops_to_attention * events.attention_runs * router
        + 3.0 * maps * events.attention_runs * bus,
        "dram": 2.0 * attention_spill * events.attention_runs * dram,
        "static": times.attention_ns * leakage_mw[:, None],
    }
    return LayerEnergy(synaptic, attention)


def clocked_bits(designs: DesignTable, placement: Placement) -> Array:
    """``[K, L]`` register bits of one copy of a layer: row FIFO and mask, accumulators, spikes, and those on
    their way where layers run at once."""
    outputs = designs.columns // designs.columns_per_weight
    per_output = designs.membrane_bits + 1 + pipeline_stages(designs)
    per_array = row_registers(designs) * designs.rows + outputs * per_output[:, None]
    return np.asarray(placement.subarrays * designs.arrays_per_subarray[:, None] * per_array).astype(float)
