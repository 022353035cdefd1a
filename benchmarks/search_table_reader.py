"""Reads the table that `search_table.py` makes: networks trained once, to search as often as needed.

A network answers what a trace would: which policies are of use, and what any policy of the space costs on any
accelerator. A threshold between two of the grid is answered by the nearer one. Every replay lives in this one
world, so that differences between searches are differences of the searches.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from search_table import SPACE, TABLE

from aster_dse.activity import InferenceActivity
from aster_dse.evaluation import Evaluation
from aster_dse.evaluation.metric_values import metric_values
from aster_dse.evaluation.pairs import InnerPairs, search_pairs
from aster_dse.evaluation.question import InnerQuestion
from aster_dse.hardware import resolve
from aster_dse.hardware.cost import estimate_many
from aster_dse.hardware.designs import DesignTable
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.network.on_workload import geometry_for
from aster_dse.pareto import non_dominated_mask
from aster_dse.policy.batch import PolicyBatch
from aster_dse.space import (
    COST_FIGURES,
    POLICY_FIGURES,
    ROW_SIZES,
    Candidate,
    SearchSpace,
    assign,
    load_space,
)

__all__ = ["Network", "question_of", "read_table", "space_of_table"]

Array = NDArray[np.float64]


def space_of_table() -> SearchSpace:
    """The space that the networks were drawn from."""
    return load_space(SPACE)


def question_of(space: SearchSpace, *, count: int | None = None) -> InnerQuestion:
    """What a search asks a network of the space."""
    return InnerQuestion(
        parameters=space.inner,
        inactive={p.path: space.fixed[p.path] for p in space.inner},
        objectives=space.objectives,
        constraints=tuple(str(bound) for bound in space.constraints),
        count=space.search.inner if count is None else count,
        seed=0,
    )


@dataclass(frozen=True, eq=False)
class Network:
    """One trained network of the table."""

    space: SearchSpace
    number: int
    outer: dict[str, Any]
    """Its trained knobs, by path."""
    accuracy: float
    cpu_s: float
    history: list[list[float]]
    """Validation accuracy and loss after each epoch."""
    block_activity: Array
    policies: list[dict[str, Any]]
    batch: PolicyBatch
    looks: dict[int, tuple[list[dict[str, Any]], PolicyBatch]]
    """Epoch to policies of use then."""

    @cached_property
    def assignment(self) -> dict[str, Any]:
        """Complete: what needs no training in the middle of its range."""
        return self.space.complete({**{p.path: p.from_unit(0.5) for p in self.space.inner}, **self.outer})

    @cached_property
    def candidate(self) -> Candidate:
        return self.space.candidate(self.assignment)

    @cached_property
    def geometry(self) -> NetworkGeometry:
        return geometry_for(self.candidate.workload, self.candidate.network)

    @cached_property
    def pairs(self) -> InnerPairs:
        """Its inner front."""
        figures = self.batch.figures
        _, first = np.unique(figures, axis=0, return_index=True)
        useful = first[non_dominated_mask(figures[first])]
        policies = [self.policies[index] for index in useful.tolist()]
        return self._front(policies, self.batch.take(useful), question_of(self.space))

    @cached_property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """Its inner front, as a trial reports it."""
        return self._as_evaluations(self.pairs)

    def look(self, epoch: int) -> tuple[Evaluation, ...]:
        """The front that a pause after an epoch shows."""
        policies, batch = self.looks[epoch]
        return self._as_evaluations(self._front(policies, batch, question_of(self.space).while_training()))

    def score(self, assignment: Mapping[str, Any]) -> Evaluation | None:
        """One policy on one accelerator; None where the accelerator cannot exist."""
        wanted = {p.path: assignment[p.path] for p in self.space.inner}
        batch = self.batch.take(np.array([self._nearest(wanted)]))
        accelerator = resolve(assign(self.candidate, wanted).hardware)
        cost = estimate_many(self.geometry, batch.activity, DesignTable.stack([accelerator]))
        figures = {name: getattr(cost, name)[0] for name in COST_FIGURES}
        figures |= {name: getattr(batch, name)[0] for name in POLICY_FIGURES}
        found = metric_values(figures, constraints=self.space.constraints)
        metrics = {name: float(value) for name, value in found.items()}
        return Evaluation(wanted, metrics, sum(b.violation(metrics) for b in self.space.constraints))

    def _nearest(self, wanted: Mapping[str, Any]) -> int:
        """The policy of the grid that answers for this one."""
        threshold = self.space.parameter("policy.exit_threshold")

        def skips(value: float) -> int:
            return int((self.block_activity <= value).sum())

        def distance(policy: Mapping[str, Any]) -> tuple[int, int, int, float]:
            return (
                abs(skips(policy["policy.skip_threshold"]) - skips(wanted["policy.skip_threshold"])),
                abs(policy["policy.timesteps"] - wanted["policy.timesteps"]),
                int(policy["policy.exit_metric"] != wanted["policy.exit_metric"]),
                abs(
                    threshold.to_unit(policy["policy.exit_threshold"])
                    - threshold.to_unit(wanted["policy.exit_threshold"])
                ),
            )

        return min(range(len(self.policies)), key=lambda index: distance(self.policies[index]))

    def _front(
        self, policies: Sequence[dict[str, Any]], batch: PolicyBatch, question: InnerQuestion
    ) -> InnerPairs:
        return search_pairs(self.geometry, policies, batch, self.candidate, question)

    def _as_evaluations(self, pairs: InnerPairs) -> tuple[Evaluation, ...]:
        signs = np.array([-1.0 if goal == "max" else 1.0 for goal in self.space.objectives.values()])
        return tuple(
            Evaluation(dict(point), dict(zip(self.space.objectives, row, strict=True)), violation)
            for point, row, violation in zip(
                pairs.assignments, (pairs.objectives * signs).tolist(), pairs.violation.tolist(), strict=True
            )
        )


def read_table(path: Path = TABLE) -> list[Network]:
    """All networks of a table."""
    space = space_of_table()
    with np.load(path, allow_pickle=False) as content:
        arrays = {name: content[name] for name in content.files}
    count = len({name.partition(".")[0] for name in arrays})
    return [_network(space, number, arrays) for number in range(count)]


def _network(space: SearchSpace, number: int, arrays: Mapping[str, NDArray[Any]]) -> Network:
    facts = _document(arrays[f"{number}.facts"])
    middle = {p.path: p.from_unit(0.5) for p in space.inner}
    candidate = space.candidate({**middle, **facts["outer"]})
    geometry = geometry_for(candidate.workload, candidate.network)

    def policies(name: str) -> tuple[list[dict[str, Any]], PolicyBatch]:
        rows = arrays[f"{number}.{name}.figures"].astype(np.float64)[arrays[f"{number}.{name}.place"]]
        return _document(arrays[f"{number}.{name}.policies"]), _batch(geometry, rows)

    epochs = sorted(
        int(name.split(".")[1].removeprefix("look"))
        for name in arrays
        if name.startswith(f"{number}.look") and name.endswith(".figures")
    )
    points, batch = policies("end")
    return Network(
        space=space,
        number=number,
        outer=facts["outer"],
        accuracy=facts["accuracy"],
        cpu_s=facts["cpu_s"],
        history=facts["history"],
        block_activity=arrays[f"{number}.end.block_activity"],
        policies=points,
        batch=batch,
        looks={epoch: policies(f"look{epoch}") for epoch in epochs},
    )


def _batch(geometry: NetworkGeometry, rows: Array) -> PolicyBatch:
    """The inverse of `PolicyBatch.figures`."""
    layers = len(geometry.synaptic)
    sizes = [1, 1, 1, geometry.depth, layers, layers, layers * len(ROW_SIZES), len(geometry.neurons)]
    parts = np.split(rows, np.cumsum(sizes)[:-1], axis=1)
    return PolicyBatch(
        accuracy=-parts[0][:, 0],
        mean_timesteps=parts[1][:, 0],
        activity=InferenceActivity(
            steps=parts[1][:, 0],
            exits_early=parts[2][:, 0] > 0.0,
            attention_runs=parts[3],
            driven_rows=parts[4],
            active_windows=parts[5],
            active_accesses=parts[6].reshape(len(rows), layers, len(ROW_SIZES)),
            spikes=parts[7],
        ),
    )


def _document(packed: NDArray[np.uint8]) -> Any:
    return json.loads(packed.tobytes())
