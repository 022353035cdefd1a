"""What a converter range of its own costs, and what it costs that an offset makes weights positive.

A range that is set per slice is hardware: registers that hold it, a reference that follows the slice
through the column multiplexer and, unless all steps are powers of two, a multiplier that puts the slices on
one scale. A reference that is fixed by the array, whatever it holds (``worst``, ``unit``), needs none of
this. One column with an offset needs the exact number of driven rows. Formulas and sources:
docs/numerics.md, "What a good range costs".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aster_dse.hardware.designs import DesignTable
from aster_dse.hardware.rules import columns_per_slice
from aster_dse.space.hardware_knobs import ADC_RANGE_PER, ADC_RANGES

__all__ = ["RangeCosts", "adder_tree_bits", "range_costs"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_EXPONENT_BITS = 4
"""Of a step that is a power of two from 1 to 2^15."""
_FIXED = [ADC_RANGES.index(rule) for rule in ("worst", "unit")]
_PER_SLICE = ADC_RANGE_PER.index("slice")
_POWERS_OF_TWO = ADC_RANGES.index("mse2")


@dataclass(frozen=True, eq=False)
class RangeCosts:
    """``[K, 1]``, or ``[K, layers]`` where layers differ; 0 in digital arrays."""

    switching_pj: Array
    """Per conversion, to bring range and scale of the next column's slice to the converter."""
    multiply_pj: Array
    """Per conversion, to scale its code."""
    count_pj: Array
    """Per access of an array, to count its driven rows."""
    subtract_pj: Array
    """Per window and output, to take the offset off."""
    reference_um2: Array
    """Per converter, of the switches of its reference."""
    multiplier_um2: Array
    """Per converter."""
    registers_um2: Array
    """Per array, of ranges and scales."""
    counter_um2: Array
    """Per array."""


def adder_tree_bits(operands: Array, bits: Array) -> Array:
    """Full adders of a tree over ``N`` operands of ``w`` bits: ``N (w + 1) - (w + log2 N + 1)``.

    Source: ZigZag-IMC (Sun et al., ICCAD 2023).
    """
    return np.asarray(operands * (bits + 1) - (bits + np.log2(operands) + 1))


def range_costs(designs: DesignTable) -> RangeCosts:
    """Evaluate each design's ranges and offset: counts of bits times figures of the library."""
    get, rule = designs.gather, designs.adc_range
    analog = designs.compute == 0
    settable = analog & ~np.isin(rule, _FIXED)
    slices = -(-designs.weight_bits // designs.cell_bits)
    several = settable & (designs.adc_range_per == _PER_SLICE) & (slices > 1)
    scaled = several & (rule != _POWERS_OF_TWO)
    together = columns_per_slice(designs)
    shared = several & (designs.column_mux > together)
    weight = designs.weight_bits.astype(float)
    column = np.log2(designs.rows) + designs.cell_bits
    range_bits = np.where(rule == _POWERS_OF_TWO, _EXPONENT_BITS, column)
    held = range_bits + np.where(scaled, weight, 0.0)
    # The columns of a pair lie side by side: they share a range, and their difference is scaled.
    code = np.log2(designs.adc_levels) + (together - 1)
    multiply = weight * (code * get("multiplier_bit_pj") + get("register_bit_pj"))
    multiplier = weight * (code * get("multiplier_bit_um2") + get("register_bit_um2"))
    per_converter = np.minimum(designs.column_mux / together, 1.0)
    count_pj, counter_um2 = _row_counter(designs)
    offset = analog & (together == 1)
    subtract = designs.membrane_bits[:, None] * get("adder_bit_pj")
    return RangeCosts(
        switching_pj=_where(shared, held * (get("register_bit_pj") + get("gate_pj")) / together),
        multiply_pj=_where(scaled, multiply / together),
        count_pj=_where(offset, count_pj),
        subtract_pj=_where(offset, subtract),
        reference_um2=_where(settable, range_bits * get("gate_um2")),
        multiplier_um2=_where(scaled, multiplier * per_converter),
        registers_um2=_where(settable, np.where(several, slices, 1) * held * get("register_bit_um2")),
        counter_um2=_where(offset, counter_um2),
    )


def _row_counter(designs: DesignTable) -> tuple[Array, Array]:
    """Energy of a count and area of the counter, of one array.

    An access takes a conversion for each column of a converter. In each of them a tree adds up a part of the
    rows, and an accumulator the parts; the sum over the row tiles has the width of the accumulators.
    """
    get, rows = designs.gather, designs.rows.astype(float)
    parts = np.minimum(designs.column_mux, rows)
    width = np.log2(rows) + 1.0
    adders = adder_tree_bits(rows / parts, np.ones_like(rows)) + width
    adder, register = get("adder_bit_pj"), get("register_bit_pj")
    total = designs.membrane_bits[:, None]
    energy = parts * (adders * adder + width * register) + total * (adder + register)
    area = (adders + total) * get("adder_bit_um2") + (width + total) * get("register_bit_um2")
    known_pj, known_um2 = get("row_count_pj"), get("row_count_um2")
    return np.where(np.isnan(known_pj), energy, known_pj), np.where(np.isnan(known_um2), area, known_um2)


def _where(applies: Mask, cost: Array) -> Array:
    return np.where(applies, cost, 0.0)
