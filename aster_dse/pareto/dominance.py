"""Who dominates whom. Every objective is minimised.

A point dominates another if it is nowhere worse and somewhere better. Equal points do not dominate each
other, so all copies of a non-dominated point are non-dominated.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["as_points", "non_dominated_mask", "non_dominated_rank"]

_BLOCK = 256


def as_points(points: ArrayLike, objectives: int | None = None) -> NDArray[np.float64]:
    """``points`` as an array ``[n, m]``.

    Raises:
        ValueError: it has another shape, no objectives, or a NaN.
    """
    array = np.asarray(points, dtype=np.float64)
    if array.ndim == 1 and array.size == 0:
        array = array.reshape(0, objectives or 1)
    if array.ndim != 2 or array.shape[1] < 1 or (objectives is not None and array.shape[1] != objectives):
        expected = f"[n, {objectives}]" if objectives else "[n, m]"
        raise ValueError(f"points have the shape {array.shape}, not {expected}")
    if np.isnan(array).any():
        raise ValueError("a NaN among the points has no place in an order")
    return array


def non_dominated_mask(points: ArrayLike) -> NDArray[np.bool_]:
    """Which of ``points`` ``[n, m]`` no other point dominates."""
    array = as_points(points)
    if len(array) == 0:
        return np.zeros(0, dtype=bool)
    codes, copies = _ordered_codes(array)
    return _distinct_mask(codes)[copies]


def non_dominated_rank(points: ArrayLike) -> NDArray[np.intp]:
    """The front of each of ``points`` ``[n, m]``: 0 if non-dominated, 1 if so once front 0 is gone, ..."""
    array = as_points(points)
    codes, copies = _ordered_codes(array)
    ranks = np.zeros(codes.shape[1], dtype=np.intp)
    for index in range(1, codes.shape[1]):
        # A rank is the length of the longest chain of dominators, all of which come earlier.
        above = np.ones(index, dtype=bool)
        for code in codes[1:]:
            above &= code[:index] <= code[index]
        ranks[index] = np.max(ranks[:index], where=above, initial=-1) + 1
    return ranks[copies]


def _ordered_codes(array: NDArray[np.float64]) -> tuple[NDArray[np.integer], NDArray[np.intp]]:
    """Distinct points in lexicographic order, every value replaced by its rank in its objective.

    Of distinct points in this order only an earlier one can dominate, and it does where it is nowhere greater
    in the objectives after the first. Small integers compare several to an instruction.

    Returns:
        Codes ``[m, distinct]``, and the column that each point of ``array`` has there.
    """
    count, objectives = array.shape
    order = np.lexsort(array.T[::-1])
    sorted_points = array[order]
    fresh = np.ones(count, dtype=bool)
    fresh[1:] = (sorted_points[1:] != sorted_points[:-1]).any(axis=1)
    copies = np.empty(count, dtype=np.intp)
    copies[order] = np.cumsum(fresh) - 1
    distinct = sorted_points[fresh]
    kind = np.int16 if len(distinct) < 2**15 else np.int32
    codes = np.empty((objectives, len(distinct)), dtype=kind)
    for objective in range(objectives):
        codes[objective] = np.unique(distinct[:, objective], return_inverse=True)[1]
    return codes, copies


def _distinct_mask(codes: NDArray[np.integer]) -> NDArray[np.bool_]:
    objectives, count = codes.shape
    mask = np.zeros(count, dtype=bool)
    if objectives == 1:
        mask[0] = True
        return mask
    if objectives == 2:
        mask[0] = True
        mask[1:] = codes[1, 1:] < np.minimum.accumulate(codes[1])[:-1]
        return mask
    front = np.empty_like(codes[1:])
    size = 0
    for start in range(0, count, _BLOCK):
        block = codes[1:, start : start + _BLOCK]
        alive = np.flatnonzero(~_dominated(front[:, :size], block))
        block = block[:, alive]
        # Inside the block, too, only an earlier point can dominate, and a point never dominates itself.
        inside = _pairs(block, block)
        keep = ~np.triu(inside, k=1).any(axis=0)
        kept = block[:, keep]
        mask[start + alive[keep]] = True
        front[:, size : size + kept.shape[1]] = kept
        size += kept.shape[1]
    return mask


def _pairs(first: NDArray[np.integer], second: NDArray[np.integer]) -> NDArray[np.bool_]:
    """``[i, j]``: point i of ``first`` is nowhere greater than point j of ``second``."""
    nowhere_greater: NDArray[np.bool_] = first[0][:, None] <= second[0]
    for left, right in zip(first[1:], second[1:], strict=True):
        nowhere_greater &= left[:, None] <= right
    return nowhere_greater


def _dominated(front: NDArray[np.integer], block: NDArray[np.integer]) -> NDArray[np.bool_]:
    dominated = np.zeros(block.shape[1], dtype=bool)
    for start in range(0, front.shape[1], 4 * _BLOCK):
        rest = np.flatnonzero(~dominated)
        if rest.size == 0:
            break
        dominated[rest] = _pairs(front[:, start : start + 4 * _BLOCK], block[:, rest]).any(axis=0)
    return dominated
