"""A component library read at one node: plain numbers per action, per bit and per square micrometre."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from aster_dse.hardware.components import Sram
from aster_dse.hardware.converters import ConverterTable, converter_table
from aster_dse.hardware.library import Library

__all__ = ["SRAM_KIB", "SRAM_STEPS", "Technology", "technology"]

Array = NDArray[np.float64]

SRAM_STEPS = 16
"""Capacities in an octave at which memories are tabulated, evenly spaced."""
SRAM_KIB = np.append(
    (2.0 ** np.arange(-7, 12)[:, None] * (1.0 + np.arange(SRAM_STEPS) / SRAM_STEPS)).ravel(), 2.0**12
)
"""These capacities, a word of 64 bits to 4 MiB."""
_FLIT_BITS, _BUS_SUBARRAYS = 256, 12
"""Of ISAAC's network, where a library says nothing of the size that its figures are for."""


@dataclass(frozen=True, eq=False)
class Technology:
    """Energies in pJ, areas in um2, times in ns, powers in mW, at one node and with one cell."""

    node_nm: float
    row_drive_pj: float
    """Per driven row and column of the array."""
    row_drive_fixed_pj: float
    """Per row and access of the array, driven or not."""
    row_driver_um2: float
    """Per row and column of the array."""
    column_pj: float
    """Per column, access and row of the array."""
    column_fixed_pj: float
    """Per column and access."""
    cell_read_pj: float
    """Per conducting cell, for converters without a column term of their own."""
    cell_um2: float
    cell_leaks: bool
    digital_cell_um2: float
    digital_write_pj: float
    digital_write_ns: float
    cell_write_pj: float
    cell_write_ns: float
    adder_bit_pj: float
    adder_bit_um2: float
    shift_add_bit_pj: float
    """Per bit of a shift-and-add; 0 where it is composed of adder and register bits."""
    shift_add_um2: float
    multiplier_bit_pj: float
    """Per product of single bits in a multiplication."""
    multiplier_bit_um2: float
    row_count_pj: float
    """Per access of an array; NaN where it is composed of adder and register bits, as is its area."""
    row_count_um2: float
    register_bit_pj: float
    register_bit_um2: float
    comparator_bit_pj: float
    comparator_bit_um2: float
    gate_pj: float
    gate_um2: float
    router_bit_pj: float
    """At the width of :attr:`router_flit_bits`, as the area."""
    router_um2: float
    router_flit_bits: float
    bus_bit_pj: float
    """Per bit and subarray that the bus passes."""
    bus_um2: float
    """Of a subarray's part of its tile's bus."""
    clock_bit_pj: float
    """Per clocked register bit and cycle."""
    gate_ns: float
    """Delay of a two-input gate."""
    logic_mw_per_um2: float
    """Static power of logic."""
    dram_bit_pj: float
    dram_bit_ns: float
    sram_read_pj: Array
    """Per bit read, on :data:`SRAM_KIB`."""
    sram_write_pj: Array
    """Per bit written, on :data:`SRAM_KIB`."""
    sram_um2: Array
    """Of the whole memory, on :data:`SRAM_KIB`."""
    sram_mw: Array
    """Static power of the whole memory, on :data:`SRAM_KIB`."""
    converters: ConverterTable


