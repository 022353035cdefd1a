"""The loop of a search: ask, hand out, wait, write down, tell. All that it must remember is in the store."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from aster_dse.errors import DataMismatchError, InputError
from aster_dse.hardware.documents import user_files
from aster_dse.hardware.sources import ModelRecord, model_record
from aster_dse.search.announcing import Announcer
from aster_dse.search.history import past_looks, past_trials
from aster_dse.search.interruptions import Interruptions, Patience
from aster_dse.search.journal import Journal
from aster_dse.search.kept_files import keep_files
from aster_dse.search.outcomes import problem_of, refused
from aster_dse.search.protocol import (
    Executor,
    FileReport,
    NetworkFailure,
    NetworkPause,
    NetworkResult,
    Outcome,
)
from aster_dse.search.reference import fixed_reference_point
from aster_dse.search.rescoring import rescore, rescore_others
from aster_dse.search.scheduler import Proposal, Scheduler
from aster_dse.search.telling import Observer, Progress, SearchSummary, Work, summary_of
from aster_dse.search.trial_jobs import TrialJobs
from aster_dse.space import SearchSpace
from aster_dse.stored_files import SetAside, forget

if TYPE_CHECKING:
    from aster_dse.store.rows import StudyRow

__all__ = ["check_executor", "run_search"]

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
    rescored: ModelRecord | None = None,
    patience: Patience | None = None,
    retry_failed: Collection[str] = (),
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
        rescored: take back every figure of the study first, and score its networks anew with this.
        patience: how long faults of the machine may last.
        retry_failed: kinds of failure; trials that failed so are run again first. ``all`` stands for all.

    Raises:
        MachineFaultError: disk, memory, data or a device was missing for too long. The trials that met it are
            interrupted: the next run goes on with them.
        InputError: the space is not the study's, or the accelerator model refuses all of it.
        AsterError: another driver works on the study (``LeaseHeldError``), or took it over.
    """
    started = time.monotonic()
    with store.lease(study.id), ExitStack() as reading:
        if rescored is not None:
            store.begin_rescoring(study.id, rescored)
        study = store.study(study.name)
        texts = (study.model or model_record(space)).texts
        reading.enter_context(user_files(texts))
        stop, announcer = stop or threading.Event(), Announcer(observer)
        deadline = math.inf if timeout_s is None else started + timeout_s
        executor.on_notice = announcer.notice
        try:
            rescore(store, study, executor, artifacts, observer, texts)
            driver = _Driver(
                store, store.study(study.name), space, executor, artifacts, trials, announcer, stop, patience,
                retry_failed, texts,
            )  # fmt: skip
            stopped = driver.drive(deadline, timeout_s, stop)
            rescore(store, study, executor, artifacts, observer, texts)
        except BaseException:
            executor.cancel()
            raise
        finally:
            executor.on_notice = None
        counts = store.counts(study.id)
    rescore_others(store, study, executor, artifacts, observer)
    return summary_of(
        study.name,
        counts,
        driver.work,
        driver.scheduler,
        wall_s=time.monotonic() - started,
        stopped=stopped,
        goes_on=driver.goes_on,
    )


