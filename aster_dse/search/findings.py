"""What a search has found: the front, its hypervolume, the best values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aster_dse.evaluation import Evaluation
from aster_dse.pareto import Front, greedy_gain_subset

__all__ = ["Findings", "FrontPoint"]


@dataclass(frozen=True)
class FrontPoint:
    """A feasible evaluation that no other one dominates."""

    trial: int
    index: int
    assignment: dict[str, Any]
    """Its inner knobs."""
    metrics: dict[str, float]


class Findings:
    """All evaluations so far, as far as anything can be learnt from them.

    Args:
        objectives: metric to ``max`` or ``min``.
        reference: point of the hypervolume, by objective.
    """

    def __init__(self, objectives: Mapping[str, str], reference: Mapping[str, float]) -> None:
        self.reference = {name: float(reference[name]) for name in objectives}
        self.best: dict[str, float] = {}
        """Best feasible value of each objective; empty while nothing is feasible."""
        self._objectives = dict(objectives)
        self._signs = np.array([-1.0 if goal == "max" else 1.0 for goal in objectives.values()])
        self.corner = self._signs * np.array(list(self.reference.values()))
        """The reference point, less is better."""
        self._front = Front(self.corner)
        self._inserted: list[FrontPoint] = []

    @property
    def hypervolume(self) -> float:
        """Of all feasible evaluations, up to the reference point."""
        return self._front.hypervolume

    @property
    def front(self) -> list[FrontPoint]:
        """The feasible evaluations that are not dominated, in the order of their trials' outcomes."""
        return [self._inserted[index] for index in np.flatnonzero(self._front.mask)]

    def worth_telling(self, evaluations: Sequence[Evaluation], count: int) -> tuple[int, ...]:
        """Which of a trial's evaluations a sampler of single points should learn from, in this order.

        Up to ``count`` feasible ones that gain most hypervolume together; where none gains any, the one that
        comes nearest to it by itself. As long as nothing is feasible, the least infeasible.
        """
        points = self.minimised(evaluations)
        feasible = [index for index, evaluation in enumerate(evaluations) if evaluation.feasible]
        if not feasible:
            return (min(range(len(evaluations)), key=lambda index: (evaluations[index].violation, index)),)
        chosen, _ = greedy_gain_subset(points[feasible], self._front.points, self._front.reference, count)
        if not len(chosen):
            spare = np.prod(np.maximum(self._front.reference - points[feasible], 0.0), axis=1)
            return (feasible[int(np.argmax(spare))],)
        return tuple(feasible[place] for place in chosen.tolist())

    def worth_keeping(self, evaluations: Sequence[Evaluation], count: int) -> tuple[int, ...]:
        """Which feasible evaluations of a network show best what it can do: those that make up most of its
        hypervolume, whatever others found."""
        feasible = [index for index, evaluation in enumerate(evaluations) if evaluation.feasible]
        points = self.minimised([evaluations[index] for index in feasible])
        chosen, _ = greedy_gain_subset(points, np.empty((0, len(self._signs))), self.corner, count)
        # All of them may lie beyond the reference point.
        return tuple(feasible[place] for place in chosen.tolist()) or tuple(feasible[:1])

    def add(self, trial: int, evaluations: Sequence[Evaluation]) -> None:
        """Take in all evaluations of a trial."""
        points = self.minimised(evaluations)
        for index, (point, evaluation) in enumerate(zip(points, evaluations, strict=True)):
            if evaluation.feasible:
                self._insert(point, FrontPoint(trial, index, evaluation.assignment, evaluation.metrics))

    def _insert(self, point: NDArray[np.float64], found: FrontPoint) -> None:
        for name, goal in self._objectives.items():
            better = max if goal == "max" else min
            value = found.metrics[name]
            self.best[name] = better(self.best.get(name, value), value)
        present = self._front.points
        if not ((present <= point).all(axis=1) & (present < point).any(axis=1)).any():
            self._front.insert(point)
            self._inserted.append(found)

    def minimised(self, evaluations: Sequence[Evaluation]) -> NDArray[np.float64]:
        """Their objectives ``[n, m]``; the sign of one that is maximised is turned."""
        rows = [[evaluation.metrics[name] for name in self._objectives] for evaluation in evaluations]
        return self._signs * np.array(rows, dtype=np.float64).reshape(-1, len(self._signs))
