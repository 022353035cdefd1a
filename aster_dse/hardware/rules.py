"""Reasons why a design cannot exist, each read by one design and by a table of them alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aster_dse.errors import InputError
from aster_dse.space.hardware_knobs import ARRAYS, COLUMN_KINDS, COMPUTE

__all__ = [
    "RULES",
    "XOR_GATES",
    "BrokenRuleError",
    "Rule",
    "columns_per_slice",
    "columns_per_weight",
    "cycle_gates",
    "is_digital",
]

XOR_GATES = 2.4
"""Delay of an exclusive or in those of a NAND; ZigZag-IMC."""


@dataclass(frozen=True)
class Rule:
    """A reason why a design cannot exist. It reads one design or arrays of them alike."""

    knob: str
    broken: Callable[[Any], Any]
    explain: Callable[[Any], tuple[str, str]]
    """Problem and remedy, for one design."""
    reads: tuple[str, ...] = ()
    """Knobs that it depends on; nothing where that may be any."""


class BrokenRuleError(InputError):
    """A design that cannot exist.

    Args:
        reads: the rule's.
    """

    def __init__(self, where: str, problem: str, remedy: str = "", reads: tuple[str, ...] = ()) -> None:
        super().__init__(where, problem, remedy)
        self.reads = reads


def columns_per_weight(design: Any) -> Any:
    """One or two columns for each slice of ``cell_bits``; in a digital array a column for each bit."""
    slices = -(-design.weight_bits // design.cell_bits)
    digital = is_digital(design)
    return digital * design.weight_bits + (1 - digital) * columns_per_slice(design) * slices


def is_digital(design: Any) -> Any:
    """1 where products are summed in adder trees, else 0."""
    return _index(COMPUTE, design.compute)


def columns_per_slice(design: Any) -> Any:
    """2 where a positive and a negative column hold a weight's slice, 1 where an offset makes it positive."""
    return 2 - _index(COLUMN_KINDS, design.column_kind)


def _index(choices: Sequence[str], value: Any) -> Any:
    """A choice of one design by its number; a table of designs holds numbers."""
    return choices.index(value) if isinstance(value, str) else value


def cycle_gates(bits: Any) -> Any:
    """Two-input gates one after another in what a cycle must hold: whether a neuron fires.

    Membrane plus input minus threshold go through full adders of two exclusive ors, then through the carry
    tree of a parallel-prefix adder, two gates a level. Widths as of the membranes.
    """
    return 2.0 * XOR_GATES + 1.0 + 2.0 * np.ceil(np.log2(bits))


def _arrays_per_tile(design: Any) -> Any:
    return design.arrays_per_subarray * design.subarrays_per_tile


RULES = (
    Rule(
        "clock_mhz",
        lambda d: d.clock_mhz > d.max_clock_mhz,
        lambda d: (
            f"{d.clock_mhz:g} MHz, but at {d.node_nm} nm a neuron of {d.fabric.membrane_bits} bits takes "
            f"{1e3 / d.max_clock_mhz:.3g} ns to see whether it fires, and does so in one cycle",
            f"at most {math.floor(d.max_clock_mhz)}",
        ),
        ("clock_mhz", "node_nm", "base", "library"),
    ),
    Rule(
        "column_mux",
        lambda d: d.column_mux > d.columns,
        lambda d: (
            f"{d.column_mux} columns per converter, but the array has {d.columns} columns",
            f"at most {d.columns}",
        ),
        ("column_mux", "columns"),
    ),
    Rule(
        "column_mux",
        lambda d: d.columns % d.column_mux != 0,
        lambda d: (
            f"{d.column_mux} does not divide the array's {d.columns} columns",
            "one of " + ", ".join(str(m) for m in range(1, min(d.columns, 128) + 1) if d.columns % m == 0),
        ),
        ("column_mux", "columns"),
    ),
    Rule(
        "columns",
        lambda d: columns_per_weight(d) > d.columns,
        lambda d: (
            f"{d.columns} columns cannot hold one weight: {d.weight_bits} bits in cells of "
            f"{1 if is_digital(d) else d.cell_bits}, "
            + ("as differential pairs, " if columns_per_slice(d) > 1 and not is_digital(d) else "")
            + f"take {columns_per_weight(d)}",
            "raise columns or cell_bits, or lower weight_bits",
        ),
        ("columns", "weight_bits", "cell_bits", "compute", "column_kind", "cell"),
    ),
    Rule(
        "weight_bits",
        lambda d: (_index(ARRAYS, d.arrays) == 1) & (d.weight_bits < 2),
        lambda d: (
            f"arrays: real need a sign and a magnitude, and weights have {d.weight_bits} bit",
            "at least 2, or arrays: ideal",
        ),
        ("weight_bits", "arrays"),
    ),
    Rule(
        "buffer_kib",
        lambda d: d.buffer_kib * 8192 < d.rows * _arrays_per_tile(d),
        lambda d: (
            f"{d.buffer_kib} KiB cannot hold one row vector of {d.rows} bits for each of the tile's "
            f"{_arrays_per_tile(d)} arrays",
            f"at least {-(-d.rows * _arrays_per_tile(d) // 8192)}",
        ),
        ("buffer_kib", "rows", "arrays_per_subarray", "subarrays_per_tile"),
    ),
    Rule(
        "buffer_kib",
        lambda d: d.buffer_kib * 8192 < d.columns * d.cell_bits,
        lambda d: (
            f"{d.buffer_kib} KiB cannot hold the cells of one row: {d.columns} of {d.cell_bits} bits",
            f"at least {-(-d.columns * d.cell_bits // 8192)}",
        ),
        ("buffer_kib", "columns", "cell_bits", "cell"),
    ),
)
