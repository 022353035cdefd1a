"""The executor that runs jobs as Ray tasks, on whatever cluster this process is connected to."""

from __future__ import annotations

import os
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray import exceptions

from aster_dse.search.protocol import (
    JobStarted,
    JobsWait,
    NetworkFailure,
    NetworkJob,
    Notice,
    Outcome,
    Report,
)
from aster_dse.search.serial import LoadWorkload, RunJob, failure
from aster_dse.space import TrainingResources, WorkloadConfig
from aster_dse.workers.parallel import ParallelJob
from aster_dse.workers.places import free, free_all_places, places_on, shortage
from aster_dse.workers.tasks import Placed, Started, stream_job
from aster_dse.workload import stays_on_disk
from aster_dse.workload.trees import data_root

__all__ = ["RayExecutor"]

RETRIES = 2
"""Further attempts after a worker or its node died. Errors of the job itself would only come again."""

_WORKLOADS_KEPT = 8
"""Workloads that stay in the object store; a search over resolutions or time steps has several."""

_POLL_S = 1.0
SAY_EVERY_S = 60.0
"""Between two notices that jobs cannot begin."""

_LOST = (
    exceptions.WorkerCrashedError,
    exceptions.NodeDiedError,
    exceptions.LocalRayletDiedError,
    exceptions.ObjectLostError,
    exceptions.TaskCancelledError,  # nobody here cancels a task whose outcome is still awaited
)


@dataclass
class _Attempt:
    job: NetworkJob
    number: int
    worker: Started | None = None
    item: Any = None
    """Reference of the stream's item that is being read: an interrupt must not lose it."""
    begun: bool = False
    placed: Any = None
    """Placement group of a training on several workers."""


