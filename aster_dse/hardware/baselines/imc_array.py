"""One cycle of an in-memory array by ZigZag-IMC's model, analog or digital, at 28 nm and 0.9 V.

Source: Sun et al., "Analog or Digital In-memory Computing? Benchmarking through Quantitative Modeling", ICCAD
2023, and zigzag-dse 3.9 (``imc_array.py``, ``imc_unit.py``). Half of the one-bit products switch; every adder
and converter works in every cycle. Inputs are driven bit by bit; a cycle holds one bit of each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["ArrayCycle", "analog_cycle", "digital_cycle"]

_SUPPLY_V = 0.9
_NAND_FF, _XOR_FF, _LINE_FF = 0.7, 1.05, 0.35
"""Capacitances: a two-input NAND, a two-input XOR, a cell's share of its bit line."""
_NAND_NS, _XOR_NS = 0.0478, 0.0478 * 2.4
_ADDER_FJ = (3 * _NAND_FF + 2 * _XOR_FF) * _SUPPLY_V**2
"""A full adder of three NAND and two XOR gates: 3.402 fJ."""


@dataclass(frozen=True)
class ArrayCycle:
    """What one cycle of a full array takes."""

    energy_pj: dict[str, float]
    """By part: ``adc``, ``multipliers``, ``bit_lines``, ``adder_trees``, ``place_value_adders``."""
    time_ns: float
    macs: int
    """Products of a one-bit input and a whole weight."""

    @property
    def fj_per_mac(self) -> float:
        """Energy of one of them."""
        return sum(self.energy_pj.values()) * 1e3 / self.macs

    @property
    def tops_per_w(self) -> float:
        """Two operations to a multiply-accumulate."""
        return 2e3 / self.fj_per_mac


def analog_cycle(rows: int, weights: int, *, weight_bits: int, adc_bits: int) -> ArrayCycle:
    """An analog array of ``rows`` inputs and ``weights`` outputs, a column and a converter to each bit."""
    columns = weights * weight_bits
    adc_pj = (100 * adc_bits + 0.001 * 4**adc_bits) * _SUPPLY_V**2 * 1e-3
    depth = math.log2(weight_bits)
    adders = adc_bits * (weight_bits - 1) + weight_bits * (depth - 0.5) if weight_bits > 1 else 0.0
    place_ns = 0.0
    if weight_bits > 1:
        place_ns = (depth - 1) * 2 * _XOR_NS + _XOR_NS + 2 * _NAND_NS + (weight_bits - 1) * 2 * _NAND_NS
    return ArrayCycle(
        energy_pj={
            "adc": adc_pj * columns,
            "multipliers": 0.5 * _NAND_FF * _SUPPLY_V**2 * rows * columns * 1e-3,
            "bit_lines": _LINE_FF * _SUPPLY_V**2 * rows * columns * 1e-3,
            "place_value_adders": adders * weights * _ADDER_FJ * 1e-3,
        },
        time_ns=_NAND_NS + adc_bits * (0.00653 * rows + 0.640) + place_ns,
        macs=rows * weights,
    )


def digital_cycle(rows: int, weights: int, *, weight_bits: int) -> ArrayCycle:
    """A digital array of ``rows`` inputs and ``weights`` outputs, an adder tree over the rows to each."""
    depth = math.log2(rows)
    adders = rows * (weight_bits + 1) - (weight_bits + depth + 1)
    tree_ns = (depth - 1) * 2 * _XOR_NS + _XOR_NS + 2 * _NAND_NS + (weight_bits + depth - 2) * 2 * _NAND_NS
    return ArrayCycle(
        energy_pj={
            "multipliers": 0.5 * _NAND_FF * _SUPPLY_V**2 * rows * weights * weight_bits * 1e-3,
            "adder_trees": adders * weights * _ADDER_FJ * 1e-3,
        },
        time_ns=_NAND_NS + tree_ns,
        macs=rows * weights,
    )
