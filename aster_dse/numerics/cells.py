"""Conductances of the cells of a chip: levels, and what the conditions make of them.

A cell of level ``l`` conducts ``G = (l + l_off)(1 + sigma n)``, never less than 0, in units of a level's
conductance; stuck cells are fully on or off, drift scales all of them. ``G`` is rounded half to even to 8
fractional bits, so that sums are exact integers. The random numbers come from a counter: each is a function
of its place alone, the same on every machine, whatever the height of the arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri  # type: ignore[import-untyped]

from aster_dse.numerics.arrays import LayerArrays
from aster_dse.numerics.ranges import FINE
from aster_dse.space.cell_conditions import CellConditions

__all__ = [
    "Chip",
    "column_keys",
    "conductances",
    "mixed",
    "next_key",
    "noise_table",
    "normal_quantiles",
    "off_level",
]

Keys = NDArray[np.uint64]
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_NORMAL_BITS = 12
"""Fractional bits of a normal number."""
_VARIATION, _STUCK, _READ = 1, 2, 3
"""Streams of random numbers."""


@dataclass(frozen=True)
class Chip:
    """One draw of the cells."""

    conditions: CellConditions
    number: int = 0

    @property
    def varied(self) -> bool:
        """Whether its cells differ from nominal ones."""
        c = self.conditions
        return bool(c.variation or c.stuck_on or c.stuck_off or c.drift != 1.0)


def off_level(arrays: LayerArrays, conditions: CellConditions) -> float:
    """``(2^c - 1) / (on/off - 1)``, the conductance of a cell that is off; 0 where the ratio is infinite."""
    return 0.0 if conditions.on_off is None else arrays.full_cell / (conditions.on_off - 1.0)


def conductances(
    levels: NDArray[np.int32], arrays: LayerArrays, layer: int, chip: Chip, *, nominal: bool = False
) -> NDArray[np.int64]:
    """Of every cell, with 8 fractional bits.

    Args:
        levels: ``[slices, sides, outputs, fan-in]``
        layer: number of the layer in the network.
        nominal: without variation, stuck cells and drift: what ranges are calibrated on.
    """
    conditions = chip.conditions
    off, full = off_level(arrays, conditions), float(arrays.full_cell)
    conductance = levels + off
    if not nominal:
        if conditions.variation:
            drawn = _normal(levels.shape, layer, chip.number) / float(1 << _NORMAL_BITS)
            if conditions.variation_of == "level":
                conductance = conductance * (1.0 + conditions.variation * drawn)
            else:
                conductance = conductance + conditions.variation * full * drawn
            conductance = np.maximum(conductance, 0.0)
        if conditions.stuck_on or conditions.stuck_off:
            place = _place_keys(levels.shape, layer, chip.number, _STUCK) >> np.uint64(32)
            on = np.uint64(round(conditions.stuck_on * 2.0**32))
            either = np.uint64(round((conditions.stuck_on + conditions.stuck_off) * 2.0**32))
            conductance = np.where(place < on, full + off, np.where(place < either, off, conductance))
        conductance = conductance * conditions.drift
    return np.asarray(np.rint(conductance * float(1 << FINE)), dtype=np.int64)


def column_keys(shape: tuple[int, int, int], layer: int, chip: int) -> Keys:
    """Keys of the read noise of every column, ``[slices, sides, outputs]``."""
    return _keys(shape, layer, chip, _READ)


@cache
def normal_quantiles() -> NDArray[np.int64]:
    """65,536 quantiles of the standard normal distribution with 12 fractional bits."""
    middle = (np.arange(1 << 16) + 0.5) / float(1 << 16)
    return np.asarray(np.rint(ndtri(middle) * float(1 << _NORMAL_BITS)), dtype=np.int64)


def noise_table(conditions: CellConditions, *, less: int = 0) -> NDArray[np.int32]:
    """What read noise adds to ``x m`` of sums with 8 fractional bits, at each of the quantiles.

    Args:
        less: taken off all of them.

    Raises:
        ValueError: so much noise that 32 bits do not hold it.
    """
    drawn = normal_quantiles() * (conditions.read_noise * 2.0 ** (15 + FINE - _NORMAL_BITS))
    if np.abs(drawn).max() + less >= 2.0**31:
        raise ValueError("read noise of more than 50 steps")
    return np.asarray(np.rint(drawn) - less, dtype=np.int32)


def _normal(shape: tuple[int, ...], layer: int, chip: int) -> NDArray[np.float64]:
    places = _place_keys(shape, layer, chip, _VARIATION) >> np.uint64(48)
    return normal_quantiles()[places.astype(np.int64)].astype(np.float64)


def _place_keys(shape: tuple[int, ...], layer: int, chip: int, stream: int) -> Keys:
    """A key for each ``[slice, side, output, fan-in index]``."""
    return next_key(_keys(shape[:3], layer, chip, stream)[..., None], np.arange(shape[3], dtype=np.uint64))


def _keys(shape: tuple[int, ...], layer: int, chip: int, stream: int) -> Keys:
    key = np.zeros((), dtype=np.uint64)
    for value in (stream, chip, layer):
        key = next_key(key, np.uint64(value))
    for axis, size in enumerate(shape):
        places = np.arange(size, dtype=np.uint64).reshape([-1 if a == axis else 1 for a in range(len(shape))])
        key = next_key(key, places)
    return np.asarray(np.broadcast_to(key, shape))


def next_key(key: Keys | np.uint64, value: Keys | np.uint64) -> Keys:
    """The key of a place inside that of ``key``: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        return mixed(np.asarray(key + _GOLDEN * (value + np.uint64(1))))


def mixed(x: Keys) -> Keys:
    """The finaliser of SplitMix64."""
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(x ^ (x >> np.uint64(31)))
