"""A trial's work from end to end: train or find the network, trace it, search what it can do.

What a trained network leaves lies in ``<artifacts>/<training key>/``: ``network.safetensors``, ``trace.npz``,
``epoch.safetensors`` while it trains, and, where arrays are real, a ``pass-KEY.npz`` for every pass and a
``calibration-KEY.npz`` for what its ranges come from. A job that is run again finds what is there and does
the rest; what is damaged, or of another network, it sets aside and makes anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from aster_dse.activity import ActivityTrace
from aster_dse.activity.files import TRACE_FILE, load_trace, save_trace
from aster_dse.activity.record import record_trace
from aster_dse.errors import InputError, NotFoundError, PassError, machine_fault
from aster_dse.evaluation.array_search import search_arrays
from aster_dse.evaluation.evaluate import evaluate
from aster_dse.evaluation.inner import InnerAnswer, search_inner
from aster_dse.evaluation.on_arrays import evaluate_on_arrays
from aster_dse.evaluation.question import InnerQuestion
from aster_dse.evaluation.result import Evaluation
from aster_dse.hardware.documents import user_files
from aster_dse.numerics.network_passes import NetworkPasses
from aster_dse.search.job_data import check_unchanged, data_for
from aster_dse.search.job_passes import forget_looks, look_folder, passes_of, what_passes_did
from aster_dse.search.kept_files import keep_file
from aster_dse.search.protocol import (
    EpochReport,
    FileReport,
    NetworkFailure,
    NetworkJob,
    NetworkPause,
    NetworkResult,
    Outcome,
    Report,
)
from aster_dse.space import parse_constraint
from aster_dse.stored_files import (
    DamagedFileError,
    SetAside,
    adopt,
    digest_file,
    read_kept,
    set_aside,
)
from aster_dse.training import EpochRow, TrainedNetwork, TrainingDiverged, train
from aster_dse.training.checkpoint import EPOCH_FILE, NETWORK_FILE, weights_digest
from aster_dse.training.group import Group
from aster_dse.workload import Workload

__all__ = ["join_training", "run_job"]


def run_job(
    job: NetworkJob,
    *,
    workload: Workload | None = None,
    on_report: Callable[[Report], None] | None = None,
    device: str = "auto",
    threads: int = 1,
    group: Group | None = None,
) -> Outcome:
    """Do the work of ``job`` in this process.

    Args:
        workload: the data of ``job.candidate.workload``; loaded from this machine where it is not given.
        on_report: called after every epoch trained here, and before every pass made here.
        device: as for :func:`~aster_dse.training.train`.
        threads: of this process's linear algebra.
        group: the processes that train the network together, of which this is the first; each of the others
            calls :func:`join_training`.

    Returns:
        A result; a pause, where the job asks for one before the training's end; or a failure of kind
        ``diverged``, ``input``, ``error`` (no pass could be made) or one of the machine's faults, with its
        reason. Other errors are raised, :class:`~aster_dse.errors.DataMismatchError` among them.
    """
    with user_files(job.user_files):
        return _outcome(job, workload, on_report, device, threads, group)


def _outcome(
    job: NetworkJob,
    workload: Workload | None,
    on_report: Callable[[Report], None] | None,
    device: str,
    threads: int,
    group: Group | None,
) -> Outcome:
    started = time.perf_counter()
    key = job.candidate.training_key()
    folder = Path(job.artifacts) / key

    def on_damage(file: SetAside) -> None:
        if on_report is not None:
            on_report(FileReport(job.trial, str(file)))

    try:
        workload = data_for(job, workload)
        folder.mkdir(parents=True, exist_ok=True)
        # Two trials may want one network at once: the second waits and finds it. The lock ends with its
        # holder, however that ends.
        with FileLock(folder / "lock"):
            _lay_down(job.files, folder, on_damage)
            trained, reused = _trained(job, workload, folder, on_report, on_damage, device, threads, group)
            if not reused:
                check_unchanged(job, workload, [folder / name for name in (NETWORK_FILE, EPOCH_FILE)])
            if trained.epochs < job.candidate.training.epochs:
                return _pause(job, trained, workload, folder, started, threads, on_report, on_damage)
            forget_looks(folder)
            weights = weights_digest(trained.model.state_dict())
            trace = _trace(job, trained, workload, folder, weights, threads, on_damage)
            adopt(folder / NETWORK_FILE)
        summary = _summary(trained, trace, workload) | {"weights": weights}
        passes = passes_of(
            job,
            trained,
            workload,
            folder,
            trace,
            threads=threads,
            on_report=on_report,
            on_damage=on_damage,
            question=job.question,
        )
        answer = None
        if job.question is None:
            evaluations = _evaluated(job, trace, passes)
        else:
            answer = _searched(job.question, job, trace, passes)
            evaluations = answer.evaluations
            summary |= {"inner_scored": answer.scored, "inner_exhaustive": answer.exhaustive}
        if passes is not None:
            summary |= what_passes_did(passes, answer)
    except TrainingDiverged as error:
        return NetworkFailure(job.trial, key, "diverged", str(error))
    except (InputError, PassError) as error:
        kind = machine_fault(error) or ("input" if isinstance(error, InputError) else "error")
        return NetworkFailure(job.trial, key, kind, str(error))
    return NetworkResult(
        trial=job.trial,
        training_key=key,
        reused=reused,
        training=summary,
        evaluations=evaluations,
        wall_s=time.perf_counter() - started,
        files={name: read_kept(folder / name) for name in _files(passes)},
    )


def _evaluated(job: NetworkJob, trace: ActivityTrace, passes: NetworkPasses | None) -> tuple[Evaluation, ...]:
    if passes is not None:
        return evaluate_on_arrays(passes, job.candidate, job.inner, job.constraints)
    return evaluate(trace, job.candidate, job.inner, [parse_constraint(text) for text in job.constraints])


def _searched(
    question: InnerQuestion,
    job: NetworkJob,
    trace: ActivityTrace,
    passes: NetworkPasses | None,
    *,
    verify: bool = True,
) -> InnerAnswer:
    if passes is not None:
        return search_arrays(passes, job.candidate, question, verify=verify)
    return search_inner(trace, job.candidate, question)


def _files(passes: NetworkPasses | None) -> list[str]:
    return [NETWORK_FILE, TRACE_FILE, *([] if passes is None else dict.fromkeys(passes.log.files))]


def join_training(
    job: NetworkJob, *, workload: Workload | None, device: str, threads: int, group: Group
) -> None:
    """Take part in the training that the first process of ``group`` does for ``job``; nothing is written."""
    # Those two the first process meets too, and reports.
    with suppress(TrainingDiverged, InputError):
        workload = data_for(job, workload)
        _trained(job, workload, Path(job.artifacts), None, None, device, threads, group)


def _lay_down(files: Mapping[str, bytes], folder: Path, on_damage: Callable[[SetAside], None]) -> None:
    """Put a checkpoint where a training looks for it, unless there is one: a killed attempt's is newer."""
    if not (folder / NETWORK_FILE).exists():
        for name, content in files.items():
            try:
                read_kept(folder / name, "checkpoint")
            except NotFoundError:
                keep_file(folder, name, content)
            except DamagedFileError as error:
                on_damage(set_aside(folder / name, error.problem))
                keep_file(folder, name, content)


