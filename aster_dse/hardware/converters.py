"""Models of an analog-to-digital converter behind one interface, tabulated by kind and resolution.

Each gives, per conversion, the energy that depends on the resolution, the energy of each cell that conducts
into the column while it is converted, the time, and the area. The regression over published converters
depends on the clock too and is evaluated where it is asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aster_dse.hardware.components import Cell
from aster_dse.hardware.library import Library
from aster_dse.space.hardware_knobs import ADC_KINDS

__all__ = [
    "ADC_KINDS",
    "MAXIMUM_BITS",
    "MURMANN_MINIMUM_BITS",
    "SURVEY",
    "ConverterTable",
    "capacitive_energy_pj",
    "converter_table",
    "flash_energy_pj",
    "murmann_area_um2",
    "murmann_energy_pj",
    "sar_energy_pj",
]

Array = NDArray[np.float64]

SURVEY = ADC_KINDS.index("murmann")
MAXIMUM_BITS = 10
MURMANN_MINIMUM_BITS = 4
"""The survey's regression turns upwards below this resolution; fewer bits cost as much as these."""


@dataclass(frozen=True, eq=False)
class ConverterTable:
    """``[kind, bits]``, kinds as in :data:`ADC_KINDS`, bits from 0; NaN where the library has no figures."""

    conversion_pj: Array
    cell_pj: Array
    """Of each conducting cell during one conversion."""
    time_ns: Array
    time_per_row_ns: Array
    area_um2: Array


def converter_table(library: Library, cell: Cell, node_nm: int, cell_read_pj: float) -> ConverterTable:
    """Every converter of the library at a node; figures of another node are scaled by its factors.

    The column term of flash and SAR goes with R^-1.01 and R^-1.00, so the energy of n conducting cells of
    resistance R is taken as n times that of one. Cells that were run with a flash converter have their own
    energy (``sensed_pj``), which knows their read voltage too.

    Args:
        cell_read_pj: of a conducting cell, for converters without a column term of their own.
    """
    shape = (len(ADC_KINDS), MAXIMUM_BITS + 1)
    names = ("conversion_pj", "cell_pj", "time_ns", "time_per_row_ns", "area_um2")
    tables = {name: np.full(shape, np.nan) for name in names}
    bits = np.arange(MAXIMUM_BITS + 1.0)
    levels = 2.0**bits

    def put(kind: str, **rows: ArrayLike) -> None:
        for name in names:
            tables[name][ADC_KINDS.index(kind)] = rows.get(name, 0.0)

    def column_term(scale_w: float, exponent: float) -> float:
        """W of one conducting cell; 1e3 pJ are a W x ns."""
        if not cell.mean_siemens:
            return cell_read_pj * 1e-3
        return scale_w * math.exp(exponent * math.log10(1.0 / cell.mean_siemens))

    if (flash := library.flash) is not None:
        near = library.nearest_node(flash.alpha_uw, node_nm)
        scale = library.energy_factor(near, node_nm)
        put(
            "flash",
            conversion_pj=flash_energy_pj(levels, flash.alpha_uw[near] * flash.sensing_ns * 1e-3 * scale),
            cell_pj=_sensed_pj(library, cell, node_nm)
            or column_term(flash.beta_w[near], flash.gamma[near]) * 1e3 * flash.sensing_ns * scale,
            time_ns=flash.sensing_ns,
            area_um2=10.0 ** (flash.area.intercept + flash.area.slope * bits)
            * levels
            * library.area_factor(flash.area.at_nm, node_nm),
        )
    if (sar := library.sar) is not None:
        near = library.nearest_node(sar.a_uw, node_nm)
        scale = library.energy_factor(near, node_nm) * sar.cycle_ns
        listed = sar.area_um2
        put(
            "sar",
            conversion_pj=sar_energy_pj(levels, sar.a_uw[near] * 1e-3 * scale, sar.b_uw[near] * 1e-3 * scale),
            cell_pj=column_term(sar.c_w[near], sar.d[near]) * 1e3 * scale * (bits + 1.0),
            time_ns=sar.cycle_ns * (bits + 1.0),
            area_um2=_geometric(bits, listed.bits, listed.values)
            * library.area_factor(listed.at_nm, node_nm),
        )
    if library.survey:
        put("murmann", cell_pj=cell_read_pj)
    if (table := library.table) is not None:
        put(
            "table",
            conversion_pj=_geometric(bits, table.bits, table.energy_pj)
            * library.energy_factor(table.at_nm, node_nm),
            cell_pj=cell_read_pj,
            time_ns=table.conversion_ns * library.delay_factor(table.at_nm, node_nm),
            area_um2=_geometric(bits, table.bits, table.area_um2) * library.area_factor(table.at_nm, node_nm),
        )
    if (capacitive := library.capacitive) is not None:
        delay = library.delay_factor(capacitive.at_nm, node_nm)
        put(
            "capacitive",
            conversion_pj=capacitive_energy_pj(
                bits, capacitive.linear_ff, capacitive.square_ff, capacitive.supply_v
            )
            * library.energy_factor(capacitive.at_nm, node_nm),
            cell_pj=cell_read_pj,
            time_ns=bits * capacitive.bit_ns * delay,
            time_per_row_ns=bits * capacitive.bit_row_ns * delay,
            area_um2=10.0 ** (capacitive.area.intercept + capacitive.area.slope * bits)
            * levels
            * library.area_factor(capacitive.area.at_nm, node_nm),
        )
    return ConverterTable(**tables)


