"""What to evaluate next, as a function of what is known: no clock, no database, no processes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aster_dse.evaluation import Evaluation
from aster_dse.pareto import Front, greedy_gain_subset
from aster_dse.search.inner import InnerKey, InnerPoints
from aster_dse.search.sampling import TrialSampler, seed_of
from aster_dse.space import SearchSpace

__all__ = ["FrontPoint", "PastTrial", "Proposal", "Scheduler"]

_REDRAWS = 20
_LEAST_INFEASIBLE = 8
"""Points near feasibility that breed inner points while none is feasible."""


@dataclass(frozen=True)
class Proposal:
    """One trial to run."""

    assignment: dict[str, Any]
    """Every searched knob by path."""
    inner: tuple[dict[str, Any], ...]
    """Inner assignments to score on its network, the proposed one first."""


@dataclass(frozen=True)
class PastTrial:
    """A trial that ended or was interrupted, as a store remembers it."""

    number: int
    assignment: dict[str, Any]
    """Every searched knob by path."""
    running: bool = False
    """True where nobody knows an outcome."""
    evaluations: tuple[Evaluation, ...] = ()
    """Empty where the trial failed."""
    told: tuple[int, ...] = ()


@dataclass(frozen=True)
class FrontPoint:
    """A feasible evaluation that no other one dominates."""

    trial: int
    index: int
    assignment: dict[str, Any]
    """Its inner knobs."""
    metrics: dict[str, float]


class Scheduler:
    """Decides which network to train next, what to score on it, and what the sampler learns from it.

    Args:
        space: what is searched, for what.
        seed: of the search.
        sampler: one of ``aster_dse.search.sampling.SAMPLERS``.
        inner: points to score on every trained network.
        reference: point of the hypervolume by objective; None lets the first trial that is told fix it.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int,
        sampler: str,
        inner: int,
        reference: Mapping[str, float] | None = None,
    ) -> None:
        self._space = space
        self._seed = seed
        self._inner_count = inner
        self._sampler = TrialSampler(space, seed=seed, sampler=sampler)
        self._inner = InnerPoints(space, seed=seed)
        self._signs = np.array([-1.0 if goal == "max" else 1.0 for goal in space.objectives.values()])
        self._assignments: dict[int, dict[str, Any]] = {}
        self._running: dict[int, Proposal] = {}
        self._taken: dict[tuple[Any, ...], set[InnerKey]] = {}
        self._reference: dict[str, float] | None = None
        self._front: Front | None = None
        self._inserted: list[FrontPoint] = []
        self._least_infeasible: list[tuple[float, int, int, dict[str, Any]]] = []
        self._evaluations = 0
        self._best: dict[str, float] = {}
        if reference is not None:
            self._fix_reference(reference)

    # --- asking and telling

    def ask(self, number: int) -> Proposal | None:
        """The trial of this number; None when every configuration has been proposed.

        No two trials have the same complete assignment, and no point is evaluated twice on one network. A
        network may come again, with new inner points.

        Raises:
            InputError: the accelerator model refuses all that the space allows.
        """
        if number in self._assignments:
            raise ValueError(f"trial {number} was asked already")
        running = [self._running[other].assignment for other in sorted(self._running)]
        proposed = self._sampler.propose(number, running)
        for assignment in itertools.chain([proposed], self._redraws(number), self._every_network(proposed)):
            proposal = self._proposal(number, assignment)
            if proposal is not None:
                self._assignments[number] = proposal.assignment
                self._running[number] = proposal
                self._taken.setdefault(self._network(proposal.assignment), set()).add(
                    self._inner.key(proposal.assignment)
                )
                return proposal
        if self._inner.refusal is not None and not self._assignments:
            raise self._inner.refusal
        return None

    def running(self, number: int) -> Proposal:
        """What a trial that is running has to evaluate."""
        return self._running[number]

    def choose(self, evaluations: Sequence[Evaluation]) -> tuple[int, ...]:
        """Which evaluations of a trial the sampler should learn from; the first trial fixes the reference.

        Args:
            evaluations: answers to a proposal's ``inner`` in their order, all metrics finite.

        Returns:
            Indices in the order to learn from: the proposed one, then those feasible ones that gain most
            hypervolume together, or, as long as the study has no feasible one, the least infeasible.
        """
        if self._reference is None:
            self._fix_reference(self._first_reference(evaluations))
        return self._worth_telling(evaluations)

    def tell(self, number: int, evaluations: Sequence[Evaluation], told: Sequence[int]) -> None:
        """Learn the outcome of a trial, with what :meth:`choose` chose of it."""
        self._absorb(number, self._running.pop(number).assignment, evaluations, told)

    def tell_failure(self, number: int) -> None:
        """A trial failed: its configuration is not proposed again, and nothing is learnt from it."""
        del self._running[number]

    def replay(self, trials: Sequence[PastTrial]) -> None:
        """Come to the state of a scheduler that lived through this, in this order of outcomes.

        Trials that are running get their inner points anew: the same ones if no other trial ended since they
        were asked.
        """
        if self._assignments:
            raise ValueError("only a new scheduler replays")
        for trial in trials:
            self._assignments[trial.number] = trial.assignment
            self._taken.setdefault(self._network(trial.assignment), set()).add(
                self._inner.key(trial.assignment)
            )
        for trial in trials:
            if trial.evaluations:
                if self._reference is None:
                    self._fix_reference(self._first_reference(trial.evaluations))
                self._absorb(trial.number, trial.assignment, trial.evaluations, trial.told)
        for trial in sorted(trials, key=lambda past: past.number):
            if trial.running:
                inner = self._inner_points(trial.number, trial.assignment, proposed_is_own=True)
                self._running[trial.number] = Proposal(trial.assignment, tuple(inner))

    # --- what came of it

    @property
    def reference(self) -> dict[str, float] | None:
        """Reference point of the hypervolume, by objective; None until a trial was told.

        Twice the greatest value among the first trial's evaluations where an objective is minimised, 0 where
        it is maximised.
        """
        return self._reference

    @property
    def hypervolume(self) -> float:
        """Of all feasible evaluations, up to the reference point."""
        return 0.0 if self._front is None else self._front.hypervolume

    @property
    def front(self) -> list[FrontPoint]:
        """The feasible evaluations that are not dominated, in the order of their trials' outcomes."""
        if self._front is None:
            return []
        return [self._inserted[index] for index in np.flatnonzero(self._front.mask)]

    @property
    def front_size(self) -> int:
        """How many different trade-offs they are: equal figures count once."""
        return 0 if self._front is None else len(np.unique(self._front.points, axis=0))

    @property
    def evaluations(self) -> int:
        """Evaluations so far."""
        return self._evaluations

    @property
    def best(self) -> dict[str, float]:
        """Best feasible value of each objective; empty while nothing is feasible."""
        return dict(self._best)

    @property
    def next_number(self) -> int:
        """Number of the trial to be asked next."""
        return max(self._assignments, default=-1) + 1

    # --- proposals

    def _proposal(self, number: int, assignment: Mapping[str, Any]) -> Proposal | None:
        inner = self._inner_points(number, assignment)
        return Proposal({**assignment, **inner[0]}, tuple(inner)) if inner else None

    def _inner_points(
        self, number: int, assignment: Mapping[str, Any], *, proposed_is_own: bool = False
    ) -> list[dict[str, Any]]:
        network = self._network(assignment)
        taken = set(self._taken.get(network, ()))
        for other in self._running.values():
            if self._network(other.assignment) == network:
                taken |= {self._inner.key(point) for point in other.inner}
        if proposed_is_own:
            taken.discard(self._inner.key(assignment))
        return self._inner.generate(
            number, assignment, self._inner_count, parents=self._parents(), taken=taken
        )

    def _parents(self) -> list[dict[str, Any]]:
        front = self.front
        return [point.assignment for point in front] or [entry[-1] for entry in self._least_infeasible]

    def _redraws(self, number: int) -> Iterator[dict[str, Any]]:
        """Random configurations, for when the proposed network has no new point left."""
        rng = np.random.default_rng(seed_of(self._seed, 5, number))
        for _ in range(_REDRAWS):
            assignment: dict[str, Any] = {}
            for parameter in self._space.parameters:
                if self._space.active(parameter, assignment):
                    assignment[parameter.path] = parameter.from_unit(rng.random())
            yield self._space.complete(assignment)

    def _every_network(self, proposed: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Every network of a space where they can be counted, the inner knobs as ``proposed``."""
        outer = self._space.outer
        if any(parameter.values() is None for parameter in outer):
            return
        for values in itertools.product(*(parameter.values() or () for parameter in outer)):
            raw = dict(zip((parameter.path for parameter in outer), values, strict=True))
            settled = {**self._space.fixed}
            for parameter in outer:
                if parameter.when is None or parameter.when.holds(settled):
                    settled[parameter.path] = raw[parameter.path]
            yield {**proposed, **{parameter.path: settled[parameter.path] for parameter in outer}}

    def _network(self, assignment: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(assignment[parameter.path] for parameter in self._space.outer)

    # --- outcomes

    def _first_reference(self, evaluations: Sequence[Evaluation]) -> dict[str, float]:
        reference = {}
        for name, goal in self._space.objectives.items():
            greatest = max(evaluation.metrics[name] for evaluation in evaluations)
            reference[name] = 0.0 if goal == "max" else 2.0 * greatest if greatest > 0.0 else 1.0
        return reference

    def _fix_reference(self, reference: Mapping[str, float]) -> None:
        self._reference = {name: float(reference[name]) for name in self._space.objectives}
        self._front = Front(self._signs * np.array(list(self._reference.values())))

    def _minimised(self, evaluations: Sequence[Evaluation]) -> NDArray[np.float64]:
        rows = [[evaluation.metrics[name] for name in self._space.objectives] for evaluation in evaluations]
        return self._signs * np.array(rows, dtype=np.float64)

    def _worth_telling(self, evaluations: Sequence[Evaluation]) -> tuple[int, ...]:
        assert self._front is not None
        points = self._minimised(evaluations)
        feasible = [index for index, evaluation in enumerate(evaluations) if evaluation.feasible]
        others = [index for index in feasible if index != 0]
        if not feasible and self.front_size == 0:
            least = min(range(len(evaluations)), key=lambda index: (evaluations[index].violation, index))
            return (0,) if least == 0 else (0, least)
        present = self._front.points
        if 0 in feasible:
            present = np.concatenate([present, points[:1]])
        chosen, _ = greedy_gain_subset(points[others], present, self._front.reference, self._sampler.patience)
        return (0, *(others[place] for place in chosen.tolist()))

    def _absorb(
        self,
        number: int,
        assignment: Mapping[str, Any],
        evaluations: Sequence[Evaluation],
        told: Sequence[int],
    ) -> None:
        for index in told:
            known = {**assignment, **evaluations[index].assignment}
            self._sampler.learn(number, known, evaluations[index].metrics)
        self._taken.setdefault(self._network(assignment), set()).update(
            self._inner.key(evaluation.assignment) for evaluation in evaluations
        )
        self._evaluations += len(evaluations)
        for index, (point, evaluation) in enumerate(
            zip(self._minimised(evaluations), evaluations, strict=True)
        ):
            if evaluation.feasible:
                self._insert(point, FrontPoint(number, index, evaluation.assignment, evaluation.metrics))
            elif not self._inserted:
                self._least_infeasible.append((evaluation.violation, number, index, evaluation.assignment))
        self._least_infeasible = sorted(self._least_infeasible, key=lambda entry: entry[:3])[
            :_LEAST_INFEASIBLE
        ]

    def _insert(self, point: NDArray[np.float64], found: FrontPoint) -> None:
        assert self._front is not None
        for name, goal in self._space.objectives.items():
            better = max if goal == "max" else min
            value = found.metrics[name]
            self._best[name] = better(self._best.get(name, value), value)
        present = self._front.points
        dominated = (present <= point).all(axis=1) & (present < point).any(axis=1)
        if not dominated.any():
            self._front.insert(point)
            self._inserted.append(found)
