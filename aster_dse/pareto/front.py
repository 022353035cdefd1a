"""A front that grows point by point."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aster_dse.pareto.boxes import BoxDecomposition
from aster_dse.pareto.dominance import as_points
from aster_dse.pareto.hypervolume import as_reference

__all__ = ["Front"]

Points = NDArray[np.float64]


class Front:
    """All points inserted so far: which are non-dominated, their hypervolume, and what a new one would add.

    Every objective is minimised. A point beyond the reference takes part in dominance and has no volume.

    >>> front = Front([4.0, 4.0])
    >>> front.insert([2.0, 2.0]), front.insert([1.0, 3.0]), front.insert([3.0, 3.0])
    (4.0, 1.0, 0.0)
    >>> front.mask.tolist(), front.hypervolume
    ([True, True, False], 5.0)
    """

    def __init__(self, reference: ArrayLike) -> None:
        self.reference: Points = as_reference(reference)
        self.hypervolume = 0.0
        self._boxes = BoxDecomposition(self.reference)
        self._points = np.empty((16, len(self.reference)))
        self._alive = np.empty(16, dtype=bool)
        self._count = 0

    def __len__(self) -> int:
        """Number of points inserted, dominated ones included."""
        return self._count

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Which of the inserted points are non-dominated, in the order of insertion."""
        return self._alive[: self._count].copy()

    @property
    def points(self) -> Points:
        """The non-dominated points, in the order of insertion."""
        return self._points[: self._count][self._alive[: self._count]]

    def insert(self, point: ArrayLike) -> float:
        """Add a point; returns by how much the hypervolume grows."""
        row = self._finite(np.asarray(point, dtype=np.float64)[None])[0]
        if self._count == len(self._points):
            self._points = np.concatenate([self._points, np.empty_like(self._points)])
            self._alive = np.concatenate([self._alive, np.empty_like(self._alive)])
        points, alive = self._points[: self._count], self._alive[: self._count]
        differs = (points != row).any(axis=1)
        alive &= ~((row <= points).all(axis=1) & differs)
        self._points[self._count] = row
        self._alive[self._count] = not bool(((points <= row).all(axis=1) & differs).any())
        self._count += 1
        gain = self._boxes.insert(row)
        self.hypervolume += gain
        return gain

    def gains(self, points: ArrayLike) -> NDArray[np.float64]:
        """By how much each of ``points`` ``[n, m]`` alone would grow the hypervolume; nothing is inserted."""
        return self._boxes.gains(self._finite(points))

    def gain_together(self, points: ArrayLike) -> float:
        """By how much all of ``points`` ``[n, m]`` would grow the hypervolume; nothing is inserted."""
        boxes = self._boxes.copy()
        return sum(boxes.insert(point) for point in self._finite(points))

    def _finite(self, points: ArrayLike) -> Points:
        array = as_points(points, len(self.reference))
        if not np.isfinite(array).all():
            raise ValueError("a front holds finite points only")
        return array