def _pause(
    job: NetworkJob,
    trained: TrainedNetwork,
    workload: Workload,
    folder: Path,
    started: float,
    threads: int,
    on_report: Callable[[Report], None] | None,
    on_damage: Callable[[SetAside], None],
) -> NetworkPause:
    if job.question is None:
        raise ValueError("a job that pauses needs a question")
    question = job.question.while_training()
    trace = record_trace(trained, workload, threads=threads)
    passes = passes_of(
        job,
        trained,
        workload,
        look_folder(folder, trained.epochs),
        trace,
        threads=threads,
        on_report=on_report,
        on_damage=on_damage,
        question=question,
        verify=False,
    )
    answer = _searched(question, job, trace, passes, verify=False)
    forget_looks(folder)
    return NetworkPause(
        trial=job.trial,
        training_key=job.candidate.training_key(),
        epoch=trained.epochs,
        accuracy=trained.accuracy,
        evaluations=answer.evaluations,
        scored=answer.scored,
        wall_s=time.perf_counter() - started,
        files={EPOCH_FILE: read_kept(folder / EPOCH_FILE, "checkpoint")},
    )


def _trained(
    job: NetworkJob,
    workload: Workload,
    folder: Path,
    on_report: Callable[[Report], None] | None,
    on_damage: Callable[[SetAside], None] | None,
    device: str,
    threads: int,
    group: Group | None,
) -> tuple[TrainedNetwork, bool]:
    candidate = job.candidate
    trained_here = 0

    def report(row: EpochRow) -> None:
        nonlocal trained_here
        trained_here += 1
        if on_report is not None:
            on_report(EpochReport(job.trial, row.epoch, candidate.training.epochs, row.accuracy, row.loss))

    trained = train(
        workload,
        candidate.network,
        candidate.training,
        folder=folder,
        on_epoch=report,
        device=device,
        threads=threads,
        group=group,
        until=job.pause_at,
        expected=job.expected,
        on_damage=on_damage,
    )
    return trained, trained_here == 0


def _trace(
    job: NetworkJob,
    trained: TrainedNetwork,
    workload: Workload,
    folder: Path,
    weights: str,
    threads: int,
    on_damage: Callable[[SetAside], None],
) -> ActivityTrace:
    """The network's trace, found or recorded; it is of these very weights and samples."""
    path = folder / TRACE_FILE
    try:
        trace = load_trace(
            path,
            trained.geometry,
            network=weights,
            # Older than its network, where that was made anew since an older version recorded it.
            must_say=digest_file(folder / NETWORK_FILE).is_file() and not digest_file(path).is_file(),
            expected=job.expected.get(TRACE_FILE),
        )
        if not np.array_equal(trace.labels, workload.validation.labels):
            raise DamagedFileError(str(path), "is the trace of other samples")
        adopt(path)
        return trace
    except NotFoundError:
        pass
    except DamagedFileError as error:
        on_damage(set_aside(path, error.problem))
    trace = record_trace(trained, workload, threads=threads)
    save_trace(path, trace, weights)
    return trace


def _summary(trained: TrainedNetwork, trace: ActivityTrace, workload: Workload) -> dict[str, Any]:
    return {
        **({} if workload.config.data is None else {"data": workload.config.data}),
        "accuracy": trained.accuracy,
        "epochs": trained.epochs,
        "parameters": trained.parameters,
        "validation_samples": len(trace.labels),
        "wall_s": trained.wall_s,
        "cpu_s": trained.cpu_s,
        "resumed_from_epoch": trained.resumed_from_epoch,
        "history": [asdict(row) for row in trained.history],
        "block_activity": trace.block_activity.tolist(),
        "firing_rate": {name: rates.tolist() for name, rates in trace.firing_rate.items()},
    }
