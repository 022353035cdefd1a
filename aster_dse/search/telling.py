"""What a search tells whoever watches it, and what it ends with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aster_dse.search.automatic import Choice
from aster_dse.search.protocol import EpochReport, Outcome
from aster_dse.space import Candidate

__all__ = ["Observer", "Progress", "SearchSummary"]


@dataclass(frozen=True)
class Progress:
    """How far a search is."""

    complete: int
    failed: int
    paused: int
    """Stopped early, by now."""
    target: int
    """Trials that the study shall have."""
    evaluations: int
    scored: int
    """Pairs of a policy and an accelerator that this run scored."""
    front_size: int
    """Trade-offs on the front: feasible, not dominated; equal figures count once."""
    hypervolume: float
    best: dict[str, float]
    """Best feasible value by objective; empty while nothing is feasible."""


class Observer(Protocol):
    """Watches a search; called in the driver's thread."""

    def sampler_chosen(self, choice: Choice) -> None:
        """Another sampler than before proposes the networks from here on."""
        ...

    def trial_started(self, number: int, candidate: Candidate) -> None: ...

    def epoch(self, report: EpochReport) -> None: ...

    def trial_ended(self, outcome: Outcome, progress: Progress) -> None:
        """A trial ended, or paused."""
        ...


@dataclass(frozen=True)
class SearchSummary:
    """The study after a run; counts are of the whole study, ``wall_s`` and ``scored`` are of this run."""

    study: str
    complete: int
    failed: int
    paused: int
    """Stopped early."""
    running: int
    trainings: int
    """Trials whose network was trained for them."""
    trainings_reused: int
    """Trials whose network was found trained."""
    evaluations: int
    """Points of the networks' fronts, all of which are stored."""
    scored: int
    """Pairs of a policy and an accelerator that this run scored to find them."""
    sampler: str
    """What proposes the next network; ``auto`` is resolved."""
    hypervolume: float
    hypervolumes: tuple[float, ...]
    """The hypervolume after each network, in the order in which they were done."""
    wall_s: float
    stopped: str
    """Why the run ended."""
