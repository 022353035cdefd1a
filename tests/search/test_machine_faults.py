"""A fault of the machine is no outcome of a network: it is waited for, or ends the search with one line."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from analytic_jobs import AnalyticJobs, content, nothing, search, space

from aster_dse.errors import InputError, MachineFaultError, NotFoundError, PassError, machine_fault
from aster_dse.search.interruptions import Patience
from aster_dse.search.protocol import NetworkFailure, NetworkJob, NetworkResult, Outcome
from aster_dse.search.serial import SerialExecutor
from aster_dse.store import StudyStore

QUICK = Patience(fault_s=0.4, memory_s=0.2, pause_s=0.02, longest_pause_s=0.1)


def translated(error: BaseException, *, silent: bool) -> BaseException:
    """The error as our own words for it."""
    try:
        try:
            raise error
        except BaseException as cause:
            if silent:
                raise InputError("x.npz", "cannot be read") from None
            raise PassError("key", "4 bits", "failed") from cause
    except (InputError, PassError) as ours:
        return ours


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        *[
            (OSError(number, os.strerror(number)), "machine")
            for number in (
                errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.ESTALE, errno.EACCES,
                errno.EPERM, errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.ETIMEDOUT, errno.EMFILE,
            )
        ],
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory"),
        (MemoryError(), "memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "memory"),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "machine"),
        (RuntimeError("can't start new thread"), "memory"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), "data"),
        (NotFoundError("imagenet: no data/imagenet"), "data"),
        (RuntimeError("I/O error: Input/output error (os error 5)"), "machine"),
        (RuntimeError("failed to map an empty file (os error 22)"), ""),
        (OSError("a file that Pillow cannot read"), ""),
        (FileExistsError(errno.EEXIST, "File exists"), ""),
        (ValueError("No space left on device"), ""),
        (RuntimeError("expected scalar type"), ""),
        (ZeroDivisionError("division by zero"), ""),
        (InputError("network.width", "7 is odd"), ""),
        (KeyboardInterrupt(), ""),
    ],
    ids=repr,
)  # fmt: skip
def test_faults_of_the_machine_are_told_from_others(error: BaseException, kind: str) -> None:
    assert machine_fault(error) == kind
    for silent in (True, False):
        assert machine_fault(translated(error, silent=silent)) == kind


def test_an_error_that_came_up_while_another_was_handled_is_itself() -> None:
    def broken() -> None:
        try:
            raise FileNotFoundError(errno.ENOENT, "no trace yet")
        except FileNotFoundError:
            raise ZeroDivisionError  # noqa: B904 - the case in question

    with pytest.raises(ZeroDivisionError) as caught:
        broken()
    assert machine_fault(caught.value) == ""


def test_a_machine_fault_crosses_processes() -> None:
    error = pickle.loads(pickle.dumps(MachineFaultError("the disk is full")))
    assert (str(error), error.exit_code) == ("the disk is full", 5)


def failing(kind: str, when: Callable[[NetworkJob], bool]) -> AnalyticJobs:
    def change(job: NetworkJob, result: NetworkResult) -> Outcome:
        if when(job):
            return NetworkFailure(job.trial, result.training_key, kind, f"a fault of {kind}")
        return result

    return AnalyticJobs(change)


class Watching:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def notice(self, text: str) -> None:
        self.said.append(text)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


class AtOnce(SerialExecutor):
    """Several jobs at once; the newest ends first."""

    slots = 4  # type: ignore[assignment]
    most: int = 0

    def wait(self, on_report: Any = None) -> Outcome:
        self.most = max(self.most, len(self._queue))
        self.at_once = len(self._queue)
        self._queue.rotate(1)
        return super().wait(on_report)


@pytest.mark.parametrize("kind", ["machine", "data", "memory"])
def test_a_fault_that_passes_fails_no_trial(sqlite_url: str, kind: str) -> None:
    began: list[float] = []
    watching = Watching()

    def lasts(job: NetworkJob) -> bool:
        if job.trial == 2:
            began.append(time.monotonic())
        return job.trial == 2 and began[-1] - began[0] < 0.1

    jobs = failing(kind, lasts)
    summary = search(sqlite_url, space(), 6, jobs=jobs, patience=QUICK, observer=watching)
    assert (summary.complete, summary.failed, summary.running) == (6, 0, 0)
    assert any(f"trial 2 is interrupted: a fault of {kind}" in text for text in watching.said)
    assert all("trying again in" in text for text in watching.said)
    with StudyStore(sqlite_url) as store:
        study = store.study("s")
        attempts = store.attempts(study.id, 2)
        assert {(one.state, one.kind) for one in attempts[:-1]} == {("lost", kind)}
        assert attempts[-1].state == "complete"
        assert store.trial(study.id, 2).failure_kind != kind
    search(sqlite_url, space(), 6, study="undisturbed")
    assert content(sqlite_url, "s") == content(sqlite_url, "undisturbed")


@pytest.mark.parametrize("kind", ["machine", "data"])
def test_a_fault_that_stays_ends_the_search_and_the_trial_is_interrupted(sqlite_url: str, kind: str) -> None:
    with pytest.raises(MachineFaultError, match=f"trial 3 is interrupted: a fault of {kind}") as caught:
        search(sqlite_url, space(), 12, jobs=failing(kind, lambda job: job.trial >= 3), patience=QUICK)
    assert caught.value.exit_code == 5
    assert "\n" not in str(caught.value)
    with StudyStore(sqlite_url) as store:
        counts = store.counts(store.study("s").id)
    assert (counts.complete, counts.failed, counts.running) == (3, 0, 1)
    summary = search(sqlite_url, space(), 12)
    assert (summary.complete, summary.failed) == (12, 0)


def test_a_lack_of_memory_lowers_the_jobs_at_once(sqlite_url: str) -> None:
    jobs = failing("memory", lambda _: executor.at_once > 1)
    executor = AtOnce(run=jobs, load=nothing)
    summary = search(sqlite_url, space(), 8, executor=executor, patience=QUICK)
    assert (summary.complete, summary.failed) == (8, 0)
    assert executor.most == 4
    assert executor.at_once == 1


def test_a_network_that_lacks_memory_alone_fails_for_it(sqlite_url: str) -> None:
    jobs = failing("memory", lambda job: job.trial == 1)
    executor = AtOnce(run=jobs, load=nothing)
    summary = search(sqlite_url, space(), 6, executor=executor, patience=QUICK)
    assert (summary.complete, summary.failed) == (5, 1)
    with StudyStore(sqlite_url) as store:
        trial = store.trial(store.study("s").id, 1)
    assert (trial.state, trial.failure_kind) == ("failed", "memory")
    assert len([job for job in jobs.jobs if job.trial == 1]) >= 2


def test_a_stop_ends_the_wait(sqlite_url: str) -> None:
    stop = threading.Event()

    class Stopping(Watching):
        def notice(self, text: str) -> None:
            super().notice(text)
            threading.Timer(0.2, stop.set).start()

    summary = search(
        sqlite_url, space(), 4, jobs=failing("machine", lambda _: True), stop=stop, observer=Stopping(),
        patience=Patience(pause_s=60.0),
    )  # fmt: skip
    assert (summary.stopped, summary.running, summary.failed) == ("asked to stop", 1, 0)
    assert search(sqlite_url, space(), 4).complete == 4


def test_files_are_kept_once_there_is_room_for_them(sqlite_url: str, tmp_path: Path) -> None:
    """The driver's own disk: something else is in the place of the folder for a while."""
    artifacts = tmp_path / "artifacts"
    artifacts.touch()

    def send(job: NetworkJob, result: NetworkResult) -> Outcome:
        return NetworkResult(**{**vars(result), "files": {"network.safetensors": b"%d" % job.trial}})

    class Watcher(Watching):
        def notice(self, text: str) -> None:
            super().notice(text)
            if len(self.said) == 2:
                artifacts.unlink()

    watching = Watcher()
    summary = search(
        sqlite_url,
        space(),
        3,
        jobs=AnalyticJobs(send),
        artifacts=artifacts,
        patience=QUICK,
        observer=watching,
    )
    assert (summary.complete, summary.failed) == (3, 0)
    assert len(list(artifacts.glob("*/network.safetensors"))) == 3
    assert "the files of trial 0 cannot be written" in watching.said[0]
    shutil.rmtree(artifacts)
    artifacts.touch()
    with pytest.raises(MachineFaultError, match="the files of trial 3 cannot be written"):
        search(sqlite_url, space(), 5, jobs=AnalyticJobs(send), artifacts=artifacts, patience=QUICK)
    artifacts.unlink()
    assert search(sqlite_url, space(), 5, jobs=AnalyticJobs(send), artifacts=artifacts).complete == 5


