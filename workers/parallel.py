"""One training on several Ray workers, by Ray Train.

The coordinating task reserves nothing itself. Ray Train places the workers, joins them in a process group of
torch (NCCL where they have GPUs, else gloo), and starts all of them again when one dies; the training then
goes on from its last epoch. The first worker does the whole job, the others take part in its training.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from aster_dse.errors import machine_fault
from aster_dse.network.memory import keep_freed_memory
from aster_dse.search.protocol import NetworkFailure, NetworkJob, Outcome, Report
from aster_dse.search.serial import failure, measured
from aster_dse.space import TrainingResources
from aster_dse.workers.tasks import Placed, die_with_node
from aster_dse.workload import Workload

__all__ = ["RESTARTS", "ParallelJob"]

RESTARTS = 2
"""Times that a group of workers is started again after one of them died."""


@dataclass(frozen=True)
class ParallelJob:
    """Does a job's work on several workers: a :class:`~aster_dse.search.serial.RunJob`.

    Runs in a process that is connected to a Ray cluster, and needs ``ray[train]``.
    """

    resources: TrainingResources

    def __call__(
        self, job: NetworkJob, *, workload: Workload | None, on_report: Callable[[Report], None] | None
    ) -> Outcome:
        """Train, trace and score; an outcome of the training, or a failure of kind ``worker``."""
        folder = Path(job.artifacts) / job.candidate.training_key()
        folder.mkdir(parents=True, exist_ok=True)
        # Of two trials that want one network, the second waits here: of its workers, those that wait for a
        # first one which waits for a lock would give up after torch's half hour.
        with FileLock(folder / "group.lock"):
            return self._together(job, workload, on_report)

    def _together(
        self, job: NetworkJob, workload: Workload | None, on_report: Callable[[Report], None] | None
    ) -> Outcome:
        import ray
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchTrainer
        from ray.train.v2.api.exceptions import WorkerGroupError
        from ray.util.queue import Queue

        needs, gpus = self.resources, self.resources.gpus or 0.0
        reports: Any = Queue(actor_options={"num_cpus": 0})
        listener = threading.Thread(target=_forward, args=(reports, on_report), daemon=True)
        listener.start()
        # Where Ray Train keeps its own notes; the checkpoints are the training's.
        with tempfile.TemporaryDirectory(prefix="aster-train-") as notes:
            trainer = TorchTrainer(
                _work,
                train_loop_config={
                    "job": job,
                    "workload": None if workload is None else ray.put(workload),
                    "threads": needs.cpus,
                    "reports": reports,
                },
                scaling_config=ScalingConfig(
                    num_workers=needs.workers,
                    use_gpu=gpus > 0,
                    resources_per_worker={"CPU": needs.cpus, **({"GPU": gpus} if gpus else {})},
                ),
                run_config=RunConfig(
                    name=job.candidate.training_key(),
                    storage_path=notes,
                    failure_config=FailureConfig(max_failures=RESTARTS),
                ),
            )
            try:
                outcome: Outcome = trainer.fit().return_value
            except WorkerGroupError as error:
                return _failure(job, error.worker_failures)
            finally:
                reports.put(None)
                listener.join()
                reports.shutdown()
        return outcome


def _work(config: Mapping[str, Any]) -> Outcome | None:
    """What each of the workers does."""
    import ray
    import torch
    from ray.train.torch import get_device

    from aster_dse.search.job import join_training, run_job
    from aster_dse.training.group import Group

    die_with_node()
    keep_freed_memory()
    job, given = config["job"], config["workload"]
    workload = None if given is None else ray.get(given)
    device = get_device()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    group = Group.joined()
    part = {"device": str(device), "threads": config["threads"], "group": group}
    if not group.writes:
        join_training(job, workload=workload, **part)
        return None
    config["reports"].put(Placed(ray.util.get_current_placement_group()))
    # An error that only this worker had is raised: so Ray ends the others, who would wait for it in vain.
    return measured(run_job(job, workload=workload, on_report=config["reports"].put, **part))


def _forward(reports: Any, on_report: Callable[[Report], None] | None) -> None:
    while (report := reports.get()) is not None:
        if on_report is not None:
            on_report(report)


def _failure(job: NetworkJob, failures: Mapping[int, Exception]) -> NetworkFailure:
    """Of the last start: the death of a worker before errors, which the others had because of it."""
    from ray.exceptions import RayError

    dead = {rank: error for rank, error in failures.items() if isinstance(error, RayError)}
    rank, error = next(iter((dead or failures).items()))
    if not dead:
        raised = getattr(error, "_base_exc", error)  # Ray Train wraps what a worker raised
        return failure(job, raised, attempt=RESTARTS + 1)
    return NetworkFailure(
        trial=job.trial,
        training_key=job.candidate.training_key(),
        kind=machine_fault(error) or "worker",
        reason=f"worker {rank} of a training on several was killed, {RESTARTS + 1} times in as many starts",
        trace=str(error),
        attempt=RESTARTS + 1,
    )
