"""The range of a converter: how many steps of a column sum one of its codes is worth.

A code is ``min(L - 1, (x m + 2^14) >> 15)`` of the sum ``x`` with the integer ``m = round(2^15 / d)``; the
step then is exactly ``2^15 / m``. Where a range comes from a largest sum, whole sums lie on half steps: only
an integer rule rounds them alike everywhere.

NeuroSim's converters (``neurosim``) have L steps over the largest sum and round down:
``min(L - 1, (x m) >> 15)`` with ``m = ceil(2^15 / d)``, so that a whole number of steps reaches its code.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from aster_dse.numerics.arrays import LayerArrays

__all__ = ["FINE", "codes", "multiplier", "multipliers"]

Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]

ONE = 1 << 15
FINE = 8
"""Fractional bits of a cell whose conductance is no whole level."""
_CANDIDATES = 96
_PERCENT = {"max": 1000, "p99.9": 999, "p99": 990}
"""Per mille of the sums that lie within the range."""


def multiplier(step: float) -> int:
    """``m`` of a step ``d``, which is first brought between 1 and 2^15."""
    return round(ONE / min(max(step, 1.0), float(ONE)))


def codes(sums: Ints, m: int, levels: int, fine: int = 0, *, down: bool = False) -> Ints:
    """What a converter says of column sums with ``fine`` fractional bits.

    Args:
        down: it rounds down, not to the nearest code.
    """
    half = 0 if down else 1 << (14 + fine)
    read = (np.asarray(sums, dtype=np.int64) * m + half) >> (15 + fine)
    return np.asarray(np.minimum(read, levels - 1))


def multipliers(histograms: Ints, arrays: LayerArrays, *, off_level: float = 0.0, fine: int = 0) -> list[int]:
    """``m`` of each slice of a layer.

    Args:
        histograms: ``[slices, sums]``, how often each column sum occurred: both signs, all outputs, windows,
            steps and planes of each (window, tile) with a spike.
        off_level: level of a cell that is off.
        fine: fractional bits of the sums.
    """
    silent = [not row[1:].any() for row in histograms]
    if arrays.adc_range == "exact":
        return [ONE] * len(histograms)
    if arrays.adc_range == "worst":
        worst = arrays.rows * (arrays.full_cell + off_level) / (arrays.adc_levels - 1)
        return [ONE if quiet else multiplier(worst) for quiet in silent]
    if arrays.adc_range == "unit":
        return [ONE] * len(histograms)
    if arrays.adc_range_per == "slice":
        return [
            ONE if quiet else _of(row[None], np.ones(1), arrays, fine)
            for row, quiet in zip(histograms, silent, strict=True)
        ]
    if all(silent):
        return [ONE] * len(histograms)
    weights = 4.0 ** (arrays.cell_bits * np.arange(len(histograms)))
    return [_of(histograms, np.asarray(weights, dtype=np.float64), arrays, fine)] * len(histograms)


def _of(rows: Ints, weights: Doubles, arrays: LayerArrays, fine: int) -> int:
    """``m`` of the range that some slices share."""
    together = rows.sum(axis=0)
    highest = float(np.flatnonzero(together)[-1]) / (1 << fine)
    if arrays.adc_range == "neurosim":
        return math.ceil(ONE / min(max(highest / arrays.adc_levels, 1.0), float(ONE)))
    steps = arrays.adc_levels - 1
    if arrays.adc_range in _PERCENT:
        within = np.cumsum(together) * 1000 >= _PERCENT[arrays.adc_range] * int(together.sum())
        return multiplier(float(within.argmax()) / (1 << fine) / steps)
    last = max(1.0, highest / steps)
    if arrays.adc_range == "mse2":
        tried = [1.0]
        while tried[-1] < last:
            tried.append(2.0 * tried[-1])
    else:
        tried = np.geomspace(1.0, last, _CANDIDATES).tolist()
    options = list(dict.fromkeys(multiplier(step) for step in tried))
    sums = np.flatnonzero(together)
    counts, exact = rows[:, sums], sums / (1 << fine)
    error = []
    for m in options:
        missed = exact - codes(sums, m, arrays.adc_levels, fine) * (ONE / m)
        error.append(float(weights @ (counts @ (missed * missed))))
    return options[int(np.argmin(error))]
