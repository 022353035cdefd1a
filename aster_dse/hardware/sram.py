"""On-chip memories of any capacity, from the tabulated ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aster_dse.hardware.designs import DesignTable
from aster_dse.hardware.technology import SRAM_LOG2_KIB

__all__ = ["sram_area_um2", "sram_bit_pj", "sram_leakage_mw"]

Array = NDArray[np.float64]


def sram_bit_pj(designs: DesignTable, capacity_kib: Array) -> Array:
    """``[K, L]`` energy per bit; under 1 KiB as for 1 KiB, over 1 MiB as for a bank of 1 MiB."""
    return _table(designs, "sram_bit_pj", capacity_kib)


def sram_area_um2(designs: DesignTable, capacity_kib: Array) -> Array:
    """``[K, L]`` area; proportional to the capacity under 1 KiB and over 1 MiB."""
    return np.asarray(_table(designs, "sram_um2", capacity_kib) * _outside(capacity_kib))


def sram_leakage_mw(designs: DesignTable, capacity_kib: Array) -> Array:
    """``[K, L]`` static power; proportional to the capacity under 1 KiB and over 1 MiB."""
    return np.asarray(_table(designs, "sram_mw", capacity_kib) * _outside(capacity_kib))


def _outside(capacity_kib: Array) -> Array:
    low, high = 2.0 ** SRAM_LOG2_KIB[0], 2.0 ** SRAM_LOG2_KIB[-1]
    inside = np.minimum(capacity_kib / low, 1.0)
    return np.asarray(np.where(capacity_kib > high, capacity_kib / high, inside))


def _table(designs: DesignTable, name: str, capacity_kib: Array) -> Array:
    """Between two capacities the logarithm of a figure is linear in that of the capacity."""
    step = SRAM_LOG2_KIB[1] - SRAM_LOG2_KIB[0]
    place = np.log2(np.maximum(capacity_kib, 2.0 ** SRAM_LOG2_KIB[0])) / step
    below = np.clip(place.astype(np.int64), 0, len(SRAM_LOG2_KIB) - 2)
    share = np.minimum(place - below, 1.0)
    logs = np.log([getattr(t, name) for t in designs.technologies])
    which = designs.technology[:, None]
    low = logs[which, below]
    return np.asarray(np.exp(low + share * (logs[which, below + 1] - low)))
