"""Weights into cells, as slow plain loops: folding, quantising, slices, conductances.

Part of the oracle of ``loop_program``; imports nothing of the product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

FRACTION: Final = 8
"""Fractional bits of a conductance under any condition of the cells."""

Floats = list[list[float]]
Ints = list[list[int]]
Cells = list[list[Ints]]
"""[slice][sign][output][fan-in]"""
Nested = list[Any]


@dataclass(frozen=True)
class Conditions:
    """Conditions of the cells and of the converters; the defaults are ideal."""

    on_off: float | None = None
    """Ratio of the conductances on and off; None for no off-current."""
    sigma: float = 0.0
    sigma_of: str = "level"
    """``level``: variation relative to a cell's own conductance; ``range``: to ``2^c - 1`` levels."""
    drift: float = 1.0
    stuck_on_level: float = 0.0
    stuck_off_level: float = 0.0
    read_noise: float = 0.0
    """Standard deviation in converter steps."""
    gating: bool = True
    """Tiles without a spike are not read."""

    @property
    def fraction(self) -> int:
        return 0 if self == Conditions(gating=self.gating) else FRACTION

    def off_current(self, cell_bits: int) -> float:
        """``l_off`` in cell levels, not rounded."""
        return 0.0 if self.on_off is None else ((1 << cell_bits) - 1) / (self.on_off - 1)

    def off_current_rounded(self, cell_bits: int) -> float:
        """``l_off`` as a nominal cell of level 0 has it."""
        return round(self.off_current(cell_bits) * (1 << FRACTION)) / (1 << FRACTION)


def fold_batch_norm(
    weights: Floats,
    conv_bias: Sequence[float] | None,
    norm: Sequence[Sequence[float]] | None,
    eps: float,
) -> tuple[Floats, list[float]]:
    """``W'`` [output][fan-in] and ``bias'`` [output] in float64; ``norm`` is gamma, beta, mean, variance."""
    outputs = len(weights)
    added = [0.0] * outputs if conv_bias is None else [float(b) for b in conv_bias]
    if norm is None:
        return [[float(w) for w in row] for row in weights], added
    folded, bias = [], []
    for o in range(outputs):
        gamma, beta, mean, var = (float(part[o]) for part in norm)
        gain = gamma / math.sqrt(var + eps)
        folded.append([float(w) * gain for w in weights[o]])
        bias.append(beta + (added[o] - mean) * gain)
    return folded, bias


def scale_columns(folded: Floats, scale: float, std: Sequence[float], kernel: int) -> Floats:
    """``W'`` for raw pixels: column ``i`` times ``scale / std`` of its channel."""
    return [[w * (scale / std[i // kernel**2]) for i, w in enumerate(row)] for row in folded]


def border_correction(
    folded: Floats, mean: Sequence[float], std: Sequence[float], kernel: int, inside: Ints
) -> Floats:
    """What the mean of the images adds, negative, [position][output]; ``folded`` is before the scaling.

    Args:
        inside: [position][fan-in], 0 where the window reads padding.
    """
    return [
        [
            -sum(w * (mean[i // kernel**2] / std[i // kernel**2]) for i, w in enumerate(row) if reads[i])
            for row in folded
        ]
        for reads in inside
    ]


def quantise(folded: Floats, weight_bits: int) -> tuple[float, Ints]:
    """Step and integer weights, ties to even; an all-zero layer has step 1."""
    largest = max(abs(w) for row in folded for w in row)
    step = largest / (2 ** (weight_bits - 1) - 1) if largest > 0 else 1.0
    return step, [[round(w / step) for w in row] for row in folded]


def slice_levels(q: Ints, weight_bits: int, cell_bits: int, *, offset: bool) -> Cells:
    """Levels of the cells [slice][sign][output][fan-in]; an offset column is one sign."""
    if offset:
        columns = [[[value + (1 << (weight_bits - 1)) for value in row] for row in q]]
    else:
        columns = [[[max(sign * value, 0) for value in row] for row in q] for sign in (1, -1)]
    mask = (1 << cell_bits) - 1
    return [
        [[[(value >> (cell_bits * s)) & mask for value in row] for row in column] for column in columns]
        for s in range(-(-weight_bits // cell_bits))
    ]


def conductances(
    levels: Cells,
    cell_bits: int,
    conditions: Conditions,
    variation: Nested | None = None,
    stuck: Nested | None = None,
    *,
    nominal: bool = False,
) -> Cells:
    """Cells in units of ``2^-fraction`` levels, rounded half to even.

    Args:
        variation: standard normal numbers, as ``levels``; None for nominal cells.
        stuck: 1 stuck on, 2 stuck off, 0 sound, as ``levels``; None for none.
        nominal: the off-current alone, as in calibration.
    """
    if conditions.fraction == 0:
        return levels
    off = conditions.off_current(cell_bits)
    full = (1 << cell_bits) - 1

    def cell(level: int, n: float, fault: int) -> int:
        if nominal:
            return round((level + off) * (1 << FRACTION))
        if conditions.sigma_of == "level":
            g = (level + off) * (1 + conditions.sigma * n)
        else:
            g = level + off + conditions.sigma * full * n
        g = max(g, 0.0)
        if fault:
            g = off + (conditions.stuck_on_level if fault == 1 else conditions.stuck_off_level)
        return round(g * conditions.drift * (1 << FRACTION))

    def at(values: Nested | None, s: int, sign: int, o: int, i: int) -> Any:
        return 0 if values is None else values[s][sign][o][i]

    return [
        [
            [
                [cell(x, at(variation, s, p, o, i), at(stuck, s, p, o, i)) for i, x in enumerate(row)]
                for o, row in enumerate(column)
            ]
            for p, column in enumerate(columns)
        ]
        for s, columns in enumerate(levels)
    ]