def check_executor(space: SearchSpace, executor: Executor) -> None:
    """Make sure that an executor can train what a space asks for.

    Raises:
        InputError: no training reserves a GPU, and there is a bound on GPU hours, or all train in a precision
            that needs one.
    """
    if executor.gpus:
        return
    if space.search.gpu_hours is not None:
        raise InputError("search.gpu_hours", "no training here reserves a GPU", "leave it out")
    searched = next((p for p in space.parameters if p.path == "training.amp"), None)
    precisions = (space.fixed["training.amp"],) if searched is None else searched.values() or ()
    if set(precisions) == {"fp16"}:
        raise InputError("training.amp", "fp16 needs a GPU, and no training here reserves one", "bf16 or off")


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
        announcer: Announcer,
        stop: threading.Event,
        patience: Patience | None,
        retry_failed: Collection[str],
        texts: Mapping[str, str],
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
        self._jobs = TrialJobs(store, study, space, artifacts, texts)
        self._target = trials
        self.work = Work()
        self.goes_on = True
        self._announcer = announcer
        self._in_flight: set[int] = set()
        self._interruptions = Interruptions(announcer.tell, stop.is_set, patience or Patience())
        reference = fixed_reference_point(store, study, space)
        self._scheduler = Scheduler(space, seed=study.seed, sampler=space.search.sampler, reference=reference)
        past = past_trials(store, study.id, space, again=retry_failed)
        self._scheduler.replay(past, past_looks(store, study.id))
        self._orphans = deque(trial.number for trial in past if trial.running)
        counts = store.counts(study.id)
        self._complete = counts.complete
        self._failed = counts.failed - (len(self._orphans) - counts.running)
        self._reused = counts.reused
        self._gpu_hours = 0.0
        if space.search.gpu_hours is not None:
            check_executor(space, executor)
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
            while not stopped and self._has_room():
                stopped = self._reason(deadline, timeout_s, stop) or self._begin()
            if not self._in_flight:
                stopped = stopped or self._reason(deadline, timeout_s, stop)
                if stopped:
                    return stopped
                self._interruptions.wait()
                continue
            outcome = self._executor.wait(self._announcer.report)
            # An executor that retries may deliver a trial twice; the first outcome stands.
            if outcome.trial in self._in_flight and not self._known(outcome):
                self._announcer.started(outcome.trial)
                self._end(outcome)
                self._in_flight.discard(outcome.trial)

    def _has_room(self) -> bool:
        slots = min(max(self._executor.slots, 1), self._interruptions.limit)
        return len(self._in_flight) < slots and self._interruptions.ready()

    def _reason(self, deadline: float, timeout_s: float | None, stop: threading.Event) -> str:
        if stop.is_set():
            return "asked to stop"
        if time.monotonic() >= deadline:
            return f"the {timeout_s:g} s allowed are over"
        settings = self._space.search
        trained = self._complete - self._reused + self._failed + self._scheduler.paused
        full = settings.trainings is not None and trained + len(self._in_flight) >= settings.trainings
        # Those that have begun may go on.
        begun = self._orphans or self._interruptions.waiting
        if full and not begun and self._scheduler.promoted() is None:
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
        if self._interruptions.waiting:
            number = self._interruptions.waiting.popleft()
            self._store.requeue(self._study.id, number, self._interruptions.reasons.pop(number))
            self._submit(number, self._scheduler.running(number))
            return ""
        if self._orphans:
            number = self._orphans.popleft()
            self._store.requeue(self._study.id, number)
            self._submit(number, self._scheduler.running(number), begun_before=True)
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
        if choice.sampler != self._sampler:
            self._announcer.sampler_chosen(choice)
        self._sampler = choice.sampler
        proposal = self._scheduler.ask(number)
        if proposal is None:
            self.goes_on = False
            return "every network of the space has been tried"
        candidate = self._jobs.candidate(number, proposal)
        self._store.begin_trial(
            self._study.id,
            number,
            assignment=proposal.assignment,
            candidate=candidate.model_dump(mode="json"),
            training_key=candidate.training_key(),
        )
        self._submit(number, proposal)
        return ""

    def _submit(self, number: int, proposal: Proposal, *, begun_before: bool = False) -> None:
        def aside(file: SetAside) -> None:
            self._announcer.report(FileReport(number, str(file)))

        job = self._jobs.job(
            number,
            proposal,
            pause_at=self._scheduler.pause_at(number),
            begun_before=begun_before or bool(self._scheduler.last_look(number)),
            on_damage=aside,
        )
        self._executor.submit(job)
        self._in_flight.add(number)
        self._announcer.submitted(number, job.candidate)

    def _known(self, outcome: Outcome) -> bool:
        """A pause that was delivered before; the trial goes on by now."""
        return isinstance(outcome, NetworkPause) and outcome.epoch <= self._scheduler.last_look(outcome.trial)

    def _end(self, outcome: Outcome) -> None:
        if isinstance(outcome, NetworkFailure) and self._interruptions.is_interruption(
            outcome, len(self._in_flight)
        ):
            return
        self._interruptions.recovered()
        if not isinstance(outcome, NetworkFailure):
            problem = problem_of(outcome, self._space)
            if problem:
                outcome = refused(outcome, problem)
            elif isinstance(outcome, NetworkResult):
                outcome = self._finish(outcome)
            else:
                outcome = self._pause(outcome)
        if isinstance(outcome, NetworkFailure) and outcome.kind == "mismatch":
            # Says nothing of the network: its trial is interrupted, and resumed with the right data.
            raise DataMismatchError(f"study {self._study.name}", outcome.reason, "")
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
            # A network that this study trained before, and that is scored anew, was not found.
            self._reused = self._store.counts(self._study.id).reused if outcome.reused else self._reused
            self._gpu_hours += self._executor.gpus * outcome.wall_s / 3600.0
        self.work.count(outcome)
        self._announcer.ended(outcome, self._progress)

    def _pause(self, pause: NetworkPause) -> Outcome:
        self._interruptions.try_again(
            lambda: keep_files(self._artifacts, pause), f"the files of trial {pause.trial} cannot be written"
        )
        kept = tuple(pause.evaluations[index] for index in self._scheduler.keep(pause.evaluations))
        try:
            self._store.pause_trial(self._study.id, replace(pause, evaluations=kept))
        except ValueError as error:
            return refused(pause, " ".join(str(error).split()))
        self._scheduler.pause(pause.trial, pause.epoch, kept)
        return pause

    def _finish(self, result: NetworkResult) -> Outcome:
        self._interruptions.try_again(
            lambda: keep_files(self._artifacts, result),
            f"the files of trial {result.trial} cannot be written",
        )
        if self._scheduler.last_look(result.trial):
            from aster_dse.training.checkpoint import EPOCH_FILE

            forget(self._artifacts / result.training_key / EPOCH_FILE)
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
