"""Progress of a search on stderr: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aster_dse.cli.output import console, duration, number, say

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from aster_dse.search.automatic import Choice
    from aster_dse.search.protocol import EpochReport, FileReport, NetworkResult, Outcome, PassReport, Report
    from aster_dse.search.telling import Observer, Progress
    from aster_dse.space import Candidate

__all__ = ["clock", "report_lines", "search_progress"]

LINE_EVERY_S = 5.0
"""Lines of running trainings are at least this far apart; that a trial ended is always told."""
_PASSES_SHARE = 0.3
"""What passes are taken to need of a trial's time until the first trial has ended."""


@contextmanager
def search_progress(target: int, done: int) -> Iterator[Observer]:
    """Show a search while the block runs.

    Args:
        target: trials that the study shall have.
        done: trials that it has already.
    """
    state = _State(target, done)
    if not sys.stderr.isatty():
        yield _Lines(state)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    # In a narrow window the facts are cut, not the bars.
    rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[facts]}", table_column=rest),
    )
    with Progress(*columns, console=console(stderr=True), transient=True, expand=True) as bars:
        yield _Bars(state, bars)


def report_lines(label: Callable[[Report], str]) -> Callable[[Report], None]:
    """A line on stderr now and then, for whoever only trains and evaluates."""
    from aster_dse.search.protocol import FileReport

    last = -LINE_EVERY_S

    def report(report: Report) -> None:
        nonlocal last
        if isinstance(report, FileReport):
            say(report.text)
            return
        now = time.monotonic()
        if now - last >= LINE_EVERY_S or _is_last(report):
            last = now
            say(f"{label(report)}: {_at(report)}")

    return report


def _is_last(report: Report) -> bool:
    from aster_dse.search.protocol import EpochReport

    return isinstance(report, EpochReport) and report.epoch == report.epochs


def _at(report: EpochReport | PassReport) -> str:
    from aster_dse.search.protocol import EpochReport

    if isinstance(report, EpochReport):
        return f"epoch {report.epoch} of {report.epochs}, accuracy {report.accuracy:.3f}"
    return f"pass {report.number} of at most {report.at_most}"


@dataclass
class _State:
    """How far the search is, the parts of running trainings and passes counted."""

    target: int
    done: int
    started: float = field(default_factory=time.monotonic)
    before: int = field(init=False)
    running: dict[int, float] = field(default_factory=dict)
    _real: set[int] = field(default_factory=set)
    _shares: list[float] = field(default_factory=list)
    """What passes took of the time of trials that ended."""

    def __post_init__(self) -> None:
        self.before = self.done

    def begin(self, number: int, candidate: Candidate) -> None:
        """A trial begins, or goes on."""
        self.running[number] = 0.0
        if candidate.hardware.arrays == "real":
            self._real.add(number)

    def report(self, report: EpochReport | PassReport) -> None:
        """Count what a running trial has behind it."""
        from aster_dse.search.protocol import EpochReport

        passes = self._passes_share if report.trial in self._real else 0.0
        if isinstance(report, EpochReport):
            self.running[report.trial] = (1.0 - passes) * report.epoch / report.epochs
        else:
            begun = (report.number - 1) / max(report.at_most, 1)
            self.running[report.trial] = 1.0 - passes + passes * min(begun, 1.0)

    def end(self, outcome: Outcome, progress: Progress) -> None:
        """A trial ended, or paused."""
        from aster_dse.search.protocol import NetworkResult

        self.running.pop(outcome.trial, None)
        self.done = progress.complete + progress.failed + progress.paused
        if isinstance(outcome, NetworkResult) and not outcome.reused and outcome.wall_s > 0.0:
            seconds = outcome.training.get("passes_s")
            self._shares += [] if seconds is None else [min(seconds / outcome.wall_s, 1.0)]

    @property
    def _passes_share(self) -> float:
        return sum(self._shares) / len(self._shares) if self._shares else _PASSES_SHARE

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.started

    @property
    def left_s(self) -> float | None:
        """Seconds to the end at the pace so far; None while there is no pace."""
        worked = self.done - self.before + sum(self.running.values())
        if worked < 0.2:
            return None
        return self.elapsed_s / worked * max(0.0, self.target - self.before - worked)

    def left(self) -> str:
        """In words; empty at the end, and while there is no pace."""
        return f"about {duration(self.left_s)} left" if self.left_s and self.done < self.target else ""


def _chosen(choice: Choice) -> str:
    return f"networks are proposed by {choice.sampler} ({choice.reason})"


def _ended(outcome: Outcome) -> str:
    from aster_dse.search.protocol import NetworkFailure, NetworkPause

    if isinstance(outcome, NetworkFailure):
        return f"trial {outcome.trial} failed ({outcome.kind}): {outcome.reason}"
    if isinstance(outcome, NetworkPause):
        return (
            f"trial {outcome.trial} paused after epoch {outcome.epoch}, accuracy {number(outcome.accuracy)}"
        )
    accuracy = outcome.training.get("accuracy")
    work = "network reused" if outcome.reused else f"trained in {duration(outcome.wall_s)}"
    return f"trial {outcome.trial} done: {work}, accuracy {number(accuracy)}{_on_arrays(outcome)}"


