"""What pairs of a policy and an accelerator come to, and which of them are best."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
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
from aster_dse.policy import ChipPolicies, PolicyBatch
from aster_dse.space import COST_FIGURES, POLICY_FIGURES, parse_constraint

__all__ = ["ForeseenLoss", "Pair", "PairScores"]

Array = NDArray[np.float64]
ForeseenLoss = Callable[[Sequence[Accelerator]], Array]

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
        foreseen_loss: accuracy that each of some accelerators is expected to lose, where policies were
            applied to the plain network alone.
    """

    def __init__(
        self,
        geometry: NetworkGeometry,
        batch: ChipPolicies,
        question: InnerQuestion,
        foreseen_loss: ForeseenLoss | None = None,
    ) -> None:
        self.scored = 0
        self._foreseen_loss = foreseen_loss
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
        cost = {name: np.empty((len(batch.chips), *shape)) for name in COST_FIGURES}
        for chip, policies_of_chip in enumerate(batch.chips):
            self._add_costs(policies_of_chip, table, {name: values[chip] for name, values in cost.items()})
        self.scored += math.prod(shape)
        figures: dict[str, Array] = {
            name: np.stack([getattr(chip, name) for chip in batch.chips])[:, :, None]
            for name in POLICY_FIGURES
        }
        figures["accuracy_ideal"] = batch.accuracy_ideal[None, :, None]
        if self._foreseen_loss is not None:
            figures["accuracy"] = np.maximum(figures["accuracy"] - self._foreseen_loss(accelerators), 0.0)
        metrics = metric_values({**cost, **figures}, self._metrics, constraints=self._constraints, chips=True)
        objectives = np.stack([metrics[name] for name in self._objectives], axis=-1)
        violation = np.zeros(shape)
        for bound in self._constraints:
            violation += violations(bound, metrics[bound.metric])
        self._blocks.append(_Block(policies, np.array(designs), objectives * self._signs, violation))

    def _add_costs(self, batch: PolicyBatch, table: DesignTable, cost: dict[str, Array]) -> None:
        """Fill in ``[policies, designs]`` costs of one chip."""
        by_policy = len(batch) <= len(table)
        for index in range(min(len(batch), len(table))):
            one = np.array([index])
            found = (
                estimate_many(self._geometry, batch.take(one).activity, table)
                if by_policy
                else estimate_many(self._geometry, batch.activity, table.take(one))
            )
            for name, values in cost.items():
                values[(index, slice(None)) if by_policy else (slice(None), index)] = getattr(found, name)

    def feasible(self, groups: Sequence[Sequence[int]]) -> list[tuple[NDArray[np.intp], Array]]:
        """Policies ``[n]`` and objectives ``[n, m]`` of all feasible pairs with each of some groups of
        designs, which share none."""
        whose = np.full(1 + max((max(group) for group in groups if group), default=0), -1, dtype=np.intp)
        for number, group in enumerate(groups):
            whose[list(group)] = number
        labels, policies, rows = [np.zeros(0, np.intp)], [np.zeros(0, np.intp)], []
        for block in self._blocks:
            known = block.designs < len(whose)
            label = np.where(known, whose[np.where(known, block.designs, 0)], -1)
            policy, design = np.nonzero((block.violation <= 0.0) & (label >= 0))
            labels.append(label[design])
            policies.append(block.policies[policy])
            rows.append(block.objectives[policy, design])
        points = np.concatenate([np.zeros((0, len(self._objectives))), *rows])
        label, policy = np.concatenate(labels), np.concatenate(policies)
        order = np.argsort(label, kind="stable")
        edges = np.searchsorted(label[order], np.arange(len(groups) + 1))
        parts = [order[start:stop] for start, stop in itertools.pairwise(edges.tolist())]
        return [(policy[part], points[part]) for part in parts]

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
