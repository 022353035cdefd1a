"""A component library read at one node: plain numbers per action, per bit and per square micrometre."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from aster_dse.hardware.converters import ConverterTechnology, converter_technology
from aster_dse.hardware.library import Library

__all__ = ["SRAM_LOG2_KIB", "Technology", "technology"]

Array = NDArray[np.float64]

SRAM_LOG2_KIB = np.arange(0.0, 10.5, 0.5)
"""Grid of capacities, 1 KiB to 1 MiB, on which memories are tabulated (log2)."""


@dataclass(frozen=True, eq=False)
class Technology:
    """Energies in pJ, areas in um2, times in ns, at one node."""

    row_drive_pj: float
    """Per driven row and column of the array."""
    row_driver_um2: float
    """Per row and column of the array."""
    column_pj: float
    """Per column, access and row of the array."""
    cell_read_pj: float
    """Per conducting cell, for converters without a column term of their own."""
    cell_um2: float
    cell_write_pj: float
    cell_write_ns: float
    adder_bit_pj: float
    adder_bit_um2: float
    shift_add_pj: float
    shift_add_um2: float
    register_bit_pj: float
    register_bit_um2: float
    comparator_bit_pj: float
    comparator_bit_um2: float
    gate_pj: float
    gate_um2: float
    router_bit_pj: float
    router_um2: float
    bus_bit_pj: float
    dram_bit_pj: float
    dram_bit_ns: float
    sram_bit_pj: Array
    """Per bit read or written, on :data:`SRAM_LOG2_KIB`."""
    sram_um2: Array
    """Of the whole memory, on :data:`SRAM_LOG2_KIB`."""
    converters: ConverterTechnology


@lru_cache(maxsize=256)
def technology(library: Library, node_nm: int) -> Technology:
    """Read ``library`` at ``node_nm``; what it lacks there is scaled from the nearest node that it has."""
    cell, sram, value = library.cell, library.sram, library.value
    energy_node = library.nearest_node(sram.access_pj, node_nm)
    area_node = library.nearest_node(sram.area_mm2, node_nm)
    capacities = np.log2(sram.capacity_kib)
    access_pj = np.array(sram.access_pj[energy_node]) * library.energy_factor(energy_node, node_nm)
    area_um2 = np.array(sram.area_mm2[area_node]) * library.area_factor(area_node, node_nm) * 1e6
    # The library states the read of a cell at half conductance; reads are linear in it.
    level = cell.mean_siemens / ((1.0 / cell.on_ohm + 1.0 / cell.off_ohm) / 2.0)
    return Technology(
        row_drive_pj=value(library.row_drive_energy, node_nm),
        row_driver_um2=value(library.row_driver_area, node_nm),
        column_pj=value(library.column_energy, node_nm),
        cell_read_pj=value(library.cell_read_energy, node_nm) * level,
        cell_um2=cell.area_f2 * (node_nm * 1e-3) ** 2,
        cell_write_pj=cell.write_v**2 * cell.mean_siemens * cell.write_pulse_ns * 1e3,
        cell_write_ns=cell.write_pulse_ns,
        adder_bit_pj=value(library.adder_energy, node_nm),
        adder_bit_um2=value(library.adder_area, node_nm),
        shift_add_pj=value(library.shift_add_energy, node_nm),
        shift_add_um2=value(library.shift_add_area, node_nm),
        register_bit_pj=value(library.register_energy, node_nm),
        register_bit_um2=value(library.register_area, node_nm),
        comparator_bit_pj=value(library.comparator_energy, node_nm),
        comparator_bit_um2=value(library.comparator_area, node_nm),
        gate_pj=value(library.gate_energy, node_nm),
        gate_um2=value(library.gate_area, node_nm),
        router_bit_pj=value(library.router_energy, node_nm),
        router_um2=value(library.router_area, node_nm),
        bus_bit_pj=value(library.bus_energy, node_nm),
        dram_bit_pj=library.dram.access_pj / library.dram.access_bits,
        dram_bit_ns=1.0 / library.dram.bandwidth_gbit_s,
        sram_bit_pj=np.exp2(np.interp(SRAM_LOG2_KIB, capacities, np.log2(access_pj))) / sram.port_bits,
        sram_um2=np.exp2(np.interp(SRAM_LOG2_KIB, capacities, np.log2(area_um2))),
        converters=converter_technology(library, node_nm),
    )
