"""Which class of arrays a network is run on next: the one that promises to cover most that is not covered
yet.

What points dominate is measured by points spread evenly in a box between the best and the worst of the
foreseen front: fast, and good enough to choose by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc  # type: ignore[import-untyped]

from aster_dse.evaluation.foreseen_loss import ForeseenLosses
from aster_dse.numerics.arrays import NetworkArrays
from aster_dse.pareto import non_dominated_mask

__all__ = ["ClassChoice", "ForeseenClass"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_SPREAD = 2_048
"""Points in the box: one is 0.05 % of it."""


@dataclass(eq=False)
class ForeseenClass:
    """What accelerators that compute alike would come to without any loss of accuracy."""

    arrays: NetworkArrays
    policies: NDArray[np.intp]
    """``[n]`` of its pairs of a policy and a design."""
    accuracy: Array
    """``[n]``"""
    costs: Array
    """``[n, m - 1]`` the other objectives, less is better."""
    reach: Mask = field(default_factory=lambda: np.zeros((0, 0), dtype=bool))
    """``[n, spread]`` which points of the box each pair beats in these."""

    @classmethod
    def of_points(
        cls, arrays: NetworkArrays, policies: NDArray[np.intp], points: Array, place: int
    ) -> ForeseenClass:
        """Of feasible pairs ``[n, m]``, accuracy with its sign turned in column ``place``."""
        kept = non_dominated_mask(points)
        costs = np.delete(points[kept], place, axis=1)
        return cls(arrays, policies[kept], -points[kept, place], costs)

    def expected(self, losses: ForeseenLosses) -> Array:
        """``[n]`` accuracies at the foreseen losses."""
        return np.asarray(self.accuracy - losses.of(self.arrays)[self.policies])

    @property
    def calibration(self) -> NetworkArrays:
        """What its ranges are calibrated on; many classes share it."""
        return self.arrays.exact()


class ClassChoice:
    """A choice among classes.

    Args:
        least_accuracy: the bound that the study sets; 0 for none.
        seed: of the points in the box.
    """

    def __init__(
        self, classes: Sequence[ForeseenClass], losses: ForeseenLosses, least_accuracy: float, seed: int
    ) -> None:
        self._losses, self._least = losses, least_accuracy
        accuracy = np.concatenate([one.expected(losses) + max(losses.luck(one.arrays)) for one in classes])
        costs = np.concatenate([one.costs for one in classes])
        kept = accuracy >= least_accuracy if (accuracy >= least_accuracy).any() else np.ones(len(costs), bool)
        points = np.concatenate([-accuracy[kept, None], costs[kept]], axis=1)
        front = points[non_dominated_mask(points)]
        low, high = front.min(axis=0), front.max(axis=0)
        # Better than the bound on accuracy counts from the bound on.
        high[0] = -least_accuracy if least_accuracy else high[0]
        spread = qmc.Sobol(len(low), scramble=True, rng=seed).random(_SPREAD)
        box = low + spread * (high - low)
        self._accuracy, self._costs = -box[:, 0], box[:, 1:]
        self._covered = np.zeros(_SPREAD, dtype=bool)
        self._calibrated: set[NetworkArrays] = set()
        for one in classes:
            one.reach = np.ones((len(one.costs), _SPREAD), dtype=bool)
            for own, limits in zip(one.costs.T, self._costs.T, strict=True):
                one.reach &= own[:, None] <= limits

    def best(self, classes: Sequence[ForeseenClass]) -> tuple[int, float]:
        """The class to run next, and its share of what is covered already."""
        gains = np.array([self._gain(one) for one in classes])
        work = np.array([2.0 + (one.calibration not in self._calibrated) for one in classes])
        index = int(np.argmax(gains / work))
        return index, float(gains[index]) / max(int(self._covered.sum()), 1)

    def most_promising(self, classes: Sequence[ForeseenClass], count: int) -> list[int]:
        """Those worth a probe, the most promising first."""
        gains = np.array([self._gain(one) for one in classes])
        return [int(index) for index in np.argsort(-gains, kind="stable")[:count] if gains[index] > 0.0]

    def ran(self, one: ForeseenClass, accuracy: Array, costs: Array) -> None:
        """A class was run and has these feasible configurations, ``[n]`` and ``[n, m - 1]``."""
        self._calibrated.add(one.calibration)
        for own, cost in zip(accuracy, costs, strict=True):
            self._covered |= (self._accuracy <= own) & (cost <= self._costs).all(axis=1)

    def _gain(self, one: ForeseenClass) -> float:
        """Points that it is expected to cover anew, whether it proves lucky or not."""
        expected = one.expected(self._losses)
        reached = np.where(one.reach, expected[:, None], -np.inf).max(axis=0)
        open_ = np.flatnonzero(~self._covered)
        found = [
            (reached[open_] + luck >= np.maximum(self._accuracy[open_], self._least)).sum()
            for luck in self._losses.luck(one.arrays)
        ]
        return float(np.mean(found))
