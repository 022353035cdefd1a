"""Chooses points: those that gain most hypervolume together, and the one where the trade-off bends."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aster_dse.pareto.dominance import as_points, non_dominated_mask
from aster_dse.pareto.front import Front
from aster_dse.pareto.hypervolume import as_reference

__all__ = ["feasible_front", "greedy_gain_subset", "knee_point"]


def feasible_front(points: ArrayLike, violation: ArrayLike, nearest: int) -> NDArray[np.intp]:
    """Indices of the feasible points that no other one beats, equal ones once, in their order.

    Args:
        points: ``[n, m]``, minimised.
        violation: ``[n]``, 0 where a point is feasible.
        nearest: where none is, so many that violate least are given, the nearest first.
    """
    rows, excess = np.asarray(points, dtype=np.float64), np.asarray(violation, dtype=np.float64)
    feasible = np.flatnonzero(excess <= 0.0)
    if not len(feasible):
        return np.argsort(excess, kind="stable")[:nearest]
    _, first = np.unique(rows[feasible], axis=0, return_index=True)
    distinct = feasible[np.sort(first)]
    return np.asarray(distinct[non_dominated_mask(rows[distinct])])


def greedy_gain_subset(
    points: ArrayLike, front: ArrayLike, reference: ArrayLike, count: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Up to ``count`` of ``points`` that gain most hypervolume over ``front``, the best first.

    Each is the point of greatest gain over the front and those chosen before it, of equal ones the first;
    points that gain nothing are not chosen. Gains only shrink as points are chosen, so an old gain is an
    upper bound and few are computed anew. Greedy choice reaches at least 1 - 1/e of the best subset's gain
    (Nemhauser, Wolsey and Fisher, Mathematical Programming 14, 1978).

    Args:
        points: candidates ``[n, m]``, minimised.
        front: points ``[k, m]`` already there; may be empty.

    Returns:
        Indices into ``points``, and the gain of each when it was chosen.
    """
    corner = as_reference(reference)
    candidates = as_points(points, len(corner))
    present = Front(corner)
    existing = as_points(front, len(corner))
    for point in existing[non_dominated_mask(existing)]:
        present.insert(point)
    # A dominated candidate never gains more than the one that dominates it.
    eligible = np.flatnonzero(non_dominated_mask(candidates) & (candidates < corner).all(axis=1))
    bounds = present.gains(candidates[eligible])
    heap = [
        (-gain, index) for gain, index in zip(bounds.tolist(), eligible.tolist(), strict=True) if gain > 0.0
    ]
    heapq.heapify(heap)
    chosen: list[int] = []
    gains: list[float] = []
    while heap and len(chosen) < count:
        _, index = heap[0]
        gain = float(present.gains(candidates[index : index + 1])[0])
        if gain <= 0.0:
            heapq.heappop(heap)
            continue
        heapq.heapreplace(heap, (-gain, index))
        if heap[0][1] == index:
            heapq.heappop(heap)
            present.insert(candidates[index])
            chosen.append(index)
            gains.append(gain)
    return np.array(chosen, dtype=np.intp), np.array(gains)


def knee_point(points: ArrayLike) -> int:
    """Index of the non-dominated point nearest to the ideal one.

    Distances are Euclidean, with every objective scaled to [0, 1] over the non-dominated points of ``points``
    ``[n, m]``; an objective that does not vary among them does not count. Of equally near ones the first.

    Raises:
        ValueError: no points, or an infinite one on the front.
    """
    array = as_points(points)
    front = np.flatnonzero(non_dominated_mask(array))
    if front.size == 0 or not np.isfinite(array[front]).all():
        raise ValueError("a knee point needs at least one point, all non-dominated ones finite")
    low = array[front].min(axis=0)
    spread = array[front].max(axis=0) - low
    scaled = (array[front] - low) / np.where(spread > 0.0, spread, 1.0)
    return int(front[np.argmin(np.square(scaled).sum(axis=1))])
