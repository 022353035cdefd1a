"""``aster-dse search``, ``resume`` and ``stop``: the search itself."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aster_dse.cli.interrupt import SearchInterruptedError, drained_by_signals
from aster_dse.cli.options import (
    DEFAULT_STORAGE,
    Artifacts,
    Json,
    Storage,
    StudyName,
    artifacts_folder,
    storage_words,
)
from aster_dse.cli.output import duration, number, print_json, stdout_kept_clean
from aster_dse.errors import AsterError, InfeasibleError, InputError, NotFoundError

if TYPE_CHECKING:
    from aster_dse.export import Point
    from aster_dse.search.driver import SearchSummary
    from aster_dse.search.protocol import Executor
    from aster_dse.space import SearchSpace
    from aster_dse.store import StudyReader, StudyRow, StudyStore

__all__ = ["resume", "search", "stop"]

_ROWS = 24
"""Rows of the front that a search ends with; `aster-dse pareto` shows all."""


class Sampler(StrEnum):
    """What ``--sampler`` takes."""

    AUTO = "auto"
    TPE = "tpe"
    NSGA3 = "nsga3"
    GP = "gp"
    RANDOM = "random"


Trials = Annotated[
    int | None,
    typer.Option(
        min=1, max=1_000_000, help="Trials that the study shall have in all, those it has included."
    ),
]
Timeout = Annotated[
    float | None, typer.Option(min=0.0, metavar="SECONDS", help="Begin no trial after this time.")
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Trainings at once; by default one per core, at most four; 0 trains in this process.",
    ),
]
Address = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Join this Ray cluster instead of starting one here.")
]
GpuShare = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        help="GPUs, or the part of one, that a training reserves; by default an even share of those here.",
    ),
]


@dataclass(frozen=True)
class _Machines:
    """Where the trainings run."""

    workers: int | None
    address: str | None
    gpus_per_worker: float | None


def search(
    space: Annotated[
        str, typer.Argument(metavar="SPACE", help="A space file, or the name of one that ships.")
    ],
    study: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the study; by default the space's.")
    ] = None,
    trials: Trials = None,
    timeout: Timeout = None,
    workers: Workers = None,
    address: Address = None,
    gpus_per_worker: GpuShare = None,
    sampler: Annotated[Sampler | None, typer.Option(help="What proposes networks.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="Seed of the search.")] = None,
    inner: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1_000_000,
            help="Configurations of policy and hardware scored on every trained network.",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Change one entry of the space for this run, as in network.width=32; repeatable.",
        ),
    ] = None,
    extend: Annotated[
        bool, typer.Option("--extend", help="Take a changed space that only adds to the study's.")
    ] = False,
    artifacts: Artifacts = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Search a space: start a study, or go on with it."""
    from aster_dse import __version__
    from aster_dse.search.driver import open_study
    from aster_dse.space import load_space
    from aster_dse.store import StudyStore

    chosen = load_space(space).override(*(set_ or ()))
    flags = {
        "sampler": None if sampler is None else sampler.value,
        "trials": trials,
        "inner": inner,
        "seed": seed,
    }
    flags = {name: value for name, value in flags.items() if value is not None}
    asked = {name: f"--{name}" for name in flags}
    asked |= {
        name: f"--set search.{name}"
        for name in ("sampler", "inner", "seed")
        if any(setting.partition("=")[0].strip() == f"search.{name}" for setting in set_ or ())
    }
    chosen = _with_settings(chosen, flags)
    name = study if study is not None else chosen.name
    with StudyStore(storage) as store:
        chosen = _as_begun(store, name, chosen, asked)
        row = open_study(store, chosen, name, extend=extend, code_version=__version__)
        machines = _Machines(workers, address, gpus_per_worker)
        _run(store, row, chosen, machines, timeout, storage, artifacts, json)