class RayExecutor:
    """Runs jobs on the Ray cluster that is connected (see :mod:`aster_dse.workers.cluster`).

    A worker process is used again for the next job, so torch is imported once per process. A job whose worker
    dies is given to another one, at most ``RETRIES`` times.

    Args:
        run: does a job's work, importable by name on the workers: installed, in a folder of ``PYTHONPATH``
            or beside the driver's script; default ``aster_dse.search.job.run_job``.
        load: gives a job's data, in this process; default ``aster_dse.workload.load_workload``.
        data: folder in which data sets lie, here; the usual one where it is not given.
        limit: jobs at once at most; None takes what the cluster has.
        resources: what each job's training takes; several workers run ``aster_dse.search.job.run_job``
            together (:mod:`aster_dse.workers.parallel`).
    """

    def __init__(
        self,
        *,
        run: RunJob | None = None,
        load: LoadWorkload | None = None,
        data: Path | None = None,
        limit: int | None = None,
        resources: TrainingResources | None = None,
    ) -> None:
        self._resources = resources = resources or TrainingResources()
        if run is None:
            run = ParallelJob(resources) if resources.workers > 1 else _on_threads(resources.cpus)
        self._stays_on_disk: Callable[[WorkloadConfig], bool] = lambda _: False
        if load is None:
            from aster_dse.workload import load_workload, read_by_batch

            load = partial(load_workload, data=data)
            self._stays_on_disk = partial(read_by_batch, data=data)
        self._data = str(data_root(data).absolute())
        self._run = run
        self._load = load
        self._limit = limit
        self._needs = {"CPU": float(resources.cpus), "GPU": resources.gpus or 0.0}
        # Of a training on several workers the task only waits; Ray Train reserves what they need.
        needs = self._needs if resources.workers == 1 else dict.fromkeys(self._needs, 0.0)
        self._task = ray.remote(
            num_returns="streaming", max_retries=0, num_cpus=needs["CPU"], num_gpus=needs["GPU"]
        )(stream_job)
        self.on_notice: Callable[[Notice], None] | None = None
        self._silent_since, self._say_at = time.monotonic(), 0.0
        self._running: dict[Any, _Attempt] = {}
        self._finished: deque[Outcome] = deque()
        self._workloads: OrderedDict[WorkloadConfig, Any] = OrderedDict()

    @property
    def slots(self) -> int:
        """Jobs that can run at once on the nodes alive now; at least one: a cluster grows by demand."""
        places = sum(places_on(node["Resources"], self._needs) for node in ray.nodes() if node["Alive"])
        total = places // self._resources.workers
        return max(1, total if self._limit is None else min(total, self._limit))

    @property
    def gpus(self) -> float:
        """GPUs that a job reserves."""
        return self._needs["GPU"] * self._resources.workers

    def submit(self, job: NetworkJob) -> None:
        """Hand a job to the cluster; Ray queues what has no free slot."""
        self._submit(replace(job, artifacts=os.path.abspath(job.artifacts), data=self._data), 1)

    def wait(self, on_report: Callable[[Report], None] | None = None) -> Outcome:
        """Return the next outcome; an interrupt loses nothing, and waiting may go on."""
        while not self._finished:
            if not self._running:
                raise RuntimeError("no job was submitted")
            ready, _ = ray.wait(list(self._running), num_returns=1, timeout=_POLL_S)
            if ready:
                self._advance(ready[0], on_report)
            self._say_what_is_short()
        return self._finished.popleft()

    def cancel(self) -> None:
        """Kill what runs, drop what is queued or not fetched yet."""
        streams = list(self._running)
        self._running.clear()
        self._finished.clear()
        for stream in streams:
            ray.cancel(stream, force=True)
        if self._resources.workers > 1:
            free_all_places()

    def close(self) -> None:
        """Cancel, and give the data's memory back. The cluster stays, it belongs to who started it."""
        self.cancel()
        self._workloads.clear()

    def _submit(self, job: NetworkJob, number: int) -> None:
        try:
            workload = self._workload(job.candidate.workload)
        except Exception as error:
            self._finished.append(failure(job, error, attempt=number))
            return
        stream = self._task.remote(self._run, job, workload, number)
        self._running[stream] = _Attempt(job, number)

    def _workload(self, config: WorkloadConfig) -> Any:
        """Reference of the data in the object store, where it is put once; None where it stays on the disk:
        every worker reads its own machine's, and compares it."""
        if config not in self._workloads:
            if self._stays_on_disk(config):
                return None
            loaded = self._load(config)
            if stays_on_disk(loaded):
                return None
            self._workloads[config] = ray.put(loaded)
            if len(self._workloads) > _WORKLOADS_KEPT:
                self._workloads.popitem(last=False)
        self._workloads.move_to_end(config)
        return self._workloads[config]

    def _advance(self, stream: Any, on_report: Callable[[Report], None] | None) -> None:
        """Take one item from a stream that has one."""
        attempt = self._running[stream]
        try:
            if attempt.item is None:
                attempt.item = next(stream)
            item = ray.get(attempt.item)
        except StopIteration:
            self._retry(stream, attempt, exceptions.WorkerCrashedError())
        except (exceptions.OutOfMemoryError, *_LOST) as error:
            self._retry(stream, attempt, error)
        except exceptions.RayError as error:
            self._end(stream, _unstarted(attempt, error))
        else:
            attempt.item = None
            if isinstance(item, Outcome):
                self._end(stream, item)
            elif isinstance(item, Started):
                attempt.worker = item
                if self._resources.workers == 1:
                    self._begins(attempt)
            elif isinstance(item, Placed):
                attempt.placed = item.group
                self._begins(attempt)
            elif on_report is not None:
                on_report(item)

    def _begins(self, attempt: _Attempt) -> None:
        attempt.begun = True
        if self.on_notice is not None:
            self.on_notice(JobStarted(attempt.job.trial))

    def _say_what_is_short(self) -> None:
        """Tell of it where no job runs: at once where the cluster could run none, else after a while."""
        now = time.monotonic()
        if not self._running or any(attempt.begun for attempt in self._running.values()):
            self._silent_since, self._say_at = now, 0.0
        elif self.on_notice is not None and now >= self._say_at and now - self._silent_since >= _POLL_S:
            text = shortage(self._needs, self._resources.workers)
            if text or now - self._silent_since >= SAY_EVERY_S:
                self._say_at = now + SAY_EVERY_S
                self.on_notice(JobsWait(text or "every place of the cluster is taken by others"))

    def _end(self, stream: Any, outcome: Outcome) -> None:
        self._finished.append(outcome)
        del self._running[stream]

    def _retry(self, stream: Any, attempt: _Attempt, error: exceptions.RayError) -> None:
        if self._resources.workers > 1:
            self._free_places_of(attempt)
        if attempt.number <= RETRIES:
            self._submit(attempt.job, attempt.number + 1)
            del self._running[stream]
        else:
            self._end(stream, _worker_failure(attempt, error))

    def _free_places_of(self, dead: _Attempt) -> None:
        """Give back the places of a training whose coordinator died, and those that its controller, which
        outlives it by a moment, takes when its workers lose theirs."""
        if dead.placed is not None:
            free(dead.placed)
        others = [attempt.placed for attempt in self._running.values() if attempt is not dead]
        # Places of a training that is only about to say which they are could not be told from those.
        if None not in others:
            free_all_places(but={group.id.hex() for group in others}, to_the_end=True)


def _on_threads(threads: int) -> RunJob:
    from aster_dse.search.job import run_job

    return partial(run_job, threads=threads)


def _unstarted(attempt: _Attempt, error: exceptions.RayError) -> NetworkFailure:
    """The worker could not even begin: a module that is not installed there, another version."""
    failed = failure(attempt.job, getattr(error, "cause", None) or error, attempt=attempt.number)
    text = str(error).strip().splitlines()
    return replace(
        failed, reason=f"a worker could not begin the job: {text[-1].strip()}" if text else failed.reason
    )


def _worker_failure(attempt: _Attempt, error: exceptions.RayError) -> NetworkFailure:
    who = (
        f"process {attempt.worker.pid} on {attempt.worker.node}"
        if attempt.worker
        else "no process had begun it"
    )
    if isinstance(error, exceptions.OutOfMemoryError):
        kind, what = "memory", "stopped because its machine ran out of memory"
    elif isinstance(
        error, exceptions.NodeDiedError | exceptions.LocalRayletDiedError | exceptions.ObjectLostError
    ):
        kind, what = "machine", "lost with its machine"
    else:
        kind, what = "worker", "killed, by a signal or for its memory, or it crashed"
    return NetworkFailure(
        trial=attempt.job.trial,
        training_key=attempt.job.candidate.training_key(),
        kind=kind,
        reason=f"the worker was {what}, {attempt.number} times in {attempt.number} attempts (last: {who})",
        trace=str(error),
        node=attempt.worker.node if attempt.worker else "",
        attempt=attempt.number,
    )
