"""Silicon area and static power of the chip, by component."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aster_dse.hardware.dataflow import Dataflow
from aster_dse.hardware.designs import DesignTable
from aster_dse.hardware.memory import membrane_kib
from aster_dse.hardware.placement import Placement
from aster_dse.hardware.readout import ReadOut
from aster_dse.hardware.sram import sram_area_um2, sram_leakage_mw
from aster_dse.hardware.units import array_um2, tile_um2

__all__ = ["AREA_COMPONENTS", "area_by_component", "leakage_mw"]

Array = NDArray[np.float64]

AREA_COMPONENTS = (
    "cells",
    "event_detectors",
    "row_drivers",
    "adc",
    "shift_add",
    "adc_ranges",
    "step_multipliers",
    "row_counters",
    "digital_arrays",
    "accumulators",
    "input_registers",
    "pipeline_registers",
    "lif",
    "membrane",
    "max_pool",
    "attention",
    "buffers",
    "noc",
    "links",
)

_MEMORIES = ("membrane", "buffers")


def area_by_component(
    flow: Dataflow, designs: DesignTable, placement: Placement, converter: ReadOut
) -> dict[str, Array]:
    """``[K]`` um2 by component. The whole chip counts, also tiles that hold nothing.

    Subarrays that no layer has are like the last layer's.
    """
    tiles = placement.tiles
    owned = placement.on_chip * designs.arrays_per_subarray[:, None]
    everything = tiles * designs.subarrays_per_tile * designs.arrays_per_subarray
    spare = everything - owned.sum(axis=1)
    per_array = array_um2(designs, converter)
    kib = membrane_kib(flow, designs, placement)
    found = {
        name: (owned * um2).sum(axis=1) + spare * np.broadcast_to(um2, (len(designs), um2.shape[1]))[:, -1]
        for name, um2 in per_array.items()
    }
    return {
        **found,
        "membrane": (placement.memories * sram_area_um2(designs, kib)).sum(axis=1),
        **{name: tiles * um2[:, 0] for name, um2 in tile_um2(designs).items()},
        "links": designs.links_mm2 * 1e6,
    }


def leakage_mw(flow: Dataflow, designs: DesignTable, placement: Placement, area: dict[str, Array]) -> Array:
    """``[K]`` static power: of logic by area, of memories by size; of cells where they are volatile."""
    volatile = designs.gather("cell_leaks")[:, 0].astype(bool)
    logic = sum(um2 for name, um2 in area.items() if name not in (*_MEMORIES, "cells", "links"))
    logic = logic + np.where(volatile, area["cells"], 0.0)
    memories = (placement.memories * sram_leakage_mw(designs, membrane_kib(flow, designs, placement))).sum(
        axis=1
    )
    buffers = placement.tiles * sram_leakage_mw(designs, designs.buffer_kib[:, None].astype(float))[:, 0]
    return np.asarray(logic * designs.gather("logic_mw_per_um2")[:, 0] + memories + buffers)
