"""The volume that a set of points dominates, up to a reference point. Every objective is minimised."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aster_dse.pareto.boxes import BoxDecomposition
from aster_dse.pareto.dominance import as_points, non_dominated_mask

__all__ = ["as_reference", "contributions", "hypervolume", "reference_point"]

Points = NDArray[np.float64]


def reference_point(points: ArrayLike, margin: float = 0.1) -> Points:
    """A reference for ``points`` ``[n, m]``: ``margin`` of each objective's spread beyond its worst value.

    An objective without spread takes ``margin`` of its magnitude. Choose it once and keep it: volumes up to
    different references do not compare.
    """
    array = as_points(points)
    if len(array) == 0 or not np.isfinite(array).all():
        raise ValueError("a reference point needs at least one point, all of them finite")
    worst = array.max(axis=0)
    spread = worst - array.min(axis=0)
    magnitude = np.where(worst != 0.0, np.abs(worst), 1.0)
    return np.asarray(worst + margin * np.where(spread > 0.0, spread, magnitude))


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """Exact hypervolume of ``points`` ``[n, m]`` up to ``reference`` ``[m]``.

    A point that is not better than the reference in every objective dominates nothing. The last objective is
    swept; what a point adds to the volume of those before it comes from a staircase (3 objectives) or from a
    :class:`BoxDecomposition` of one objective less (4 objectives and more).
    """
    corner = as_reference(reference)
    array = _inside(as_points(points, len(corner)), corner)
    return _volume(array[non_dominated_mask(array)], corner)


def contributions(points: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    """The volume that would be lost without each of ``points``, in their order.

    A dominated point's is 0, and so is that of a point with a copy.
    """
    corner = as_reference(reference)
    array = as_points(points, len(corner))
    result = np.zeros(len(array))
    inside: NDArray[np.bool_] = np.all(array < corner, axis=1)
    for index in np.flatnonzero(non_dominated_mask(array) & inside):
        inside[index] = False
        # What the others dominate of this point's own box, those included that only this point dominates.
        clipped = _inside(np.maximum(array[inside], array[index]), corner)
        inside[index] = True
        own = float(np.prod(corner - array[index]))
        result[index] = max(own - _volume(clipped[non_dominated_mask(clipped)], corner), 0.0)
    return result


def as_reference(reference: ArrayLike) -> Points:
    corner = np.asarray(reference, dtype=np.float64)
    if corner.ndim != 1 or corner.size == 0 or not np.isfinite(corner).all():
        raise ValueError(f"a reference point is a row of finite numbers, not {reference!r}")
    return corner


def _inside(array: Points, corner: Points) -> Points:
    inside = array[(array < corner).all(axis=1)]
    if np.isneginf(inside).any():
        raise ValueError("a point at minus infinity dominates an infinite volume")
    return inside


def _volume(front: Points, corner: Points) -> float:
    """Hypervolume of points that are better than ``corner`` and do not dominate each other."""
    if len(front) == 0:
        return 0.0
    front = front[np.lexsort(front.T)]  # by the last objective, then by the one before it, ...
    if len(corner) == 1:
        return float(corner[0] - front[0, 0])
    if len(corner) == 2:
        widths = np.diff(np.append(front[:, 1], corner[1]))
        return float(np.sum((corner[0] - np.minimum.accumulate(front[:, 0])) * widths))
    added = _staircase_gains(front, corner) if len(corner) == 3 else _box_gains(front, corner)
    heights = np.diff(np.append(front[:, -1], corner[-1]))
    return float(np.sum(np.cumsum(added) * heights))


def _staircase_gains(front: Points, corner: Points) -> NDArray[np.float64]:
    """Area that each point adds, in the first two objectives, to those before it."""
    right, top = float(corner[0]), float(corner[1])
    # Steps from left to right and downwards, between a wall on the left and one below.
    lefts, heights = [-np.inf, right], [top, -np.inf]
    added = np.zeros(len(front))
    for index, (x, y) in enumerate(front[:, :2].tolist()):
        first = bisect_left(lefts, x)
        if heights[first - 1] <= y or (lefts[first] == x and heights[first] <= y):
            continue
        last, area, left, ceiling = first, 0.0, x, heights[first - 1]
        while heights[last] >= y:
            area += (lefts[last] - left) * (ceiling - y)
            left, ceiling = lefts[last], heights[last]
            last += 1
        added[index] = area + (lefts[last] - left) * (ceiling - y)
        lefts[first:last], heights[first:last] = [x], [y]
    return added


def _box_gains(front: Points, corner: Points) -> NDArray[np.float64]:
    """Volume that each point adds, in all objectives but the last, to those before it."""
    boxes = BoxDecomposition(corner[:-1])
    return np.array([boxes.insert(point) for point in front[:, :-1]])