def test_trials_that_failed_are_run_again_on_demand(sqlite_url: str) -> None:
    def mixed(job: NetworkJob, result: NetworkResult) -> Outcome:
        kinds = {1: "error", 2: "diverged", 4: "error"}
        kind = kinds.get(job.trial)
        return result if kind is None else NetworkFailure(job.trial, result.training_key, kind, "a reason")

    assert search(sqlite_url, space(), 6, jobs=AnalyticJobs(mixed)).failed == 3
    jobs = AnalyticJobs()
    summary = search(sqlite_url, space(), 6, jobs=jobs, retry_failed=("error",))
    assert (summary.complete, summary.failed, [job.trial for job in jobs.jobs]) == (5, 1, [1, 4])
    assert search(sqlite_url, space(), 6, jobs=AnalyticJobs(mixed), retry_failed=("all",)).failed == 1
    assert search(sqlite_url, space(), 6, retry_failed=("all",)).failed == 0
    assert search(sqlite_url, space(), 8).complete == 8


def test_a_small_space_is_not_used_up_by_failures(sqlite_url: str) -> None:
    few = space("network.depth=1", "training.learning_rate=0.01")
    dead = search(sqlite_url, few, 8, jobs=failing("error", lambda _: True))
    assert (dead.failed, dead.stopped) == (3, "every network of the space has been tried")
    assert search(sqlite_url, few, 8, retry_failed=("all",)).complete == 3
