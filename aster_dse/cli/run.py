"""One run of a search: the machines, the progress, the interrupts, and what it ends with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from aster_dse.cli.interrupt import SearchInterruptedError, drained_by_signals
from aster_dse.cli.output import say, stdout_kept_clean
from aster_dse.errors import InputError

if TYPE_CHECKING:
    from aster_dse.search.protocol import Executor
    from aster_dse.search.telling import SearchSummary
    from aster_dse.space import SearchSpace, TrainingResources
    from aster_dse.store import StudyRow, StudyStore

__all__ = ["Machines", "executor_for", "run"]


@dataclass(frozen=True)
class Machines:
    """Where the trainings run."""

    workers: int | None
    address: str | None
    gpus_per_worker: float | None

    def words(self) -> list[str]:
        """The options that name the same machines again."""
        given = {
            "--workers": self.workers,
            "--address": self.address,
            "--gpus-per-worker": self.gpus_per_worker,
        }
        return [word for name, value in given.items() if value is not None for word in (name, str(value))]


def run(
    store: StudyStore,
    study: StudyRow,
    space: SearchSpace,
    machines: Machines,
    *,
    artifacts: Path,
    timeout_s: float | None,
    go_on: str,
) -> tuple[SearchSummary, bool]:
    """Search until the study has ``space.search.trials`` trials, with progress on stderr.

    Args:
        go_on: the command that resumes, for whoever interrupts.

    Returns:
        The summary, and whether the first Ctrl-C ended the search before its time.

    Raises:
        SearchInterruptedError: a second one stopped it at once.
    """
    target = space.search.trials
    counts = store.counts(study.id)
    done = counts.complete + counts.failed + counts.paused
    begins = f"goes on from {done} trials" if counts.trials else "begins"
    say(f"study {study.name} {begins}, {target} in all; stored in {store.url}, networks in {artifacts}")
    with stdout_kept_clean(), drained_by_signals() as stopping:
        from aster_dse.cli.progress import search_progress
        from aster_dse.search.driver import run_search

        try:
            with (
                executor_for(
                    machines, space.search.resources_per_training, max(target - done, counts.running)
                ) as executor,
                search_progress(target, done) as observer,
            ):
                summary = run_search(
                    store,
                    study,
                    space,
                    executor,
                    artifacts=artifacts,
                    trials=target,
                    timeout_s=timeout_s,
                    observer=observer,
                    stop=stopping,
                )
        except KeyboardInterrupt:
            raise SearchInterruptedError(
                f"stopped at once; finished trials are kept, the others go on from their last epoch: {go_on}"
            ) from None
        return summary, stopping.is_set() and summary.complete + summary.failed + summary.paused < target


@contextmanager
def executor_for(machines: Machines, resources: TrainingResources, left: int) -> Iterator[Executor]:
    """What runs the trainings; nothing is started where nothing is left to do."""
    from aster_dse.search.serial import SerialExecutor

    if machines.workers == 0 and machines.address is not None:
        raise InputError("--workers", "0 trains in this process, not on a cluster", "drop it or --address")
    if machines.workers == 0 and resources.workers > 1:
        raise InputError(
            "--workers",
            f"0 trains in this process, and a training shall have {resources.workers}",
            "drop it, or --set search.resources_per_training.workers=1",
        )
    executor: Executor
    if machines.workers == 0 or left <= 0:
        from aster_dse.cli.machine import gpus

        executor = SerialExecutor(gpus=float(min(gpus(), 1)))
        try:
            yield executor
        finally:
            executor.close()
        return
    _need_ray_train(resources)
    from aster_dse.cli.machine import cores, gpus
    from aster_dse.workers.cluster import join, local_cluster

    share = machines.gpus_per_worker if machines.gpus_per_worker is not None else resources.gpus
    if resources.workers > 1 and (share or 0.0) % 1.0:
        raise InputError(
            "--gpus-per-worker", f"{share:g}: workers of one training cannot share a GPU", "whole GPUs"
        )
    if machines.address is not None:
        say(f"joining the cluster at {machines.address} ...")
        cluster = join(machines.address)
        share = share or 0.0
        limit = machines.workers
    else:
        processes = resources.workers * resources.cpus
        limit = machines.workers if machines.workers is not None else min(cores() // processes, 4)
        found = gpus()
        if resources.workers > 1 and found:
            limit = min(limit, found // resources.workers)
        limit = max(1, min(limit, left))
        say(f"starting Ray with {limit * resources.workers} workers on this machine ...")
        share = share if share is not None else _share(found, limit, resources.workers)
        cluster = local_cluster(limit * processes, gpus=found)
    with cluster:
        from aster_dse.workers.executor import RayExecutor

        executor = RayExecutor(limit=limit, resources=resources.model_copy(update={"gpus": share}))
        try:
            yield executor
        finally:
            executor.close()


def _need_ray_train(resources: TrainingResources) -> None:
    if resources.workers > 1 and (find_spec("pyarrow") is None or find_spec("tensorboardX") is None):
        raise InputError(
            "search.resources_per_training.workers",
            f"{resources.workers} workers need Ray Train, which is not installed",
            "pip install 'ray[train]>=2.60'",
        )


def _share(gpus: int, trainings: int, workers: int) -> float:
    """GPUs that a worker reserves so that all find some: whole ones where several train together."""
    if workers > 1:
        return float(gpus // (trainings * workers))
    return 1.0 / -(-trainings // gpus) if gpus else 0.0
