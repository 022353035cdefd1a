"""Run jobs one after the other in this process, and the rules by which any executor runs one."""

from __future__ import annotations

import platform
import resource
import sys
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from aster_dse.errors import AsterError, DataMismatchError, machine_fault
from aster_dse.search.protocol import JobStarted, NetworkFailure, NetworkJob, Notice, Outcome, Report
from aster_dse.space import WorkloadConfig
from aster_dse.workload import Workload, stays_on_disk
from aster_dse.workload.trees import data_root

__all__ = ["LoadWorkload", "RunJob", "SerialExecutor", "execute", "failure", "measured"]


class RunJob(Protocol):
    """Does a job's work. Picklable by reference where jobs run in other processes."""

    def __call__(
        self, job: NetworkJob, *, workload: Workload | None, on_report: Callable[[Report], None] | None
    ) -> Outcome: ...


class LoadWorkload(Protocol):
    """Gives the data of a workload, e.g. ``aster_dse.workload.load_workload``."""

    def __call__(self, config: WorkloadConfig, /) -> Workload: ...


def failure(job: NetworkJob, error: BaseException, *, attempt: int = 1) -> NetworkFailure:
    """An exception as a typed failure: a fault of the machine, the user's input, or an error in what ran."""
    kind = machine_fault(error) or ("input" if isinstance(error, AsterError) else "error")
    kind = "mismatch" if isinstance(error, DataMismatchError) else kind
    text = " ".join(str(error).split())
    return NetworkFailure(
        trial=job.trial,
        training_key=job.candidate.training_key(),
        kind=kind,
        reason=text if isinstance(error, AsterError) else f"{type(error).__name__}: {text}".rstrip(": "),
        trace="".join(traceback.format_exception(error)),
        node=platform.node(),
        attempt=attempt,
    )


def execute(
    run: RunJob,
    job: NetworkJob,
    workload: Workload | None,
    on_report: Callable[[Report], None] | None,
    *,
    attempt: int = 1,
) -> Outcome:
    """Run one job here; whatever goes wrong in it comes back as a failure, with where it ran."""
    try:
        outcome = run(job, workload=workload, on_report=on_report)
        if not isinstance(outcome, Outcome):
            raise TypeError(f"the job returned {type(outcome).__name__}, not a result or a failure")
    except Exception as error:
        return failure(job, error, attempt=attempt)
    return measured(outcome, attempt=attempt)


def measured(outcome: Outcome, *, attempt: int = 1) -> Outcome:
    """An outcome with its machine and the memory it took: of this process, unless it says so already."""
    node = outcome.node or platform.node()
    if isinstance(outcome, NetworkFailure):
        return replace(outcome, node=node, attempt=attempt)
    peak = outcome.peak_memory_mib or _peak_memory_mib()
    return replace(outcome, node=node, attempt=attempt, peak_memory_mib=peak)


class SerialExecutor:
    """Executor that needs no cluster: a job runs while it is waited for.

    Args:
        run: does a job's work; default ``aster_dse.search.job.run_job``.
        load: gives a job's data; default ``aster_dse.workload.load_workload``.
        data: folder in which data sets lie; the usual one where it is not given.
        gpus: of this process.
    """

    def __init__(
        self,
        *,
        run: RunJob | None = None,
        load: LoadWorkload | None = None,
        data: Path | None = None,
        gpus: float = 0.0,
    ) -> None:
        if run is None:
            from aster_dse.search.job import run_job

            run = run_job
        if load is None:
            from aster_dse.workload import load_workload

            load = partial(load_workload, data=data)
        self._data = str(data_root(data).absolute())
        self._run = run
        self._load = load
        self.on_notice: Callable[[Notice], None] | None = None
        self._gpus = gpus
        self._queue: deque[NetworkJob] = deque()
        self._loaded: tuple[WorkloadConfig, Workload] | None = None

    @property
    def slots(self) -> int:
        """Jobs that can run at once: one."""
        return 1

    @property
    def gpus(self) -> float:
        """GPUs that a job reserves: those of this process."""
        return self._gpus

    def submit(self, job: NetworkJob) -> None:
        """Queue a job; it runs in :meth:`wait`."""
        self._queue.append(replace(job, data=self._data))

    def wait(self, on_report: Callable[[Report], None] | None = None) -> Outcome:
        """Run the oldest job; an interrupt leaves it in the queue."""
        if not self._queue:
            raise RuntimeError("no job was submitted")
        job = self._queue[0]
        if self.on_notice is not None:
            self.on_notice(JobStarted(job.trial))
        try:
            workload = self._workload(job.candidate.workload)
        except Exception as error:
            outcome: Outcome = failure(job, error)
        else:
            outcome = execute(self._run, job, workload, on_report)
        self._queue.popleft()
        return outcome

    def cancel(self) -> None:
        """Drop what is queued."""
        self._queue.clear()

    def close(self) -> None:
        """Drop what is queued and the data in memory."""
        self.cancel()
        self._loaded = None

    def _workload(self, config: WorkloadConfig) -> Workload:
        if self._loaded is None or self._loaded[0] != config:
            self._loaded = None  # never two data sets in memory
            loaded = self._load(config)
            if stays_on_disk(loaded):
                return loaded  # which every job lists anew, and so finds changed where it was
            self._loaded = config, loaded
        return self._loaded[1]


def _peak_memory_mib() -> float:
    """Peak resident memory of this process since it started, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # bytes there, KiB elsewhere
