"""What a search tells whoever watches it, and what it ends with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from aster_dse.search.automatic import Choice
from aster_dse.search.protocol import (
    EpochReport,
    FileReport,
    NetworkFailure,
    NetworkPause,
    Outcome,
    PassReport,
)
from aster_dse.space import Candidate

if TYPE_CHECKING:
    from aster_dse.search.scheduler import Scheduler
    from aster_dse.store.rows import StudyCounts

__all__ = ["Observer", "Progress", "SearchSummary", "Work", "summary_of"]


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


@dataclass
class Work:
    """What a run has had done."""

    scored: int = 0
    """Pairs of a policy and an accelerator."""
    array_classes: int = 0
    """Numerics classes that trained networks were run on."""
    passes_made: int = 0

    def count(self, outcome: Outcome) -> None:
        """Add what was done for a trial that ended or paused."""
        if isinstance(outcome, NetworkFailure):
            return
        if isinstance(outcome, NetworkPause):
            self.scored += outcome.scored
            return
        self.scored += int(outcome.training.get("inner_scored", len(outcome.evaluations)))
        self.array_classes += int(outcome.training.get("array_classes", 0))
        self.passes_made += int(outcome.training.get("passes_made", 0))


class Observer(Protocol):
    """Watches a search; called in the driver's thread."""

    def sampler_chosen(self, choice: Choice) -> None:
        """Another sampler than before proposes the networks from here on."""
        ...

    def trial_started(self, number: int, candidate: Candidate) -> None:
        """A trial's job begins; it had to wait for a place until now."""
        ...

    def notice(self, text: str) -> None:
        """Something keeps the search from going on as fast as it could, or at all."""
        ...

    def epoch(self, report: EpochReport) -> None: ...

    def passes(self, report: PassReport) -> None:
        """A trained network begins a pass on real arrays."""
        ...

    def file(self, report: FileReport) -> None:
        """A stored file could not be used."""
        ...

    def trial_ended(self, outcome: Outcome, progress: Progress) -> None:
        """A trial ended, or paused."""
        ...


@dataclass(frozen=True)
class SearchSummary:
    """The study after a run; counts are of the whole study; ``wall_s``, ``scored``,
    ``array_classes`` and ``passes_made`` are of this run."""

    study: str
    complete: int
    failed: int
    paused: int
    """Stopped early."""
    running: int
    trainings: int
    """Trials whose network was trained for them."""
    trainings_reused: int
    """Trials whose network was reused."""
    evaluations: int
    """Points of the networks' fronts, all of which are stored."""
    scored: int
    """Pairs of a policy and an accelerator that this run scored to find them."""
    array_classes: int
    """Numerics classes that networks were run on in this run; 0 where arrays are ideal."""
    passes_made: int
    """Passes that this run made for them, those of verification included; others were found."""
    sampler: str
    """What proposes the next network; ``auto`` is resolved."""
    hypervolume: float
    hypervolumes: tuple[float, ...]
    """The hypervolume after each network, in the order in which they were done."""
    wall_s: float
    stopped: str
    goes_on: bool
    """Whether more trials would find something to do: the space and its own limits are not used up."""
    """Why the run ended."""


def summary_of(
    study: str,
    counts: StudyCounts,
    work: Work,
    scheduler: Scheduler,
    *,
    wall_s: float,
    stopped: str,
    goes_on: bool,
) -> SearchSummary:
    """The summary of a run that has ended."""
    return SearchSummary(
        study=study,
        complete=counts.complete,
        failed=counts.failed,
        paused=counts.paused,
        running=counts.running,
        trainings=counts.complete - counts.reused,
        trainings_reused=counts.reused,
        evaluations=counts.evaluations,
        **asdict(work),
        sampler=scheduler.sampler.sampler,
        hypervolume=scheduler.hypervolume,
        hypervolumes=scheduler.hypervolumes,
        wall_s=wall_s,
        stopped=stopped,
        goes_on=goes_on,
    )
