"""The loop of a search: ask, hand out, wait, write down, tell. All that it must remember is in the store."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from aster_dse.errors import InputError
from aster_dse.evaluation.design_checks import check_designs
from aster_dse.evaluation.question import InnerQuestion
from aster_dse.search.history import past_looks, past_trials
from aster_dse.search.journal import Journal
from aster_dse.search.outcomes import keep_file, problem_of, refused
from aster_dse.search.protocol import (
    EpochReport,
    Executor,
    NetworkFailure,
    NetworkJob,
    NetworkPause,
    NetworkResult,
    Outcome,
    Report,
)
from aster_dse.search.reference import reference_point_of
from aster_dse.search.scheduler import Proposal, Scheduler
from aster_dse.search.telling import Observer, Progress, SearchSummary, Work
from aster_dse.space import Candidate, HardwareConfig, SearchSpace

if TYPE_CHECKING:
    from aster_dse.store.rows import StudyRow

__all__ = ["run_search"]

_HOPELESS = 5
"""Failures in a row, from the start of a search without any success, after which it stops."""


def run_search(
    store: Journal,
    study: StudyRow,
    space: SearchSpace,
    executor: Executor,
    *,
    artifacts: Path,
    trials: int,
    timeout_s: float | None = None,
    observer: Observer | None = None,
    stop: threading.Event | None = None,
) -> SearchSummary:
    """Search until the study has ``trials`` trials, going on from whatever the store knows.

    The seed is the study's; everything else about how to search is that of ``space.search``. Trials that an
    earlier driver left running are run again first. A trial that fails is recorded and the search goes on.
    On an interrupt or an error the executor is told to cancel, and all that had ended by then is in the
    store. The executor is left open in any case.

    Args:
        store: holds the study.
        study: as :func:`open_study` gives it.
        space: what the study searches.
        executor: runs the jobs.
        artifacts: folder of the trained networks' files.
        trials: complete, failed and paused ones that the study shall have in total.
        timeout_s: seconds after which no further trial is begun; those that run are waited for.
        observer: is told of what happens.
        stop: once set, no further trial is begun; those that run are waited for.

    Raises:
        InputError: the space is not the study's, or the accelerator model refuses all of it.
        AsterError: another driver works on the study (``LeaseHeldError``), or took it over.
    """
    started = time.monotonic()
    with store.lease(study.id):
        driver = _Driver(store, store.study(study.name), space, executor, artifacts, trials, observer)
        deadline = math.inf if timeout_s is None else started + timeout_s
        try:
            stopped = driver.drive(deadline, timeout_s, stop or threading.Event())
        except BaseException:
            executor.cancel()
            raise
        counts = store.counts(study.id)
    return SearchSummary(
        study=study.name,
        complete=counts.complete,
        failed=counts.failed,
        paused=counts.paused,
        running=counts.running,
        trainings=counts.complete - counts.reused,
        trainings_reused=counts.reused,
        evaluations=counts.evaluations,
        **asdict(driver.work),
        sampler=driver.scheduler.sampler.sampler,
        hypervolume=driver.scheduler.hypervolume,
        hypervolumes=driver.scheduler.hypervolumes,
        wall_s=time.monotonic() - started,
        stopped=stopped,
        goes_on=driver.goes_on,
    )


class _Driver:
    """One run of :func:`run_search`, under the lease."""

    def __init__(
        self,
        store: Journal,
        study: StudyRow,
        space: SearchSpace,
        executor: Executor,
        artifacts: Path,
        trials: int,
        observer: Observer | None,
    ) -> None:
        if space.hash != study.space_hash:
            raise InputError(
                f"study {study.name}", "the space is not the one it searches", "open the study first"
            )
        self._store = store
        self._study = study
        self._space = space
        self._executor = executor
        self._artifacts = artifacts
        self._target = trials
        self.work = Work()
        self.goes_on = True
        self._observer = observer
        self._in_flight: set[int] = set()
        reference = study.reference_point
        if reference is None:
            hardware = {path.partition(".")[2]: v for path, v in space.fixed.items() if "hardware." in path}
            check_designs(space.inner, HardwareConfig(**hardware))
            reference = reference_point_of(space, seed=study.seed)
            store.set_reference_point(study.id, reference)
        self._scheduler = Scheduler(space, seed=study.seed, sampler=space.search.sampler, reference=reference)
        past = past_trials(store, study.id, space)
        self._scheduler.replay(past, past_looks(store, study.id))
        self._orphans = deque(trial.number for trial in past if trial.running)
        counts = store.counts(study.id)
        self._complete = counts.complete
        self._failed = counts.failed
        self._reused = counts.reused
        self._gpu_hours = 0.0
        if space.search.gpu_hours is not None:
            if not executor.gpus:
                raise InputError("search.gpu_hours", "no training here reserves a GPU", "leave it out")
            wall_s = sum(trial.wall_s for trial in store.trials(study.id))
            self._gpu_hours = executor.gpus * wall_s / 3600.0
        self._sampler = ""
        self._failed_here = 0
        self._last_reason = ""

    @property
    def scheduler(self) -> Scheduler:
        return self._scheduler

    def drive(self, deadline: float, timeout_s: float | None, stop: threading.Event) -> str:
        """Run trials until there is a reason to stop; the reason."""
        while True:
            # Asked anew after every outcome: a look at one training may let another one go on.
            stopped = ""
            while not stopped and len(self._in_flight) < max(self._executor.slots, 1):
                stopped = self._reason(deadline, timeout_s, stop) or self._begin()
            if not self._in_flight:
                return stopped
            outcome = self._executor.wait(None if self._observer is None else self._report)
            # An executor that retries may deliver a trial twice; the first outcome stands.
            if outcome.trial in self._in_flight and not self._known(outcome):
                self._end(outcome)
                self._in_flight.discard(outcome.trial)

    def _report(self, report: Report) -> None:
        if self._observer is not None:
            if isinstance(report, EpochReport):
                self._observer.epoch(report)
            else:
                self._observer.passes(report)

    def _reason(self, deadline: float, timeout_s: float | None, stop: threading.Event) -> str:
        if stop.is_set():
            return "asked to stop"
        if time.monotonic() >= deadline:
            return f"the {timeout_s:g} s allowed are over"
        settings = self._space.search
        trained = self._complete - self._reused + self._failed + self._scheduler.paused
        full = settings.trainings is not None and trained + len(self._in_flight) >= settings.trainings
        # Those that have begun may go on.
        if full and not self._orphans and self._scheduler.promoted() is None:
            self.goes_on = False
            return f"{settings.trainings} networks are trained"
        if settings.gpu_hours is not None and self._gpu_hours >= settings.gpu_hours:
            self.goes_on = False
            return f"the {settings.gpu_hours:g} GPU hours are used up"
        if settings.patience is not None and self._scheduler.stale >= settings.patience:
            self.goes_on = False
            return f"the hypervolume has stood still for {self._scheduler.stale} networks"
        if self._failed_here >= _HOPELESS and self._complete == 0 and not self._scheduler.looked:
            return (
                f"the first {self._failed_here} trials all failed, the last one because: {self._last_reason}"
            )
        return ""

    # --- one trial

    def _begin(self) -> str:
        """Hand out one more trial; or the reason why there is none."""
        if self._orphans:
            number = self._orphans.popleft()
            self._store.requeue(self._study.id, number)
            self._submit(number, self._scheduler.running(number))
            return ""
        promoted = self._scheduler.promoted()
        if promoted is not None:
            self._store.continue_trial(self._study.id, promoted)
            self._submit(promoted, self._scheduler.go_on(promoted))
            return ""
        begun = self._complete + self._failed + self._scheduler.paused + len(self._in_flight)
        if begun >= self._target:
            return f"the study has its {self._target} trials"
        number = self._scheduler.next_number
        choice = self._scheduler.sampler
        if choice.sampler != self._sampler and self._observer is not None:
            self._observer.sampler_chosen(choice)
        self._sampler = choice.sampler
        proposal = self._scheduler.ask(number)
        if proposal is None:
            self.goes_on = False
            return "every network of the space has been tried"
        candidate = self._space.candidate(proposal.assignment)
        self._store.begin_trial(
            self._study.id,
            number,
            assignment=proposal.assignment,
            candidate=candidate.model_dump(mode="json"),
            training_key=candidate.training_key(),
        )
        self._submit(number, proposal)
        return ""

    def _submit(self, number: int, proposal: Proposal) -> None:
        candidate = self._space.candidate(proposal.assignment)
        job = NetworkJob(
            study=self._study.name,
            trial=number,
            candidate=candidate,
            inner=(),
            constraints=tuple(str(bound) for bound in self._space.constraints),
            artifacts=str(self._artifacts),
            question=self._question(proposal.seed),
            pause_at=self._scheduler.pause_at(number),
            files=self._checkpoint(number, candidate),
        )
        self._executor.submit(job)
        self._in_flight.add(number)
        if self._observer is not None:
            self._observer.trial_started(number, job.candidate)

    def _question(self, seed: int) -> InnerQuestion:
        space = self._space
        return InnerQuestion(
            parameters=space.inner,
            inactive={parameter.path: space.fixed[parameter.path] for parameter in space.inner},
            objectives=dict(space.objectives),
            constraints=tuple(str(bound) for bound in space.constraints),
            count=space.search.inner,
            seed=seed,
            passes=space.search.passes,
        )

    def _checkpoint(self, number: int, candidate: Candidate) -> dict[str, bytes]:
        """Where a training that paused stands: the worker that goes on may not see this disk."""
        if not self._scheduler.last_look(number):
            return {}
        from aster_dse.training.checkpoint import EPOCH_FILE

        path = self._artifacts / candidate.training_key() / EPOCH_FILE
        return {EPOCH_FILE: path.read_bytes()} if path.is_file() else {}

    def _known(self, outcome: Outcome) -> bool:
        """A pause that was delivered before; the trial goes on by now."""
        return isinstance(outcome, NetworkPause) and outcome.epoch <= self._scheduler.last_look(outcome.trial)

    def _end(self, outcome: Outcome) -> None:
        if not isinstance(outcome, NetworkFailure):
            problem = problem_of(outcome, self._space)
            if problem:
                outcome = refused(outcome, problem)
            elif isinstance(outcome, NetworkResult):
                outcome = self._finish(outcome)
            else:
                outcome = self._pause(outcome)
        if isinstance(outcome, NetworkFailure):
            self._store.fail_trial(self._study.id, outcome)
            self._scheduler.tell_failure(outcome.trial)
            self._failed += 1
            self._failed_here += 1
            self._last_reason = outcome.reason
        elif isinstance(outcome, NetworkPause):
            self._gpu_hours += self._executor.gpus * outcome.wall_s / 3600.0
        else:
            self._complete += 1
            self._reused += outcome.reused
            self._gpu_hours += self._executor.gpus * outcome.wall_s / 3600.0
        self.work.count(outcome)
        if self._observer is not None:
            self._observer.trial_ended(outcome, self._progress())

    def _pause(self, pause: NetworkPause) -> Outcome:
        for name, content in pause.files.items():
            keep_file(self._artifacts / pause.training_key, name, content)
        kept = tuple(pause.evaluations[index] for index in self._scheduler.keep(pause.evaluations))
        try:
            self._store.pause_trial(self._study.id, replace(pause, evaluations=kept))
        except ValueError as error:
            return refused(pause, " ".join(str(error).split()))
        self._scheduler.pause(pause.trial, pause.epoch, kept)
        return pause

    def _finish(self, result: NetworkResult) -> Outcome:
        for name, content in result.files.items():
            keep_file(self._artifacts / result.training_key, name, content)
        if self._scheduler.last_look(result.trial):
            from aster_dse.training.checkpoint import EPOCH_FILE

            (self._artifacts / result.training_key / EPOCH_FILE).unlink(missing_ok=True)
        told = self._scheduler.choose(result.evaluations)
        try:
            self._store.finish_trial(self._study.id, result, told)
        except ValueError as error:
            # The store takes no figure that is not finite, wherever in the result it stands.
            return refused(result, " ".join(str(error).split()))
        self._scheduler.tell(result.trial, result.evaluations, told)
        return result

    def _progress(self) -> Progress:
        return Progress(
            complete=self._complete,
            failed=self._failed,
            paused=self._scheduler.paused,
            target=self._target,
            evaluations=self._scheduler.evaluations,
            scored=self.work.scored,
            front_size=len(
                {tuple(p.metrics[name] for name in self._space.objectives) for p in self._scheduler.front}
            ),
            hypervolume=self._scheduler.hypervolume,
            best=self._scheduler.best,
        )
