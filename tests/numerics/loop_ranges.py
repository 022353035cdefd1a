"""Converter steps from histograms of column sums, in exact arithmetic.

A sum is an integer in units of ``2^-fraction`` cell levels: ``fraction`` is 0 for ideal cells and 8 where
the conductances are rounded to 8 fractional bits. Plain and slow; it imports nothing of the product.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

ONE = 1 << 15
CANDIDATES = 96
PARTS_PER_THOUSAND = {"max": 1000, "p99.9": 999, "p99": 990}

Histogram = dict[int, int]
"""How often each sum was seen."""


def multiplier(d: Fraction | float) -> int:
    """``m`` of the step ``d``, which is clamped to 1..2^15 first."""
    clamped = min(max(Fraction(d), Fraction(1)), Fraction(ONE))
    return round(ONE / clamped)


def read_code(x: int, m: int, levels: int, fraction: int, noise: int = 0) -> int:
    """The converter's code of the sum ``x``; ties go up.

    Args:
        levels: 0 for an exact read-out, which needs ``fraction`` 0 and ``m`` 2^15.
        noise: in units of ``2^-(15 + fraction)`` steps, added before rounding.
    """
    code = (x * m + noise + (1 << (14 + fraction))) >> (15 + fraction)
    return max(0, code if levels == 0 else min(levels - 1, code))


def least_sum_covering(histogram: Histogram, per_thousand: int) -> int:
    """The least ``x`` with ``1000 count(<= x) >= per_thousand total``."""
    total = sum(histogram.values())
    covered = 0
    for x in sorted(histogram):
        covered += histogram[x]
        if 1000 * covered >= per_thousand * total:
            return x
    raise ValueError("an empty histogram has no percentile")


def squared_error(histogram: Histogram, m: int, levels: int, fraction: int) -> Fraction:
    """Sum of ``h(x) (x - code 2^15 / m)^2`` times ``2^(2 fraction)``, exactly."""
    total = 0
    for x, count in histogram.items():
        code = read_code(x, m, levels, fraction)
        total += count * (x * m - (code << (15 + fraction))) ** 2
    return Fraction(total, m * m)


def geometric_steps(highest: Fraction) -> list[float]:
    """``CANDIDATES`` geometric values from 1 to ``highest`` (at least 1), ascending."""
    top = max(1.0, float(highest))
    return [top ** (i / (CANDIDATES - 1)) for i in range(CANDIDATES)]


def power_of_two_steps(highest: Fraction) -> list[int]:
    """1, 2, 4, ... up to the first at or above ``highest``."""
    steps = [1]
    while steps[-1] < highest:
        steps.append(2 * steps[-1])
    return steps


def best_step(
    histogram: Histogram, steps: Iterable[Fraction | float], levels: int, fraction: int
) -> Fraction | float:
    """The step of least squared error; of equals the least, so ``steps`` must ascend."""
    best: Fraction | float = 1
    least: Fraction | None = None
    tried: set[int] = set()
    for d in steps:
        m = multiplier(d)
        if m in tried:
            continue
        tried.add(m)
        error = squared_error(histogram, m, levels, fraction)
        if least is None or error < least:
            best, least = d, error
    return best


def range_step(
    rule: str, histogram: Histogram, *, levels: int, fraction: int, rows: int, full_cell: Fraction | float
) -> Fraction | float:
    """The step ``d`` by ``rule``, before the clamp; 1 where nothing but zero was ever seen.

    Args:
        full_cell: conductance of a full cell in levels, ``2^c - 1`` and the off-current.
    """
    if rule == "exact" or max(histogram, default=0) == 0:
        return 1
    if rule == "unit":
        return 1
    if rule == "worst":
        return rows * Fraction(full_cell) / (levels - 1)
    unit = (levels - 1) << fraction
    if rule in PARTS_PER_THOUSAND:
        return Fraction(least_sum_covering(histogram, PARTS_PER_THOUSAND[rule]), unit)
    highest = Fraction(max(histogram), unit)
    if rule == "mse":
        return best_step(histogram, geometric_steps(highest), levels, fraction)
    if rule == "mse2":
        return best_step(histogram, power_of_two_steps(highest), levels, fraction)
    raise ValueError(f"{rule} is no range rule")


def together(histograms: Sequence[Histogram], rule: str, cell_bits: int) -> Histogram:
    """One histogram of all slices of a layer; for squared errors slice ``s`` weighs ``4^(c s)``."""
    joint: Histogram = {}
    for s, histogram in enumerate(histograms):
        weight = 4 ** (cell_bits * s) if rule in ("mse", "mse2") else 1
        for x, count in histogram.items():
            joint[x] = joint.get(x, 0) + weight * count
    return joint


def range_steps(
    rule: str,
    histograms: Sequence[Histogram],
    *,
    per_layer: bool,
    cell_bits: int,
    levels: int,
    fraction: int,
    rows: int,
    full_cell: Fraction | float,
) -> list[Fraction | float]:
    """The step ``d`` of every slice, before the clamp."""

    def step(histogram: Histogram) -> Fraction | float:
        return range_step(rule, histogram, levels=levels, fraction=fraction, rows=rows, full_cell=full_cell)

    if per_layer:
        return [step(together(histograms, rule, cell_bits))] * len(histograms)
    return [step(histogram) for histogram in histograms]