def _sensed_pj(library: Library, cell: Cell, node_nm: int) -> float:
    """What the cell itself says of a flash conversion; 0 where it says nothing."""
    if not cell.sensed_pj:
        return 0.0
    near = library.nearest_node(cell.sensed_pj, node_nm)
    return cell.sensed_pj[near] * library.energy_factor(near, node_nm)


def flash_energy_pj(levels: ArrayLike, level_pj: ArrayLike) -> Array:
    """Level-dependent energy of one flash conversion: ``alpha (L - 1)`` for one sensing time."""
    return np.asarray((np.asarray(levels, dtype=float) - 1.0) * np.asarray(level_pj))


def sar_energy_pj(levels: ArrayLike, a_pj: ArrayLike, b_pj: ArrayLike) -> Array:
    """Level-dependent energy of one SAR conversion: ``(a log2 L + b) (log2 L + 1)``."""
    bits = np.log2(np.asarray(levels, dtype=float))
    return np.asarray((np.asarray(a_pj) * bits + np.asarray(b_pj)) * (bits + 1.0))


def capacitive_energy_pj(bits: ArrayLike, linear_ff: float, square_ff: float, supply_v: float) -> Array:
    """``(linear b + square 4^b) fF V^2``: ZigZag-IMC's converter."""
    b = np.asarray(bits, dtype=float)
    return np.asarray((linear_ff * b + square_ff * 4.0**b) * supply_v**2 * 1e-3)


def murmann_energy_pj(bits: ArrayLike, frequency_hz: ArrayLike, node_nm: ArrayLike) -> Array:
    """Energy of one conversion by the regression over Murmann's converter survey.

    ``FOM = min(213.7807 - 2.8719 ln f, 128.3068 + 3.2205 ceil(b))`` dB, ``SNDR = 6.0206 b + 1.7609`` dB,
    ``E = 1 / (2 10^((FOM - SNDR) / 10)) exp(26.0496 + 1.8800 ln node - 2.8291 ln b - 1.4702)`` pJ.
    Source: accelergy ADC plug-in (Andrulis et al., "RAELLA" / "CiMLoop"), on B. Murmann's ADC survey.
    """
    b = np.maximum(np.asarray(bits, dtype=float), MURMANN_MINIMUM_BITS)
    fom = np.minimum(213.7807 - 2.8719 * np.log(frequency_hz), 128.3068 + 3.2205 * np.ceil(b))
    sndr = 6.0206 * b + 1.7609
    exponent = 26.0496 + 1.8800 * np.log(node_nm) - 2.8291 * np.log(b) - 1.4702
    energy: Array = np.exp(exponent) / (2.0 * 10.0 ** ((fom - sndr) / 10.0))
    return energy


def murmann_area_um2(energy_pj: ArrayLike, frequency_hz: ArrayLike, node_nm: ArrayLike) -> Array:
    """``A = exp(1.3462 + 0.9933 ln node + 0.1807 ln f + 0.2991 ln E)`` um2; source as for the energy."""
    area: Array = np.exp(
        1.3462 + 0.9933 * np.log(node_nm) + 0.1807 * np.log(frequency_hz) + 0.2991 * np.log(energy_pj)
    )
    return area


def _geometric(at: Array, known: tuple[int, ...], values: tuple[float, ...]) -> Array:
    """Interpolate, and continue at both ends, with constant ratios between neighbours."""
    if len(known) == 1:
        return np.full(len(at), values[0])
    x, y = np.array(known, dtype=float), np.log(values)
    segment = np.clip(np.searchsorted(x, at) - 1, 0, len(x) - 2)
    slope = (y[segment + 1] - y[segment]) / (x[segment + 1] - x[segment])
    return np.asarray(np.exp(y[segment] + slope * (at - x[segment])))
