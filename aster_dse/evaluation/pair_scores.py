"""What pairs of a policy and an accelerator come to, and which of them are best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aster_dse.evaluation.metric_values import metric_values, violations
from aster_dse.evaluation.question import InnerQuestion
from aster_dse.hardware import Accelerator
from aster_dse.hardware.cost import estimate_many
from aster_dse.hardware.designs import DesignTable
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.pareto import non_dominated_mask
from aster_dse.policy.batch import PolicyBatch
from aster_dse.space import COST_FIGURES, POLICY_FIGURES, parse_constraint

__all__ = ["Pair", "PairScores"]

Array = NDArray[np.float64]

_LEAST_INFEASIBLE = 8
_AT_ONCE = 4_096
"""Pairs whose front is found at once, before that of all."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A policy and an accelerator by their numbers, with what they come to."""

    policy: int
    design: int
    objectives: Array
    """``[m]``, less is better: a maximised one has its sign turned."""
    violation: float
    """Sum of the relative excesses over the constraints."""


@dataclass(frozen=True, eq=False)
class _Block:
    """Some policies, each with some accelerators."""

    policies: NDArray[np.intp]
    """``[P]``"""
    designs: NDArray[np.intp]
    """``[A]``"""
    objectives: Array
    """``[P, A, m]``"""
    violation: Array
    """``[P, A]``"""

    def pair(self, policy: int, design: int) -> Pair:
        return Pair(
            int(self.policies[policy]),
            int(self.designs[design]),
            self.objectives[policy, design],
            float(self.violation[policy, design]),
        )


class PairScores:
    """All pairs scored so far.

    Args:
        geometry: of the network.
        batch: what the policies make of it.
        question: what counts.
    """

    def __init__(self, geometry: NetworkGeometry, batch: PolicyBatch, question: InnerQuestion) -> None:
        self.scored = 0
        self._geometry = geometry
        self._layers = [layer.name for layer in geometry.synaptic]
        self._batch = batch
        self._objectives = tuple(question.objectives)
        self._signs = np.array([-1.0 if goal == "max" else 1.0 for goal in question.objectives.values()])
        self._constraints = [parse_constraint(text) for text in question.constraints]
        self._metrics = {*self._objectives, *(bound.metric for bound in self._constraints)}
        self._blocks: list[_Block] = []

    def score(
        self, policies: NDArray[np.intp], designs: Sequence[int], accelerators: Sequence[Accelerator]
    ) -> None:
        """Let every one of some policies meet every one of some accelerators, which have these numbers."""
        if not len(policies) or not designs:
            return
        table = DesignTable.stack(accelerators, self._layers)
        batch = self._batch.take(policies)
        shape = (len(batch), len(designs))
        cost = {name: np.empty(shape) for name in COST_FIGURES}
        by_policy = shape[0] <= shape[1]
        for index in range(min(shape)):
            one = np.array([index])
            found = (
                estimate_many(self._geometry, batch.take(one).activity, table)
                if by_policy
                else estimate_many(self._geometry, batch.activity, table.take(one))
            )
            for name, values in cost.items():
                values[(index, slice(None)) if by_policy else (slice(None), index)] = getattr(found, name)
        self.scored += math.prod(shape)
        policy = {name: getattr(batch, name)[:, None] for name in POLICY_FIGURES}
        metrics = metric_values({**cost, **policy}, self._metrics, constraints=self._constraints)
        objectives = np.stack([metrics[name] for name in self._objectives], axis=-1)
        violation = np.zeros(shape)
        for bound in self._constraints:
            violation += violations(bound, metrics[bound.metric])
        self._blocks.append(_Block(policies, np.array(designs), objectives * self._signs, violation))

    def best(self) -> list[Pair]:
        """The front of all pairs, equal figures once; while none is feasible, those that violate least."""
        kept: list[tuple[_Block, int, int]] = []
        rows = []
        for block in self._blocks:
            step = max(_AT_ONCE // len(block.policies), 1)
            for begin in range(0, len(block.designs), step):
                part = slice(begin, begin + step)
                designs, policies = np.nonzero(block.violation[:, part].T <= 0.0)
                if designs.size:
                    designs += begin
                    points = block.objectives[policies, designs]
                    mask = non_dominated_mask(points)
                    numbers = zip(policies[mask].tolist(), designs[mask].tolist(), strict=True)
                    kept += [(block, p, a) for p, a in numbers]
                    rows.append(points[mask])
        if not kept:
            return self._nearest()
        points = np.concatenate(rows)
        _, first = np.unique(points, axis=0, return_index=True)
        first = np.sort(first)
        chosen = (kept[index] for index in first[non_dominated_mask(points[first])].tolist())
        return [block.pair(p, a) for block, p, a in chosen]

    def _nearest(self) -> list[Pair]:
        found = []
        for block in self._blocks:
            order = np.argsort(block.violation, axis=None, kind="stable")[:_LEAST_INFEASIBLE]
            places = np.unravel_index(order, block.violation.shape)
            found += [block.pair(int(p), int(a)) for p, a in zip(*places, strict=True)]
        return sorted(found, key=lambda pair: pair.violation)[:_LEAST_INFEASIBLE]