@lru_cache(maxsize=256)
def technology(library: Library, node_nm: int, cell_name: str) -> Technology:
    """Read ``library`` at ``node_nm``; what it lacks there is scaled from the nearest node that it has.

    Static power is taken from the nearest node as it is: the scaling tables say nothing of it.
    """
    cell, sram, value = library.cells[cell_name], library.sram, library.value
    area_node = library.nearest_node(sram.area_mm2, node_nm)
    area_um2 = np.array(sram.area_mm2[area_node]) * library.area_factor(area_node, node_nm) * 1e6
    leakage_node = library.nearest_node(sram.leakage_uw, node_nm)
    leakage_mw = np.array(sram.leakage_uw[leakage_node]) * 1e-3
    logic_node = library.nearest_node(library.leakage.uw_per_mm2, node_nm)
    # The library states the read of a cell at half conductance; reads are linear in it.
    read_pj = cell.read_pj or value(library.cell_read_energy, node_nm)
    cell_read_pj = read_pj * cell.relative_level
    return Technology(
        node_nm=float(node_nm),
        row_drive_pj=value(library.row_drive_energy, node_nm),
        row_drive_fixed_pj=library.fixed(library.row_drive_energy, node_nm),
        row_driver_um2=value(library.row_driver_area, node_nm),
        column_pj=value(library.column_energy, node_nm),
        column_fixed_pj=library.fixed(library.column_energy, node_nm),
        cell_read_pj=cell_read_pj,
        cell_um2=cell.area_f2 * (node_nm * 1e-3) ** 2,
        cell_leaks=cell.volatile,
        digital_cell_um2=library.digital_cell.area_f2 * (node_nm * 1e-3) ** 2,
        digital_write_pj=library.digital_cell.mean_write_pj,
        digital_write_ns=library.digital_cell.write_pulse_ns,
        cell_write_pj=cell.mean_write_pj,
        cell_write_ns=cell.write_pulse_ns,
        adder_bit_pj=value(library.adder_energy, node_nm),
        adder_bit_um2=value(library.adder_area, node_nm),
        shift_add_bit_pj=value(library.shift_add_energy, node_nm) if library.shift_add_energy else 0.0,
        shift_add_um2=value(library.shift_add_area, node_nm),
        multiplier_bit_pj=_optional(library, "multiplier_energy", node_nm, ("adder_energy", "gate_energy")),
        multiplier_bit_um2=_optional(library, "multiplier_area", node_nm, ("adder_area", "gate_area")),
        row_count_pj=_optional(library, "row_count_energy", node_nm),
        row_count_um2=_optional(library, "row_count_area", node_nm),
        register_bit_pj=value(library.register_energy, node_nm),
        register_bit_um2=value(library.register_area, node_nm),
        comparator_bit_pj=value(library.comparator_energy, node_nm),
        comparator_bit_um2=value(library.comparator_area, node_nm),
        gate_pj=value(library.gate_energy, node_nm),
        gate_um2=value(library.gate_area, node_nm),
        router_bit_pj=value(library.router_energy, node_nm),
        router_um2=value(library.router_area, node_nm),
        router_flit_bits=float(library.router_energy.size.get("bits", _FLIT_BITS)),
        bus_bit_pj=_bus_bit_pj(library, node_nm),
        bus_um2=value(library.bus_area, node_nm),
        clock_bit_pj=value(library.clock_energy, node_nm),
        gate_ns=value(library.gate_delay, node_nm),
        logic_mw_per_um2=library.leakage.uw_per_mm2[logic_node] * 1e-9,
        dram_bit_pj=library.dram.access_pj / library.dram.access_bits,
        dram_bit_ns=1.0 / library.dram.bandwidth_gbit_s,
        sram_read_pj=_sram_bit_pj(library, sram.read_pj, node_nm),
        sram_write_pj=_sram_bit_pj(library, sram.write_pj, node_nm),
        sram_um2=_of_capacity(sram, area_um2) * _beyond(sram),
        sram_mw=_of_capacity(sram, leakage_mw) * _beyond(sram),
        converters=converter_table(library, cell, node_nm, cell_read_pj),
    )


def _bus_bit_pj(library: Library, node_nm: int) -> float:
    """A library that does not say how many subarrays its bus serves means ISAAC's."""
    passed = 1 if "subarrays" in library.bus_energy.size else _BUS_SUBARRAYS
    return library.value(library.bus_energy, node_nm) / passed


def _sram_bit_pj(library: Library, table: dict[int, tuple[float, ...]], node_nm: int) -> Array:
    node = library.nearest_node(table, node_nm)
    access_pj = np.array(table[node]) * library.energy_factor(node, node_nm)
    return _of_capacity(library.sram, access_pj) / library.sram.port_bits


def _of_capacity(sram: Sram, values: Array) -> Array:
    """Tabulated ``values`` on :data:`SRAM_KIB`; outside a table as at its end."""
    return np.asarray(np.exp2(np.interp(np.log2(SRAM_KIB), np.log2(sram.capacity_kib), np.log2(values))))


def _beyond(sram: Sram) -> Array:
    """Area and leakage go with the capacity outside a table."""
    return np.asarray(SRAM_KIB / np.clip(SRAM_KIB, sram.capacity_kib[0], sram.capacity_kib[-1]))


def _optional(library: Library, name: str, node_nm: int, parts: tuple[str, ...] = ()) -> float:
    """A figure that a library may give; else the sum of those of its parts, NaN where there are none."""
    given = getattr(library, name)
    if given is not None:
        return library.value(given, node_nm)
    return sum(library.value(getattr(library, part), node_nm) for part in parts) if parts else math.nan
