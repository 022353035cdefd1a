"""One run of a search: the machines, the progress, the interrupts, and what it ends with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from aster_dse.cli.interrupt import SearchInterruptedError, drained_by_signals
from aster_dse.cli.machines import Machines, check_machines, gpu_share
from aster_dse.cli.output import say, stdout_kept_clean
from aster_dse.errors import MachineFaultError, NotFoundError, machine_fault

if TYPE_CHECKING:
    from aster_dse.hardware.sources import ModelRecord
    from aster_dse.search.protocol import Executor
    from aster_dse.search.telling import SearchSummary
    from aster_dse.space import SearchSpace, TrainingResources, WorkloadConfig
    from aster_dse.store import StudyRow, StudyStore
    from aster_dse.workload import KnownData

__all__ = ["executor_for", "run"]


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
    retry_failed: Collection[str] = (),
) -> tuple[SearchSummary, bool]:
    """Search until the study has ``space.search.trials`` trials, with progress on stderr.

    Args:
        name: of the study.
        opened: gives the study, which it creates where there is none; asked once the machines are there.
        go_on: the command that resumes, for whoever interrupts.
        data: what the study's data sets are.
        rescored: as for :func:`~aster_dse.search.driver.run_search`.
        retry_failed: kinds of failure whose trials are run again.

    Returns:
        The summary, and whether the first Ctrl-C ended the search before its time.

    Raises:
        SearchInterruptedError: a second one stopped it at once.
        MachineFaultError: the machine lacked something for too long.
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
                    max(target - done, again, counts.failed if retry_failed else 0),
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
                    retry_failed=retry_failed,
                )
        except (MachineFaultError, OSError, MemoryError) as error:
            if not isinstance(error, MachineFaultError) and not machine_fault(error):
                raise
            raise MachineFaultError(f"{error} (what ran is interrupted; once mended: {go_on})") from error
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

    if left > 0:
        check_machines(machines, resources)
    executor: Executor
    if machines.workers == 0 or left <= 0:
        from aster_dse.cli.machine import gpus

        executor = SerialExecutor(data=machines.data, gpus=float(min(gpus(), 1)))
        try:
            yield executor
        finally:
            executor.close()
        return
    from aster_dse.cli.machine import cores, gpus, workers_in_memory
    from aster_dse.workers.cluster import join, local_cluster

    share = gpu_share(machines, resources)
    if machines.address is not None:
        say(f"joining the cluster at {machines.address} ...")
        cluster = join(machines.address)
        share = share or 0.0
        limit = machines.workers
    else:
        processes = resources.workers * resources.cpus
        limit = machines.workers if machines.workers is not None else min(cores() // processes, 4)
        if machines.workers is None:
            limit = min(limit, workers_in_memory() // resources.workers)
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


def _share(gpus: int, trainings: int, workers: int) -> float:
    """GPUs that a worker reserves so that all find some: whole ones where several train together."""
    if workers > 1:
        return float(gpus // (trainings * workers))
    return 1.0 / -(-trainings // gpus) if gpus else 0.0
