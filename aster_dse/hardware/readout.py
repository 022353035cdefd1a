"""What one access of an array costs: by its converters or its adder trees, and how long it takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aster_dse.hardware.converters import SURVEY, murmann_area_um2, murmann_energy_pj
from aster_dse.hardware.designs import DesignTable
from aster_dse.hardware.ranges import RangeCosts, adder_tree_bits, range_costs
from aster_dse.hardware.rules import XOR_GATES

__all__ = ["ReadOut", "read_out"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ReadOut:
    """``[K, 1]``, or ``[K, layers]`` where layers differ; ``period_ns`` always ``[K, 1]``."""

    conversion_pj: Array
    """Per column and access; 0 in a digital array."""
    shift_add_pj: Array
    """Per column and access, to put the slices of a weight together."""
    tree_pj: Array
    """Per weight and access of a digital array's adder tree; 0 in an analog one."""
    column_pj: Array
    """Per column and access, of the bit line."""
    cell_pj: Array
    """Per conducting cell and access."""
    converter_um2: Array
    shift_add_um2: Array
    """Of the one beside each converter; both 0 in a digital array."""
    ranges: RangeCosts
    """Of ranges that the converters are set to, and of an offset."""
    slots: Array
    """Conversions that follow one another in an access: the columns that share a converter."""
    slot_ns: Array
    """Whole clock cycles, as many as one of them needs."""
    period_ns: Array


def read_out(designs: DesignTable) -> ReadOut:
    """Evaluate the converter that each design has, or its adder tree."""
    get, kind = designs.gather, designs.adc_kind
    exponent = np.log2(designs.adc_levels)
    bits = exponent.astype(np.int64)
    period = (1e3 / designs.clock_mhz)[:, None]

    def table(name: str) -> Array:
        return designs.gather_converter(name, kind, bits)

    conversion, area = table("conversion_pj"), table("area_um2")
    duration = table("time_ns") + table("time_per_row_ns") * designs.rows
    if (survey := kind == SURVEY).any():
        frequency, node = designs.clock_mhz[:, None] * 1e6, get("node_nm")
        survey_pj = murmann_energy_pj(exponent, frequency, node)
        conversion = np.where(survey, survey_pj, conversion)
        area = np.where(survey, murmann_area_um2(survey_pj, frequency, node), area)
        duration = np.where(survey, period, duration)
    cell_pj = table("cell_pj")
    shift_add_um2 = np.broadcast_to(get("shift_add_um2"), area.shape)
    shift_add = _shift_add_pj(designs, exponent)
    column = designs.rows * get("column_pj") + get("column_fixed_pj")
    tree = np.zeros((1, 1))
    slots = designs.column_mux.astype(float)
    if (digital := designs.compute == 1).any():
        full_adders = adder_tree_bits(designs.rows.astype(float), designs.weight_bits.astype(float))
        tree = digital * full_adders * get("adder_bit_pj")
        conversion, shift_add = np.where(digital, 0.0, conversion), np.where(digital, 0.0, shift_add)
        column, cell_pj = np.where(digital, 0.0, column), np.where(digital, get("gate_pj"), cell_pj)
        area, shift_add_um2 = np.where(digital, 0.0, area), np.where(digital, 0.0, shift_add_um2)
        depth = np.log2(designs.rows)
        gates = 1 + (2 * depth - 1) * XOR_GATES + 2 * (designs.weight_bits + depth - 1)
        duration = np.where(digital, gates * get("gate_ns"), duration)
        slots = np.where(digital, 1.0, slots)
    # A hair of tolerance, so that 6 ns at 500 MHz are 3 cycles whatever the rounding.
    slot = np.maximum(np.ceil(duration / period - 1e-9), 1.0) * period
    return ReadOut(
        conversion_pj=conversion,
        shift_add_pj=shift_add,
        tree_pj=tree,
        column_pj=column,
        cell_pj=cell_pj,
        converter_um2=area,
        shift_add_um2=shift_add_um2,
        ranges=range_costs(designs),
        slots=slots,
        slot_ns=slot,
        period_ns=period,
    )


def _shift_add_pj(designs: DesignTable, bits: Array) -> Array:
    """Of one converted value, put to those of the other columns of its weight.

    As NeuroSim composes it: an adder as wide as the value, and registers for its sum and for a shift of as
    many places as there are columns. A library may give a figure per bit of the sum instead.
    """
    get, columns = designs.gather, designs.columns_per_weight
    per_bit = get("shift_add_bit_pj")
    composed = bits * get("adder_bit_pj") + (bits + columns) * get("register_bit_pj")
    cost = np.where(per_bit > 0, per_bit * (bits + designs.weight_bits), composed)
    return np.where(columns > 1, cost, 0.0)
