"""The three models of an analog-to-digital converter, vectorised over levels, clock and node.

Each gives, per conversion, the energy that depends on the levels, the energy of each cell that conducts into
the column while it is converted, the time, and the area.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aster_dse.hardware.library import Library

__all__ = [
    "ADC_KINDS",
    "MURMANN_MINIMUM_BITS",
    "ConverterTechnology",
    "converter_technology",
    "flash_energy_pj",
    "murmann_area_um2",
    "murmann_energy_pj",
    "sar_energy_pj",
]

Array = NDArray[np.float64]

ADC_KINDS = ("flash", "sar", "murmann")
MURMANN_MINIMUM_BITS = 4
"""The survey's regression turns upwards below this resolution; fewer bits cost as much as these."""


@dataclass(frozen=True, eq=False)
class ConverterTechnology:
    """Coefficients of the converters at one node."""

    node_nm: float
    flash_level_pj: float
    """Per level above the first."""
    flash_cell_pj: float
    flash_ns: float
    flash_area_factor: float
    flash_area_intercept: float
    flash_area_slope: float
    sar_a_pj: float
    sar_b_pj: float
    sar_cell_pj: float
    sar_cycle_ns: float
    sar_um2: Array
    """By bits, 0 to 10."""


def converter_technology(library: Library, node_nm: int) -> ConverterTechnology:
    """Coefficients at a node; those of another node are scaled with the node's energy and area factors.

    The column term of flash and SAR goes with R^-1.01 and R^-1.00, so the energy of n conducting cells of
    resistance R is taken as n times that of one.
    """
    flash, sar, resistance = library.flash, library.sar, 1.0 / library.cell.mean_siemens
    near = library.nearest_node(flash.alpha_uw, node_nm)
    scale = library.energy_factor(near, node_nm)
    # uW x ns = 1e-3 pJ, W x ns = 1e3 pJ
    flash_cell = flash.beta_w[near] * math.exp(flash.gamma[near] * math.log10(resistance)) * 1e3
    near_sar = library.nearest_node(sar.a_uw, node_nm)
    scale_sar = library.energy_factor(near_sar, node_nm)
    sar_cell = sar.c_w[near_sar] * math.exp(sar.d[near_sar] * math.log10(resistance)) * 1e3
    table = sar.area_um2
    return ConverterTechnology(
        node_nm=float(node_nm),
        flash_level_pj=flash.alpha_uw[near] * flash.sensing_ns * 1e-3 * scale,
        flash_cell_pj=flash_cell * flash.sensing_ns * scale,
        flash_ns=flash.sensing_ns,
        flash_area_factor=library.area_factor(flash.area.at_nm, node_nm),
        flash_area_intercept=flash.area.intercept,
        flash_area_slope=flash.area.slope,
        sar_a_pj=sar.a_uw[near_sar] * sar.cycle_ns * 1e-3 * scale_sar,
        sar_b_pj=sar.b_uw[near_sar] * sar.cycle_ns * 1e-3 * scale_sar,
        sar_cell_pj=sar_cell * sar.cycle_ns * scale_sar,
        sar_cycle_ns=sar.cycle_ns,
        sar_um2=_geometric(np.arange(11.0), table.bits, table.values)
        * library.area_factor(table.at_nm, node_nm),
    )


def flash_energy_pj(levels: ArrayLike, level_pj: ArrayLike) -> Array:
    """Level-dependent energy of one flash conversion: ``alpha (L - 1)`` for one sensing time."""
    return np.asarray((np.asarray(levels, dtype=float) - 1.0) * np.asarray(level_pj))


def sar_energy_pj(levels: ArrayLike, a_pj: ArrayLike, b_pj: ArrayLike) -> Array:
    """Level-dependent energy of one SAR conversion: ``(a log2 L + b) (log2 L + 1)``."""
    bits = np.log2(np.asarray(levels, dtype=float))
    return np.asarray((np.asarray(a_pj) * bits + np.asarray(b_pj)) * (bits + 1.0))


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
    x, y = np.array(known, dtype=float), np.log(values)
    segment = np.clip(np.searchsorted(x, at) - 1, 0, len(x) - 2)
    slope = (y[segment + 1] - y[segment]) / (x[segment + 1] - x[segment])
    return np.asarray(np.exp(y[segment] + slope * (at - x[segment])))
