"""One run of a search: the machines, the progress, the interrupts, and what it ends with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from aster_dse.cli.interrupt import SearchInterruptedError, drained_by_signals
from aster_dse.cli.output import say, stdout_kept_clean
from aster_dse.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from aster_dse.hardware.sources import ModelRecord
    from aster_dse.search.protocol import Executor
    from aster_dse.search.telling import SearchSummary
    from aster_dse.space import SearchSpace, TrainingResources, WorkloadConfig
    from aster_dse.store import StudyRow, StudyStore
    from aster_dse.workload import KnownData

__all__ = ["Machines", "executor_for", "made_folder", "run"]


@dataclass(frozen=True)
class Machines:
    """Where the trainings run."""

    workers: int | None
    address: str | None
    gpus_per_worker: float | None
    data: Path | None = None
    """Folder in which data sets lie, on this machine; None for the usual one."""


def made_folder(folder: Path) -> Path:
    """The artifacts folder, made before hours of training find out that it cannot be.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            "--artifacts", f"{folder} cannot be made: {error.strerror}", "name another"
        ) from None
    return folder


def run(
    store: StudyStore,
    name: str,
    opened: Callable[[], StudyRow],
    space: SearchSpace,
    machines: Machines,
    *,
    artifacts: Path,
    timeout_s: float | None,
    go_on: str,
    data: Sequence[KnownData] = (),
    rescored: ModelRecord | None = None,
) -> tuple[SearchSummary, bool]:
    """Search until the study has ``space.search.trials`` trials, with progress on stderr.

    Args:
        name: of the study.
        opened: gives the study, which it creates where there is none; asked once the machines are there.
        go_on: the command that resumes, for whoever interrupts.
        data: what the study's data sets are.
        rescored: as for :func:`~aster_dse.search.driver.run_search`.

    Returns:
        The summary, and whether the first Ctrl-C ended the search before its time.

    Raises:
        SearchInterruptedError: a second one stopped it at once.
    """
    from aster_dse.store import StudyCounts

    target = space.search.trials
    counts = StudyCounts()
    with suppress(NotFoundError):
        counts = store.counts(store.study(name).id)
    rescoring = 0 if rescored is None else counts.complete + counts.paused
    done = counts.complete + counts.failed + counts.paused - rescoring
    again = counts.running + rescoring
    if rescored is not None:
        say(f"study {name}: {rescoring} networks are scored anew")
    begins = f"goes on from {done} trials" if counts.trials else "begins"
    say(f"study {name} {begins}, {target} in all; stored in {store.url}, networks in {artifacts}")
    with stdout_kept_clean(), drained_by_signals() as stopping:
        from aster_dse.cli.progress import search_progress
        from aster_dse.search.driver import check_executor, run_search
        from aster_dse.workload import needed_by_workers

        try:
            with (
                executor_for(
                    machines,
                    space.search.resources_per_training,
                    max(target - done, again),
                    data_needed=lambda: needed_by_workers(space, data, data=machines.data),
                ) as executor,
                search_progress(target, done) as observer,
            ):
                check_executor(space, executor)
                summary = run_search(
                    store,
                    opened(),
                    space,
                    executor,
                    artifacts=artifacts,
                    trials=target,
                    timeout_s=timeout_s,
                    observer=observer,
                    stop=stopping,
                    rescored=rescored,
                )
        except KeyboardInterrupt:
            raise SearchInterruptedError(
                f"stopped at once; finished trials are kept, the others go on from their last epoch: {go_on}"
            ) from None
        return summary, stopping.is_set() and summary.complete + summary.failed + summary.paused < target


@contextmanager
def executor_for(
    machines: Machines,
    resources: TrainingResources,
    left: int,
    *,
    data_needed: Callable[[], Sequence[WorkloadConfig]] = tuple,
) -> Iterator[Executor]:
    """What runs the trainings; nothing is started where nothing is left to do.

    Args:
        data_needed: gives the workloads whose files every machine of a joined cluster has to have.

    Raises:
        InputError: a machine has not.
    """
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

        executor = SerialExecutor(data=machines.data, gpus=float(min(gpus(), 1)))
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

        if machines.address is not None:
            _check_data(data_needed(), machines.data)
        executor = RayExecutor(
            data=machines.data, limit=limit, resources=resources.model_copy(update={"gpus": share})
        )
        try:
            yield executor
        finally:
            executor.close()


def _check_data(workloads: Sequence[WorkloadConfig], data: Path | None) -> None:
    if workloads:
        from aster_dse.workers.nodes import check_nodes

        say("comparing the data of the cluster's machines ...")
        nodes = check_nodes(workloads, data)
        say(f"{nodes} machines have the data")


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
