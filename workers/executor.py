"""The executor that runs jobs as Ray tasks, on whatever cluster this process is connected to."""

from __future__ import annotations

import os
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray import exceptions

from aster_dse.search.protocol import NetworkFailure, NetworkJob, Outcome, Report
from aster_dse.search.serial import LoadWorkload, RunJob, failure
from aster_dse.space import TrainingResources, WorkloadConfig
from aster_dse.workers.parallel import ParallelJob
from aster_dse.workers.tasks import Placed, Started, stream_job
from aster_dse.workload import stays_on_disk
from aster_dse.workload.trees import data_root

__all__ = ["RayExecutor"]

RETRIES = 2
"""Further attempts after a worker or its node died. Errors of the job itself would only come again."""

_WORKLOADS_KEPT = 8
"""Workloads that stay in the object store; a search over resolutions or time steps has several."""

_LOOKS, _BETWEEN_LOOKS_S = 15, 0.2
"""For places that a cancelled training, or one whose coordinator died, is only about to get."""

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
        self._running: dict[Any, _Attempt] = {}
        self._finished: deque[Outcome] = deque()
        self._workloads: OrderedDict[WorkloadConfig, Any] = OrderedDict()

    @property
    def slots(self) -> int:
        """Jobs that can run at once on the nodes alive now; at least one: a cluster grows by demand."""
        places = sum(self._places_on(node["Resources"]) for node in ray.nodes() if node["Alive"])
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
            ready, _ = ray.wait(list(self._running), num_returns=1)
            self._advance(ready[0], on_report)
        return self._finished.popleft()

    def cancel(self) -> None:
        """Kill what runs, drop what is queued or not fetched yet."""
        streams = list(self._running)
        self._running.clear()
        self._finished.clear()
        for stream in streams:
            ray.cancel(stream, force=True)
        if self._resources.workers > 1:
            _free_all_places()

    def close(self) -> None:
        """Cancel, and give the data's memory back. The cluster stays, it belongs to who started it."""
        self.cancel()
        self._workloads.clear()

    def _places_on(self, resources: dict[str, float]) -> int:
        return int(min(resources.get(name, 0.0) / need for name, need in self._needs.items() if need > 0))

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
            elif isinstance(item, Placed):
                attempt.placed = item.group
            elif on_report is not None:
                on_report(item)

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
            _free(dead.placed)
        others = [attempt.placed for attempt in self._running.values() if attempt is not dead]
        # Places of a training that is only about to say which they are could not be told from those.
        if None not in others:
            _free_all_places(but={group.id.hex() for group in others}, to_the_end=True)


def _free(group: Any) -> None:
    """Give back the places of a training whose coordinator died.

    Ray Train does so itself where the cluster has Ray's dashboard, by which it notices; a local one has none.
    """
    from ray.util.placement_group import remove_placement_group

    with suppress(exceptions.RayError, ValueError):
        remove_placement_group(group)


def _free_all_places(*, but: Collection[str] = (), to_the_end: bool = False) -> None:
    """Of this driver's trainings, those just being made included; groups of other drivers are theirs.

    Args:
        but: ids of groups that are in use.
        to_the_end: look again also after nothing was left.
    """
    from ray.util.placement_group import PlacementGroup, placement_group_table

    job = ray.get_runtime_context().get_job_id()
    for _ in range(_LOOKS):
        left = [
            name
            for name, group in placement_group_table().items()
            if name.endswith(job) and group["state"] != "REMOVED" and name not in but
        ]
        for name in left:
            _free(PlacementGroup(ray.PlacementGroupID.from_hex(name)))
        if left or to_the_end:
            time.sleep(_BETWEEN_LOOKS_S)


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
        kind, what = "worker", "lost with its machine"
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
