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
        self._low, self._high = points.min(axis=0), points.max(axis=0)
        spread = qmc.Sobol(points.shape[1], scramble=True, rng=seed).random(_POINTS)
        self._spread = self._low + spread * (self._high - self._low)

    @property
    def nothing(self) -> NDArray[np.bool_]:
        """What no points dominate."""
        return np.zeros(len(self._spread), dtype=bool)

    def of(self, points: Array) -> NDArray[np.bool_]:
        """Which of the points in the box some of ``points`` ``[n, m]`` dominate."""
        found = self.nothing
        for point in points:
            found |= (point <= self._spread).all(axis=1)
        return found
