"""On-chip memories of any capacity, from the tabulated ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aster_dse.hardware.designs import DesignTable
from aster_dse.hardware.technology import SRAM_KIB, SRAM_STEPS

__all__ = ["sram_area_um2", "sram_leakage_mw", "sram_most_um2_per_kib", "sram_read_pj", "sram_write_pj"]

Array = NDArray[np.float64]

_LOGS = np.log(SRAM_KIB)
_FIRST_OCTAVE = int(np.log2(SRAM_KIB[0]))


def sram_read_pj(designs: DesignTable, capacity_kib: Array) -> Array:
    """``[K, L]`` energy per bit read; under 8 bytes as for 8, over 4 MiB as for a bank of 4 MiB."""
    return _table(designs, "sram_read_pj", capacity_kib)


def sram_write_pj(designs: DesignTable, capacity_kib: Array) -> Array:
    """``[K, L]`` energy per bit written; outside the table as for a read."""
    return _table(designs, "sram_write_pj", capacity_kib)


def sram_area_um2(designs: DesignTable, capacity_kib: Array) -> Array:
    """``[K, L]`` area; proportional to the capacity under 8 bytes and over 4 MiB."""
    return np.asarray(_table(designs, "sram_um2", capacity_kib) * _outside(capacity_kib))


def sram_leakage_mw(designs: DesignTable, capacity_kib: Array) -> Array:
    """``[K, L]`` static power; proportional to the capacity under 8 bytes and over 4 MiB."""
    return np.asarray(_table(designs, "sram_mw", capacity_kib) * _outside(capacity_kib))


def sram_most_um2_per_kib(designs: DesignTable) -> Array:
    """``[K, 1]`` area that a KiB takes in the memory, of whatever size, that needs most for it."""
    most = np.array([(t.sram_um2 / SRAM_KIB).max() for t in designs.technologies])
    return np.asarray(most[designs.technology, None])


def _outside(capacity_kib: Array) -> Array:
    low, high = SRAM_KIB[0], SRAM_KIB[-1]
    inside = np.minimum(capacity_kib / low, 1.0)
    return np.asarray(np.where(capacity_kib > high, capacity_kib / high, inside))


def _table(designs: DesignTable, name: str, capacity_kib: Array) -> Array:
    """Between two capacities the logarithm of a figure is linear in that of the capacity."""
    inside = np.clip(capacity_kib, SRAM_KIB[0], SRAM_KIB[-1])
    mantissa, exponent = np.frexp(inside)  # a mantissa from 0.5 to 1
    step = ((2.0 * mantissa - 1.0) * SRAM_STEPS).astype(np.int64)
    below = np.minimum((exponent - 1 - _FIRST_OCTAVE) * SRAM_STEPS + step, len(SRAM_KIB) - 2)
    share = (np.log(inside) - _LOGS[below]) / (_LOGS[below + 1] - _LOGS[below])
    which = designs.technology[:, None]
    logs = np.log([getattr(t, name) for t in designs.technologies])
    low = logs[which, below]
    return np.asarray(np.exp(low + share * (logs[which, below + 1] - low)))
