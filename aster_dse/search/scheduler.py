"""What to evaluate next, as a function of what is known: no clock, no database, no processes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aster_dse.evaluation import Evaluation
from aster_dse.search.findings import Findings, FrontPoint, first_reference
from aster_dse.search.inner import InnerKey, InnerPoints
from aster_dse.search.sampling import TrialSampler, seed_of
from aster_dse.space import SearchSpace

__all__ = ["PastTrial", "Proposal", "Scheduler"]

_REDRAWS = 20


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
        self._assignments: dict[int, dict[str, Any]] = {}
        self._running: dict[int, Proposal] = {}
        self._taken: dict[tuple[Any, ...], set[InnerKey]] = {}
        self._findings = None if reference is None else Findings(space.objectives, reference)
        self._evaluations = 0

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
        return self._known(evaluations).worth_telling(evaluations, self._sampler.patience)

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
                self._absorb(trial.number, trial.assignment, trial.evaluations, trial.told)
        for trial in sorted(trials, key=lambda past: past.number):
            if trial.running:
                inner = self._inner_points(trial.number, trial.assignment, proposed_is_own=True)
                self._running[trial.number] = Proposal(trial.assignment, tuple(inner))

    # --- what came of it

    @property
    def reference(self) -> dict[str, float] | None:
        """Reference point of the hypervolume, by objective; None until the first trial fixed it."""
        return None if self._findings is None else self._findings.reference

    @property
    def hypervolume(self) -> float:
        """Of all feasible evaluations, up to the reference point."""
        return 0.0 if self._findings is None else self._findings.hypervolume

    @property
    def front(self) -> list[FrontPoint]:
        """The feasible evaluations that are not dominated, in the order of their trials' outcomes."""
        return [] if self._findings is None else self._findings.front

    @property
    def evaluations(self) -> int:
        """Evaluations so far."""
        return self._evaluations

    @property
    def best(self) -> dict[str, float]:
        """Best feasible value of each objective; empty while nothing is feasible."""
        return {} if self._findings is None else dict(self._findings.best)

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
        parents = [] if self._findings is None else self._findings.parents
        return self._inner.generate(number, assignment, self._inner_count, parents=parents, taken=taken)

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

    def _known(self, evaluations: Sequence[Evaluation]) -> Findings:
        if self._findings is None:
            self._findings = Findings(
                self._space.objectives, first_reference(self._space.objectives, evaluations)
            )
        return self._findings

    def _absorb(
        self,
        number: int,
        assignment: Mapping[str, Any],
        evaluations: Sequence[Evaluation],
        told: Sequence[int],
    ) -> None:
        findings = self._known(evaluations)
        for index in told:
            known = {**assignment, **evaluations[index].assignment}
            self._sampler.learn(number, known, evaluations[index].metrics)
        self._taken.setdefault(self._network(assignment), set()).update(
            self._inner.key(evaluation.assignment) for evaluation in evaluations
        )
        self._evaluations += len(evaluations)
        findings.add(number, evaluations)