def _on_arrays(outcome: NetworkResult) -> str:
    """What the arrays left of the accuracy, and what could not be run; empty where arrays are ideal."""
    if "passes_made" not in outcome.training:
        return ""
    best = max((e.metrics["accuracy"] for e in outcome.evaluations), default=None)
    failed = outcome.training["passes_failed"]
    words = f" (best on arrays {number(best)}; {number(outcome.training['passes_made'])} passes made)"
    return words + "".join(f"; a pass failed: {reason}" for reason in failed)


def _facts(progress: Progress) -> str:
    best = progress.best.get("accuracy")
    parts = [f"best accuracy {best:.3f}"] if best is not None else []
    parts += [f"front {progress.front_size}", f"hypervolume {progress.hypervolume:.4g}"]
    parts += [f"{progress.scored:,} scored"]
    parts += [f"{progress.paused} paused"] if progress.paused else []
    return ", ".join(parts + ([f"{progress.failed} failed"] if progress.failed else []))


class _Lines:
    def __init__(self, state: _State) -> None:
        self._state = state
        self._last = 0.0
        self._begun: set[int] = set()

    def sampler_chosen(self, choice: Choice) -> None:
        self._print(_chosen(choice))

    def trial_started(self, number: int, candidate: Candidate) -> None:
        self._state.begin(number, candidate)
        if number in self._begun:
            self._print(f"trial {number} goes on")
            return
        self._begun.add(number)
        network = candidate.network
        self._print(f"trial {number} started: width {network.width}, depth {network.depth}, {network.neuron}")

    def notice(self, text: str) -> None:
        self._print(text)

    def epoch(self, report: EpochReport) -> None:
        self._report(report)

    def passes(self, report: PassReport) -> None:
        self._report(report)

    def file(self, report: FileReport) -> None:
        self._print(report.text)

    def _report(self, report: EpochReport | PassReport) -> None:
        self._state.report(report)
        if time.monotonic() - self._last >= LINE_EVERY_S:
            self._print(f"trial {report.trial}: {_at(report)}", self._state.left())

    def trial_ended(self, outcome: Outcome, progress: Progress) -> None:
        self._state.end(outcome, progress)
        self._print(
            f"{_ended(outcome)} | {self._state.done} of {progress.target} trials, {_facts(progress)}",
            self._state.left(),
        )

    def _print(self, *facts: str) -> None:
        self._last = time.monotonic()
        say(f"[{clock(self._state.elapsed_s)}] {_joined(*facts)}")


class _Bars:
    def __init__(self, state: _State, bars: Bars) -> None:
        self._state = state
        self._bars = bars
        self._all = bars.add_task("trials", total=state.target, completed=state.done, facts="")
        self._tasks: dict[int, TaskID] = {}
        self._known = ""

    def sampler_chosen(self, choice: Choice) -> None:
        self._bars.console.print(_chosen(choice))

    def trial_started(self, number: int, candidate: Candidate) -> None:
        self._state.begin(number, candidate)
        if number in self._tasks:  # interrupted before
            self._bars.remove_task(self._tasks.pop(number))
        self._tasks[number] = self._bars.add_task(
            f"trial {number}", total=candidate.training.epochs, facts=""
        )

    def notice(self, text: str) -> None:
        self._bars.console.print(text)

    def epoch(self, report: EpochReport) -> None:
        facts = f"accuracy {report.accuracy:.3f}"
        self._report(report, completed=report.epoch, total=report.epochs, facts=facts)

    def passes(self, report: PassReport) -> None:
        # Found passes are not reported, nor are all made that might be: the bar may end early.
        self._report(report, completed=report.number - 1, total=report.at_most, facts=_at(report))

    def file(self, report: FileReport) -> None:
        self._bars.console.print(report.text)

    def _report(self, report: EpochReport | PassReport, *, completed: int, total: int, facts: str) -> None:
        self._state.report(report)
        if report.trial in self._tasks:
            task = self._tasks[report.trial]
            self._bars.update(task, completed=completed, total=total, facts=facts)
        self._bars.update(self._all, facts=_joined(self._state.left(), self._known))

    def trial_ended(self, outcome: Outcome, progress: Progress) -> None:
        self._state.end(outcome, progress)
        if outcome.trial in self._tasks:
            self._bars.remove_task(self._tasks.pop(outcome.trial))
        self._known = _facts(progress)
        self._bars.update(
            self._all, completed=self._state.done, facts=_joined(self._state.left(), self._known)
        )
        self._bars.console.print(_ended(outcome))


def _joined(*facts: str) -> str:
    return ", ".join(fact for fact in facts if fact)


def clock(seconds: float) -> str:
    """``02:05``, ``1:02:05``."""
    whole = int(seconds)
    hours = f"{whole // 3600}:" if whole >= 3600 else ""
    return f"{hours}{whole % 3600 // 60:02d}:{whole % 60:02d}"
