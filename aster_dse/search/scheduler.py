"""What to train next, as a function of what is known: no clock, no database, no processes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aster_dse.evaluation import Evaluation
from aster_dse.search.automatic import Choice
from aster_dse.search.findings import Findings, FrontPoint
from aster_dse.search.halving import Halving
from aster_dse.search.sampling import NetworkSampler
from aster_dse.search.seeds import seed_of
from aster_dse.space import SearchSpace

__all__ = ["PastLook", "PastTrial", "Proposal", "Scheduler"]

_REDRAWS = 64
_LISTED = 4_096
"""Networks of a space that are gone through one by one, where there are no more."""
_GROWTH = 1e-3
"""Relative growth of the hypervolume that counts as one."""
_TOLD = 8
"""Points of a network that a sampler of single points learns from."""
_ENDS = 6
"""The first networks, which are all trained to the end, so that it is known what a pause leads to."""
_KEPT = 8
"""Points that are kept of a network whose training pauses."""


@dataclass(frozen=True)
class Proposal:
    """One network to train, and to search the inner front of."""

    assignment: dict[str, Any]
    """Every searched knob by path; those that need no training in the middle of their range."""
    seed: int
    """Of the inner search."""


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
    paused: bool = False
    """True where its training was stopped early."""


@dataclass(frozen=True)
class PastLook:
    """What was seen of a network when its training paused."""

    number: int
    epoch: int
    evaluations: tuple[Evaluation, ...]


class Scheduler:
    """Decides which network to train next, and what the sampler learns from it. No network is trained twice.

    Args:
        space: what is searched, for what.
        seed: of the search.
        sampler: one of ``aster_dse.search.sampling.SAMPLERS``.
        reference: point of the hypervolume by objective.
    """

    def __init__(
        self, space: SearchSpace, *, seed: int, sampler: str, reference: Mapping[str, float]
    ) -> None:
        self._space = space
        self._seed = seed
        self._sampler = NetworkSampler(space, seed=seed, sampler=sampler, reference=reference)
        self._assignments: dict[int, dict[str, Any]] = {}
        self._networks: set[tuple[Any, ...]] = set()
        self._running: dict[int, Proposal] = {}
        self._findings = Findings(space.objectives, reference)
        self._evaluations = 0
        self._volumes: list[float] = []
        self._grown = 0.0
        self._stale = 0
        self._everything = self._listed()
        settings = space.search
        self._halving = (
            None
            if settings.early_stopping is None
            else Halving(settings.early_stopping, settings.first_look, self._findings.corner)
        )
        self._paused: dict[int, int | None] = {}
        """Trial to the rung where it is paused."""
        self._looked: dict[int, int] = {}
        """Trial to the epoch of its last look."""

    # --- asking and telling

    def ask(self, number: int) -> Proposal | None:
        """The trial of this number; None when every network of the space has been proposed."""
        if number in self._assignments:
            raise ValueError(f"trial {number} was asked already")
        running = [self._running[other].assignment for other in sorted(self._running)]
        left = self._left()
        if left is not None and not left:
            return None
        for values in self._ideas(number, running, left):
            assignment = self._assignment(values)
            if self._network(assignment) not in self._networks:
                proposal = Proposal(assignment, self._inner_seed(number))
                self._assignments[number] = assignment
                self._networks.add(self._network(assignment))
                self._running[number] = proposal
                return proposal
        return None

    def _ideas(
        self, number: int, running: Sequence[Mapping[str, Any]], left: Sequence[dict[str, Any]] | None
    ) -> Iterator[Mapping[str, Any]]:
        """Values of trained knobs for a trial, the best idea first; some were proposed before."""
        yield from self._space.search.start
        yield from self._sampler.propose(number, running, left)
        yield from self._redraws(number)
        yield from left or ()

    def running(self, number: int) -> Proposal:
        """What a trial that is running has to do."""
        return self._running[number]

    # --- stopping early

    def pause_at(self, number: int) -> int | None:
        """Epoch after which the training of a running trial is looked at; None: it runs to its end."""
        last = self._looked.get(number, 0)
        return next((epoch for epoch in self._rungs(number).values() if epoch > last), None)

    def last_look(self, number: int) -> int:
        """Epoch after which the training of a trial last paused; 0 where it never did."""
        return self._looked.get(number, 0)

    def keep(self, evaluations: Sequence[Evaluation]) -> tuple[int, ...]:
        """Which evaluations of a network that pauses are remembered, and told to :meth:`pause`."""
        return self._findings.worth_keeping(evaluations, _KEPT)

    def pause(self, number: int, epoch: int, evaluations: Sequence[Evaluation]) -> None:
        """The training of a trial paused after ``epoch``, with what :meth:`keep` kept of its front."""
        del self._running[number]
        self._look(PastLook(number, epoch, tuple(evaluations)), paused=True)

    def promoted(self) -> int | None:
        """A paused trial that is to be trained on."""
        # All of those that stand at no rung: early stopping was turned off, or looks later than it did.
        sure = [n for n, rung in self._paused.items() if rung is None or n < _ENDS]
        if sure or self._halving is None:
            return min(sure, default=None)
        found = self._halving.next()
        return None if found is None else found[0]

    def go_on(self, number: int) -> Proposal:
        """A paused trial is trained on."""
        rung = self._paused.pop(number)
        if self._halving is not None and rung is not None:
            self._halving.go_on(number, rung)
        proposal = Proposal(self._assignments[number], self._inner_seed(number))
        self._running[number] = proposal
        return proposal

    @property
    def looked(self) -> bool:
        """Whether any training came as far as its first look."""
        return bool(self._looked)

    @property
    def paused(self) -> int:
        """Trials that are stopped early, by now."""
        return len(self._paused)

    def _rungs(self, number: int) -> dict[int, int]:
        """Rung to epoch, of the training of a trial."""
        if self._halving is None:
            return {}
        return self._halving.rungs(self._space.candidate(self._assignments[number]).training.epochs)

    def _look(self, look: PastLook, *, paused: bool) -> None:
        reached = [rung for rung, epoch in self._rungs(look.number).items() if epoch <= look.epoch]
        rung = max(reached, default=None)
        self._looked[look.number] = look.epoch
        if paused:
            self._paused[look.number] = rung
        if self._halving is None or rung is None:
            return
        self._halving.reach(look.number, rung, self._findings.minimised(look.evaluations))
        self._sampler.learn_early(self._assignments[look.number], look.evaluations, rung)
        if not paused:
            self._halving.go_on(look.number, rung)

    def choose(self, evaluations: Sequence[Evaluation]) -> tuple[int, ...]:
        """Which points of a network's front a sampler of single points should learn from.

        Returns:
            Indices in the order to learn from: those feasible ones that gain most hypervolume together, or,
            where none is feasible, the least infeasible.
        """
        return self._findings.worth_telling(evaluations, _TOLD)

    def tell(self, number: int, evaluations: Sequence[Evaluation], told: Sequence[int]) -> None:
        """Learn the outcome of a trial, with what :meth:`choose` chose of it."""
        self._absorb(number, self._running.pop(number).assignment, evaluations, told)

    def tell_failure(self, number: int) -> None:
        """A trial failed: its network is not proposed again, and nothing is learnt from it."""
        del self._running[number]

    def replay(self, trials: Sequence[PastTrial], looks: Sequence[PastLook] = ()) -> None:
        """Come to the state of a scheduler that lived through this.

        Args:
            trials: in the order of their outcomes.
            looks: in the order of seeing.
        """
        if self._assignments:
            raise ValueError("only a new scheduler replays")
        for trial in trials:
            self._assignments[trial.number] = trial.assignment
            self._networks.add(self._network(trial.assignment))
        for trial in trials:
            if trial.evaluations:
                self._absorb(trial.number, trial.assignment, trial.evaluations, trial.told)
            elif trial.running:
                self._running[trial.number] = Proposal(trial.assignment, self._inner_seed(trial.number))
        paused = {trial.number for trial in trials if trial.paused}
        last = {look.number: index for index, look in enumerate(looks)}
        for index, look in enumerate(looks):
            self._look(look, paused=look.number in paused and last[look.number] == index)

    # --- what came of it

    @property
    def sampler(self) -> Choice:
        """What proposes the next network, and why; ``auto`` is resolved."""
        return self._sampler.choice

    @property
    def hypervolume(self) -> float:
        """Of all feasible evaluations, up to the reference point."""
        return self._findings.hypervolume

    @property
    def hypervolumes(self) -> tuple[float, ...]:
        """The hypervolume after each network that was told, in the order of their outcomes."""
        return tuple(self._volumes)

    @property
    def stale(self) -> int:
        """Networks told since the hypervolume last grew by more than 0.1 %."""
        return self._stale

    @property
    def front(self) -> list[FrontPoint]:
        """The feasible evaluations that are not dominated, in the order of their trials' outcomes."""
        return self._findings.front

    @property
    def evaluations(self) -> int:
        """Evaluations so far."""
        return self._evaluations

    @property
    def best(self) -> dict[str, float]:
        """Best feasible value of each objective; empty while nothing is feasible."""
        return dict(self._findings.best)

    @property
    def next_number(self) -> int:
        """Number of the trial to be asked next."""
        return max(self._assignments, default=-1) + 1

    # --- networks

    def _assignment(self, trained: Mapping[str, Any]) -> dict[str, Any]:
        """The complete assignment of a network: its trained knobs, the others in the middle."""
        assignment: dict[str, Any] = {}
        for parameter in self._space.parameters:
            if self._space.active(parameter, assignment):
                # A sampler may have taken a knob to be inactive, or gives the default that it has then.
                value = trained.get(parameter.path)
                drawn = parameter.needs_training and value in parameter
                assignment[parameter.path] = value if drawn else parameter.from_unit(0.5)
        return self._space.complete(assignment)

    def _redraws(self, number: int) -> Iterator[dict[str, Any]]:
        """Random networks, for when the proposed ones were proposed before."""
        rng = np.random.default_rng(seed_of(self._seed, 5, number))
        for _ in range(_REDRAWS):
            yield {p.path: p.from_unit(rng.random()) for p in self._space.outer}

    def _listed(self) -> list[dict[str, Any]] | None:
        """Every network of a space that has few of them."""
        outer = self._space.size().outer
        if outer is None or outer > _LISTED:
            return None
        values = [parameter.values() or () for parameter in self._space.outer]
        paths = [parameter.path for parameter in self._space.outer]
        rows = (self._assignment(dict(zip(paths, row, strict=True))) for row in itertools.product(*values))
        return list({self._network(row): row for row in rows}.values())

    def _left(self) -> list[dict[str, Any]] | None:
        if self._everything is None:
            return None
        return [row for row in self._everything if self._network(row) not in self._networks]

    def _network(self, assignment: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(assignment[parameter.path] for parameter in self._space.outer)

    def _inner_seed(self, number: int) -> int:
        return seed_of(self._seed, 4, number)

    # --- outcomes

    def _absorb(
        self,
        number: int,
        assignment: Mapping[str, Any],
        evaluations: Sequence[Evaluation],
        told: Sequence[int],
    ) -> None:
        self._sampler.learn(assignment, evaluations, told)
        self._evaluations += len(evaluations)
        self._findings.add(number, evaluations)
        volume = self._findings.hypervolume
        self._volumes.append(volume)
        if volume > self._grown * (1.0 + _GROWTH):
            self._grown, self._stale = volume, 0
        else:
            self._stale += 1
