"""What a driver hears from its executor, passed on to whoever watches the search."""

from __future__ import annotations

from collections.abc import Callable

from aster_dse.search.automatic import Choice
from aster_dse.search.protocol import EpochReport, FileReport, JobStarted, Notice, Outcome, Report
from aster_dse.search.telling import Observer, Progress
from aster_dse.space import Candidate

__all__ = ["Announcer"]


class Announcer:
    """Tells ``observer``, where there is one, that a trial begins when its job really does."""

    def __init__(self, observer: Observer | None) -> None:
        self._observer = observer
        self._waiting: dict[int, Candidate] = {}

    def submitted(self, trial: int, candidate: Candidate) -> None:
        """A job was handed out; it may have to wait for a place."""
        self._waiting[trial] = candidate

    def started(self, trial: int) -> None:
        """A job begins, or has begun without having said so."""
        candidate = self._waiting.pop(trial, None)
        if candidate is not None and self._observer is not None:
            self._observer.trial_started(trial, candidate)

    def report(self, report: Report) -> None:
        """A job says how far it is."""
        self.started(report.trial)
        if self._observer is None:
            return
        if isinstance(report, EpochReport):
            self._observer.epoch(report)
        elif isinstance(report, FileReport):
            self._observer.file(report)
        else:
            self._observer.passes(report)

    def notice(self, notice: Notice) -> None:
        """The executor says what jobs begin, or wait for."""
        if isinstance(notice, JobStarted):
            self.started(notice.trial)
        else:
            self.tell(f"waiting: {notice.text}")

    def tell(self, text: str) -> None:
        """Something holds the search up."""
        if self._observer is not None:
            self._observer.notice(text)

    def sampler_chosen(self, choice: Choice) -> None:
        """Another sampler proposes from here on."""
        if self._observer is not None:
            self._observer.sampler_chosen(choice)

    def ended(self, outcome: Outcome, progress: Callable[[], Progress]) -> None:
        """A trial ended, or paused."""
        if self._observer is not None:
            self._observer.trial_ended(outcome, progress())