def resume(
    study: StudyName,
    trials: Trials = None,
    timeout: Timeout = None,
    workers: Workers = None,
    address: Address = None,
    gpus_per_worker: GpuShare = None,
    artifacts: Artifacts = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Go on with a study after anything, with the space that is in the store."""
    from aster_dse.space import SearchSpace
    from aster_dse.store import StudyReader, StudyStore

    with StudyReader(storage) as reader:  # which, unlike a store, makes no database where there is none
        reader.study(study)
    with StudyStore(storage) as store:
        row = store.study(study)
        space = SearchSpace.from_mapping(row.space, f"study {study}")
        space = _with_settings(space, {} if trials is None else {"trials": trials})
        machines = _Machines(workers, address, gpus_per_worker)
        _run(store, row, space, machines, timeout, storage, artifacts, json)


def stop(
    study: StudyName,
    now: Annotated[
        bool, typer.Option("--now", help="Stop the running trials too; they go on from their last epoch.")
    ] = False,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """End a search that runs on this machine: what runs is finished, nothing more is begun."""
    from aster_dse.store import StudyReader

    with StudyReader(storage) as reader:
        holder = reader.lease_holder(reader.study(study).id)
    if holder is None:
        raise NotFoundError(f"study {study!r} is not being searched")
    if holder.host != socket.gethostname() or not _is_ours(holder.pid):
        raise NotFoundError(
            f"study {study!r} is searched by process {holder.pid} on {holder.host}, out of reach from here "
            "(run the same command there)"
        )
    os.kill(holder.pid, signal.SIGTERM if now else signal.SIGINT)
    if json:
        print_json({"study": study, "pid": holder.pid, "host": holder.host, "now": now})
    else:
        what = "stopping at once" if now else "finishing the trials that run"
        print(f"{study}: process {holder.pid} is {what}; go on with: aster-dse resume {shlex.quote(study)}")


def _is_ours(pid: int) -> bool:
    """Whether the process is one of this program, as far as the system tells.

    Another container may share the host's name but not its process numbers.
    """
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return not Path("/proc").is_dir()
    return b"aster" in words


# --- the settings of the search


def _with_settings(space: SearchSpace, settings: Mapping[str, Any]) -> SearchSpace:
    return replace(space, search=space.search.model_copy(update=dict(settings)))


def _as_begun(store: StudyStore, name: str, space: SearchSpace, asked: Mapping[str, str]) -> SearchSpace:
    """The space with sampler, seed and inner points as the study began with, where it exists.

    Raises:
        InputError: the command line asks for others.
    """
    try:
        begun = store.study(name).space["search"]
    except NotFoundError:
        return space
    kept = {key: begun[key] for key in ("sampler", "inner", "seed")}
    wanted = space.search.model_dump(mode="json")
    for key, value in kept.items():
        if key in asked and wanted[key] != value:
            raise InputError(
                asked[key],
                f"{wanted[key]}, but study {name!r} began with {value}",
                "leave it out, or begin another study with --study",
            )
    return _with_settings(space, kept)


# --- the run


def _run(
    store: StudyStore,
    row: StudyRow,
    space: SearchSpace,
    machines: _Machines,
    timeout_s: float | None,
    storage: str,
    artifacts: Path | None,
    json: bool,
) -> None:
    folder = artifacts_folder(storage, artifacts)
    before = store.counts(row.id)
    target = space.search.trials
    where = storage_words(storage, store.url)
    go_on = f"aster-dse resume {shlex.quote(row.name)}{where}"
    interrupted = False
    with stdout_kept_clean(), drained_by_signals() as stopping:
        from aster_dse.cli.progress import search_progress
        from aster_dse.search.driver import run_search

        left = max(target - before.complete - before.failed, before.running)
        _announce(row, target, before.complete + before.failed, store.url, folder)
        try:
            with (
                _executor(machines, left) as executor,
                search_progress(target, before.complete + before.failed) as observer,
            ):
                summary = run_search(
                    store,
                    row,
                    space,
                    executor,
                    artifacts=folder,
                    trials=target,
                    timeout_s=timeout_s,
                    observer=observer,
                    stop=stopping,
                )
        except KeyboardInterrupt:
            raise SearchInterruptedError(
                f"stopped at once; finished trials are kept, the others go on from their last epoch: {go_on}"
            ) from None
        interrupted = stopping.is_set() and summary.complete + summary.failed < target
    points = _front(store, row)
    if json:
        print_json(_document(summary, points))
    else:
        _print_summary(row, summary, points, store.url, folder, where)
    if interrupted:
        raise SearchInterruptedError(f"interrupted after a drain; go on with: {go_on} --trials {target}")
    _judge(store, row, summary, points)


def _front(store: StudyReader | StudyStore, row: StudyRow) -> list[Point]:
    from aster_dse.export import study_front

    return study_front(store, row)


@contextmanager
def _executor(machines: _Machines, left: int) -> Iterator[Executor]:
    """What runs the trainings; nothing is started where nothing is left to do."""
    from aster_dse.search.serial import SerialExecutor

    if machines.workers == 0 and machines.address is not None:
        raise InputError("--workers", "0 trains in this process, not on a cluster", "drop it or --address")
    executor: Executor
    if machines.workers == 0 or left <= 0:
        executor = SerialExecutor()
        try:
            yield executor
        finally:
            executor.close()
        return
    from aster_dse.cli.machine import cores, gpus
    from workers.cluster import join, local_cluster

    if machines.address is not None:
        print(f"joining the cluster at {machines.address} ...", file=sys.stderr, flush=True)
        cluster = join(machines.address)
        share = machines.gpus_per_worker or 0.0
        workers = machines.workers
    else:
        workers = machines.workers if machines.workers is not None else min(cores(), 4)
        workers = max(1, min(workers, left))
        print(f"starting Ray with {workers} workers on this machine ...", file=sys.stderr, flush=True)
        found = gpus()
        share = machines.gpus_per_worker if machines.gpus_per_worker is not None else _share(found, workers)
        cluster = local_cluster(workers, gpus=found)
    with cluster:
        from workers.executor import RayExecutor

        executor = RayExecutor(limit=workers, gpus_per_worker=share)
        try:
            yield executor
        finally:
            executor.close()


def _share(gpus: int, workers: int) -> float:
    """The part of a GPU that a worker reserves so that all workers find one."""
    return 1.0 / -(-workers // gpus) if gpus else 0.0


# --- what is printed


def _announce(row: StudyRow, target: int, done: int, url: str, folder: Path) -> None:
    begun = f"goes on from {done} trials" if done else "begins"
    print(
        f"study {row.name} {begun}, {target} in all; stored in {url}, networks in {folder}", file=sys.stderr
    )


def _document(summary: SearchSummary, points: list[Point]) -> dict[str, Any]:
    facts = asdict(summary)
    return {
        "study": summary.study,
        "trials": {name: facts.pop(name) for name in ("complete", "failed", "running")},
        **{name: value for name, value in facts.items() if name != "study"},
        "pareto": [point.as_dict() for point in points],
    }


def _print_summary(
    row: StudyRow, summary: SearchSummary, points: list[Point], url: str, folder: Path, where: str
) -> None:
    from aster_dse.cli.front import print_points

    failed = f", {summary.failed} failed" if summary.failed else ""
    running = f", {summary.running} still running" if summary.running else ""
    print(
        f"\n{row.name}: {summary.complete} trials complete{failed}{running}; {summary.trainings} networks "
        f"trained, {summary.trainings_reused} found trained; {summary.evaluations:,} configurations in "
        f"{duration(summary.wall_s)}"
    )
    if points:
        print(f"the front: {len(points)} configurations, hypervolume {number(summary.hypervolume)}")
        print_points(points, row.objectives, most=_ROWS)
    print(f"\nstored in {url}, the networks in {folder}\nnext:")
    name = shlex.quote(row.name)
    for command in (
        f"aster-dse dashboard{where}",
        f"aster-dse export {name} --select pareto -o {name}.yaml{where}",
        f"aster-dse resume {name} --trials {2 * max(1, summary.complete + summary.failed)}{where}",
    ):
        print(f"  {command}")


def _judge(store: StudyStore, row: StudyRow, summary: SearchSummary, points: list[Point]) -> None:
    """Say what a search that ran through did not find.

    Raises:
        AsterError: all trials failed.
        InfeasibleError: nothing meets the constraints.
    """
    if summary.failed and not summary.complete:
        first = store.trials(row.id)[0]
        raise AsterError(f"all {summary.failed} trials failed; the first: {first.failure_reason}")
    if summary.complete and not points:
        name = shlex.quote(row.name)
        raise InfeasibleError(
            f"none of the {summary.evaluations} configurations meets {' and '.join(row.constraints)} "
            f"(see the nearest: aster-dse pareto {name})"
        )
