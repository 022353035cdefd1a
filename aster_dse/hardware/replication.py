"""How often each layer's weights are placed, so that what takes longest is done by several at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["replicate"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_HALVINGS = 60


def replicate(work: Array, cost: Array, budget: Array, limit: Array, *, balanced: NDArray[np.bool_]) -> Ints:
    """``[K, L]`` copies, at least one each, whose cost stays within the budget.

    Where layers run one after the other, the sum of ``work / copies`` is least when copies go with
    ``sqrt(work / cost)``; where they run at once, the longest ``work / copies`` counts. Either way one number
    per design says how many copies each layer gets: it is found by bisection.

    Args:
        work: ``[K, L]`` time of one copy that does everything.
        cost: ``[K, L]`` area of one copy.
        budget: ``[K]`` area of all copies beyond the first of each layer.
        limit: ``[L]`` copies beyond which there is nothing to share.
        balanced: ``[K]`` whether layers run at once.
    """
    worth = np.where(balanced[:, None], work, np.sqrt(work / cost))
    low, high = np.zeros(len(budget)), np.full(len(budget), np.inf)
    scale = 1.0 / np.maximum(worth.max(axis=1), 1e-300)
    # Copies grow with the factor; begin with one of the layer that is worth most, and double while they fit.
    factor = scale.copy()
    for _ in range(_HALVINGS):
        fits = (cost * (_copies(worth, factor, limit) - 1)).sum(axis=1) <= budget
        low = np.where(fits, factor, low)
        high = np.where(fits, high, factor)
        factor = np.where(np.isinf(high), 2.0 * factor, 0.5 * (low + np.where(np.isinf(high), low, high)))
    return _copies(worth, low, limit).astype(np.int64)


def _copies(worth: Array, factor: Array, limit: Array) -> Array:
    return np.clip(np.floor(worth * factor[:, None] * (1 + 1e-12)), 1.0, limit)
