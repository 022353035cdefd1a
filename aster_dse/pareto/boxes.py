"""The region that no point dominates, as disjoint boxes that are updated point by point.

Every corner of the region (local upper bound) is given by one point per objective, and these points cut off a
box below it that overlaps no other corner's box. n points in m objectives make O(n^(m // 2)) boxes.

Source: Lacour, Klamroth and Fonseca, "A box decomposition algorithm to compute the hypervolume indicator",
Computers & Operations Research 79 (2017).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["BoxDecomposition"]

Points = NDArray[np.float64]

_CHUNK = 1_000_000


class BoxDecomposition:
    """Boxes of the region below ``reference`` that the inserted points leave undominated.

    Of two equal coordinates the later one counts as greater, by less than anything: this moves no volume, and
    no two points ever share a coordinate, which the decomposition needs.
    """

    def __init__(self, reference: Points) -> None:
        self._objectives = len(reference)
        self._count = 1
        self._upper = np.array(reference, dtype=np.float64)[:, None]
        """``[m, box]``: the corner, also the box's greatest coordinates."""
        self._defining = np.full((self._objectives, self._objectives, 1), -np.inf)
        """``[k, j, box]``: coordinate j of the point that gives the corner its coordinate k."""
        for objective in range(self._objectives):
            self._defining[objective, objective, 0] = reference[objective]
        self._lower = np.full((self._objectives, 1), -np.inf)
        """``[m, box]``: the box's least coordinates."""

    def copy(self) -> BoxDecomposition:
        """The same boxes, which change apart from now on."""
        other = object.__new__(BoxDecomposition)
        other._objectives, other._count = self._objectives, self._count
        other._upper = self._upper[:, : self._count].copy()
        other._defining = self._defining[:, :, : self._count].copy()
        other._lower = self._lower[:, : self._count].copy()
        return other

    def gain(self, point: Points) -> float:
        """Volume that ``point`` would newly dominate."""
        return self._gain(point, self._containing(point))

    def gains(self, points: Points) -> NDArray[np.float64]:
        """:meth:`gain` of every row of ``points``, each for itself."""
        result = np.zeros(len(points))
        upper, lower = self._upper[:, : self._count], self._lower[:, : self._count]
        chunk = max(_CHUNK // self._count, 1)
        for start in range(0, len(points), chunk):
            part = points[start : start + chunk].T[:, :, None]
            volume = np.maximum(upper[0] - np.maximum(lower[0], part[0]), 0.0)
            for objective in range(1, self._objectives):
                side = upper[objective] - np.maximum(lower[objective], part[objective])
                volume *= np.maximum(side, 0.0, out=side)
            result[start : start + chunk] = volume.sum(axis=1)
        return result

    def insert(self, point: Points) -> float:
        """Take ``point`` in; returns its gain."""
        split = self._containing(point)
        if split.size == 0:
            return 0.0
        gain = self._gain(point, split)
        upper, defining = self._upper[:, split], self._defining[:, :, split]
        uppers, definings = [], []
        for objective, coordinate in enumerate(point):
            others = np.delete(defining[:, objective], objective, axis=0).max(axis=0, initial=-np.inf)
            chosen = coordinate >= others
            corner, points = upper[:, chosen], defining[:, :, chosen]
            corner[objective] = coordinate
            points[objective] = point[:, None]
            uppers.append(corner)
            definings.append(points)
        self._replace(split, np.concatenate(uppers, axis=1), np.concatenate(definings, axis=2))
        return gain

    def _containing(self, point: Points) -> NDArray[np.intp]:
        inside = self._upper[0, : self._count] > point[0]
        for objective in range(1, self._objectives):
            inside &= self._upper[objective, : self._count] > point[objective]
        return np.flatnonzero(inside)

    def _gain(self, point: Points, boxes: NDArray[np.intp]) -> float:
        sides = self._upper[:, boxes] - np.maximum(self._lower[:, boxes], point[:, None])
        return float(np.maximum(sides, 0.0).prod(axis=0).sum())

    def _replace(self, old: NDArray[np.intp], upper: Points, defining: Points) -> None:
        fresh = upper.shape[1]
        lower = np.full_like(upper, -np.inf)
        for objective in range(1, self._objectives):
            lower[objective] = defining[:objective, objective].max(axis=0)
        total = self._count + fresh - len(old)
        if total > self._upper.shape[1]:
            grow = (0, max(total, 2 * self._upper.shape[1]) - self._upper.shape[1])
            self._upper = np.pad(self._upper, ((0, 0), grow))
            self._lower = np.pad(self._lower, ((0, 0), grow))
            self._defining = np.pad(self._defining, ((0, 0), (0, 0), grow))
        if fresh >= len(old):
            slots = np.concatenate([old, np.arange(self._count, total)])
        else:
            # The last boxes move into the holes that are left.
            slots = old[:fresh]
            holes = old[fresh:]
            holes = holes[holes < total]
            tail = np.setdiff1d(np.arange(total, self._count), old)
            for array in (self._upper, self._lower, self._defining):
                array[..., holes] = array[..., tail]
        self._upper[:, slots], self._lower[:, slots], self._defining[:, :, slots] = upper, lower, defining
        self._count = total
