"""How much of the space under a corner points dominate, by points spread evenly in it: fast, and good
enough to choose by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc  # type: ignore[import-untyped]

__all__ = ["Coverage"]

Array = NDArray[np.float64]
_POINTS = 4_096


class Coverage:
    """A box between the best and the worst of what is looked at.

    Args:
        points: ``[n, m]``, less is better; they set the box.
        seed: of the points in it.
    """

    def __init__(self, points: Array, seed: int) -> None:
        low, high = points.min(axis=0), points.max(axis=0)
        spread = low + qmc.Sobol(points.shape[1], scramble=True, rng=seed).random(_POINTS) * (high - low)
        order = np.argsort(spread, axis=0)
        self._sorted = np.take_along_axis(spread, order, axis=0)
        # Of each axis, which points lie at or above the i-th smallest coordinate: a bit for each point.
        places = np.arange(_POINTS + 1)[:, None]
        self._above = [
            np.packbits(rank >= places, axis=1).view(np.uint64) for rank in np.argsort(order, axis=0).T
        ]

    @property
    def nothing(self) -> NDArray[np.bool_]:
        """What no points dominate."""
        return np.zeros(_POINTS, dtype=bool)

    def of(self, points: Array) -> NDArray[np.bool_]:
        """Which of the points in the box some of ``points`` ``[n, m]`` dominate."""
        if not len(points):
            return self.nothing
        dominated = np.bitwise_and.reduce(
            [
                above[np.searchsorted(coordinates, values)]
                for above, coordinates, values in zip(self._above, self._sorted.T, points.T, strict=True)
            ]
        )
        return np.unpackbits(np.bitwise_or.reduce(dominated, axis=0).view(np.uint8)).astype(bool)
