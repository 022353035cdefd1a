"""Which of the networks that were begun are worth training on: successive halving on fronts, asynchronous.

A training is looked at after some shares of its epochs, the rungs. Of the networks that reached a rung, one
in so many is trained on: at any moment the best of those that are there by then. One that was left behind
goes on later if it comes to be one of the best, from where it stopped.

Networks are ordered by the best non-dominated rank of a point of their fronts, and those of equal rank by the
hypervolume that their front gains over the fronts of those before them, greedily. So that
this takes a fraction of a second with any number of networks, those that reached a rung last are compared,
256 of them, and of a large front the 12 points that have most hypervolume together stand for all.

Source: Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020 (ASHA), for one
objective; the order for several is ours.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aster_dse.pareto import Front, greedy_gain_subset, non_dominated_mask

__all__ = ["Halving", "best_fronts"]

Points = NDArray[np.float64]

_COMPARED = 256
_POINTS = 12


class Halving:
    """The rungs of one study, and what was seen there.

    Args:
        factor: of so many networks at a rung one goes on, and the next rung has so many times the epochs.
        first: share of a training's epochs at the first rung, within (0, 1).
        reference: ``[m]`` point of the hypervolume, less is better.
    """

    def __init__(self, factor: float, first: float, reference: ArrayLike) -> None:
        self._factor = factor
        self._shares = tuple(_shares(factor, first))
        self._reference = np.asarray(reference, dtype=np.float64)
        self._seen: list[dict[int, Points]] = [{} for _ in self._shares]
        self._own: dict[tuple[int, int], float] = {}
        self._passed: list[set[int]] = [set() for _ in self._shares]
        self._best: list[list[int] | None] = [None for _ in self._shares]

    def rungs(self, epochs: int) -> dict[int, int]:
        """Of a training of so many epochs: rung to the epoch after which it is reached."""
        found: dict[int, int] = {}
        for rung, share in enumerate(self._shares):
            epoch = math.ceil(share * epochs)
            if epoch < epochs and epoch not in found.values():
                found[rung] = epoch
        return found

    def reach(self, network: int, rung: int, front: ArrayLike) -> None:
        """A network pauses at a rung with this front ``[n, m]``, less is better."""
        points = np.asarray(front, dtype=np.float64).reshape(-1, len(self._reference))
        seen = self._seen[rung]
        seen[network] = points = _thinned(points, self._reference)
        self._own[network, rung] = Front(self._reference).gain_together(points)
        if len(seen) > _COMPARED:
            oldest = next(iter(seen))
            del seen[oldest], self._own[oldest, rung]
        self._best[rung] = None

    def go_on(self, network: int, rung: int) -> None:
        """A network is trained beyond a rung."""
        self._passed[rung].add(network)

    def next(self) -> tuple[int, int] | None:
        """Network that deserves to be trained on, and the rung where it stands; the farthest rung first."""
        for rung in reversed(range(len(self._shares))):
            best = self._best[rung]
            if best is None:
                count = int(len(self._seen[rung]) / self._factor)
                own = {network: self._own[network, rung] for network in self._seen[rung]}
                best = self._best[rung] = best_fronts(self._seen[rung], self._reference, count, own)
            for network in best:
                if network not in self._passed[rung]:
                    return network, rung
        return None


def _shares(factor: float, first: float) -> Iterator[float]:
    """The first rung, then those after which there is as much left to save as between two of them."""
    share = first
    yield share
    while (share := share * factor) * factor <= 1.0:
        yield share


def best_fronts(
    fronts: Mapping[int, Points],
    reference: Points,
    count: int,
    own: Mapping[int, float] | None = None,
) -> list[int]:
    """Numbers of the ``count`` best fronts, the best first; see the head of this module. Of equals the least
    number is first.

    Args:
        own: hypervolume of each front, where it is known.
    """
    if own is None:
        own = {number: Front(reference).gain_together(points) for number, points in fronts.items()}
    numbers = np.array(sorted(fronts))
    points = np.concatenate([np.empty((0, len(reference))), *(fronts[number] for number in numbers)])
    owners = np.repeat(numbers, [len(fronts[number]) for number in numbers])
    left = np.ones(len(numbers), dtype=bool)
    chosen: list[int] = []
    while len(chosen) < count and left.any():
        # The next rank: what nothing dominates that is left. Without points the order is that of the numbers.
        first = non_dominated_mask(points)
        level = np.isin(numbers, owners[first]) & left if first.any() else left.copy()
        equals = {number: fronts[number] for number in numbers[level].tolist()}
        chosen += _greedy(equals, Front(reference), count - len(chosen), own)
        left &= ~level
        points, owners = points[~first], owners[~first]
    return chosen


def _thinned(points: Points, reference: Points) -> Points:
    if len(points) <= _POINTS:
        return points
    best, _ = greedy_gain_subset(points, np.empty((0, len(reference))), reference, _POINTS)
    # Those beyond the reference have no volume, but may have a rank.
    return points[np.sort(best)] if len(best) else points[:_POINTS]


def _greedy(fronts: Mapping[int, Points], before: Front, count: int, own: Mapping[int, float]) -> list[int]:
    """Up to ``count`` numbers by gain over ``before``, which takes their fronts in one after the other."""
    # A gain only shrinks as others are taken, so one computed earlier is a bound.
    heap = [(-own[number], number) for number in fronts]
    heapq.heapify(heap)
    chosen: list[int] = []
    computed_at = dict.fromkeys(fronts, 0)
    while heap and len(chosen) < count:
        _, number = heap[0]
        if computed_at[number] == len(chosen):
            heapq.heappop(heap)
            chosen.append(number)
            for point in fronts[number]:
                before.insert(point)
        else:
            computed_at[number] = len(chosen)
            heapq.heapreplace(heap, (-before.gain_together(fronts[number]), number))
    return chosen
