"""Jobs that do something simple and real; workers import them by name."""

# ruff: noqa: ARG001 (every job takes what an executor passes)

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import aster_dse
from aster_dse.errors import InputError
from aster_dse.evaluation import Evaluation
from aster_dse.search.protocol import (
    EpochReport,
    NetworkFailure,
    NetworkJob,
    NetworkResult,
    Outcome,
    PassReport,
    Report,
)
from aster_dse.space import Candidate, WorkloadConfig
from aster_dse.workload import Split, Workload

OnReport = Callable[[Report], None] | None


def make_job(trial: int, folder: Path, *, workload: str = "toy", seed: int = 0) -> NetworkJob:
    return NetworkJob(
        study="study",
        trial=trial,
        candidate=Candidate(workload=WorkloadConfig(name=workload, seed=seed)),
        inner=({"policy.exit_threshold": 0.5}, {"policy.exit_threshold": 0.9}),
        constraints=(),
        artifacts=str(folder),
    )


def make_workload(config: WorkloadConfig, /) -> Workload:
    """Frames whose sum depends on the seed."""
    if config.name == "missing":
        raise InputError("workload.name", "'missing' is not a workload", "toy")
    split = Split(np.full((64, 4, 2, 16, 16), config.seed % 2 + 1, dtype=np.uint8), np.arange(64) % 10)
    return Workload(
        config=config,
        train=split,
        validation=split,
        test=split,
        classes=10,
        in_channels=2,
        input_bits=1,
        scale=1.0,
        static=False,
        class_names=tuple(str(digit) for digit in range(10)),
    )


def result(job: NetworkJob, **training: object) -> NetworkResult:
    return NetworkResult(
        trial=job.trial,
        training_key=job.candidate.training_key(),
        reused=False,
        training=dict(training),
        evaluations=tuple(Evaluation(assignment, {"accuracy": 0.5}) for assignment in job.inner),
        wall_s=0.0,
    )


def measure(job: NetworkJob, *, workload: Workload | None, on_report: OnReport) -> Outcome:
    """Reports two epochs and a pass, and says what data it saw, where."""
    assert workload is not None
    for epoch in (1, 2):
        if on_report is not None:
            on_report(EpochReport(trial=job.trial, epoch=epoch, epochs=2, accuracy=0.1 * epoch, loss=1.0))
    if on_report is not None:
        on_report(PassReport(trial=job.trial, number=1, at_most=12))
    return result(
        job,
        events=int(workload.train.frames.sum()),
        pid=os.getpid(),
        threads=os.environ.get("OMP_NUM_THREADS"),
        waiting=os.environ.get("OMP_WAIT_POLICY"),
        folder=os.getcwd(),
        path=sys.path,
    )


def even_only(job: NetworkJob, *, workload: Workload | None, on_report: OnReport) -> Outcome:
    """Odd trials raise; every fourth gives up by itself."""
    if job.trial % 2:
        raise ValueError(f"trial {job.trial}\nis odd")
    if job.trial % 4 == 0:
        return NetworkFailure(job.trial, job.candidate.training_key(), "diverged", "the loss is NaN")
    return result(job)


def refuse(job: NetworkJob, *, workload: Workload | None, on_report: OnReport) -> Outcome:
    raise InputError("network.width", "30 is not a multiple of 8", "32")


def exhaust(job: NetworkJob, *, workload: Workload | None, on_report: OnReport) -> Outcome:
    raise MemoryError("cannot allocate 1 TiB")


def leave(job: NetworkJob, *, workload: Workload | None, on_report: OnReport) -> Outcome:
    raise SystemExit(3)


def answer_nothing(job: NetworkJob, *, workload: Workload | None, on_report: OnReport) -> Outcome:
    return None  # type: ignore[return-value]


def train_three_epochs(job: NetworkJob, *, workload: Workload | None, on_report: OnReport) -> Outcome:
    """Checkpoints each epoch and goes on from the last one; trial 0 is killed once, after the second."""
    checkpoint = Path(job.artifacts) / f"{job.trial}.epoch"
    done = int(checkpoint.read_text()) if checkpoint.exists() else 0
    for epoch in range(done + 1, 4):
        checkpoint.write_text(str(epoch))
        if on_report is not None:
            on_report(EpochReport(trial=job.trial, epoch=epoch, epochs=3, accuracy=0.5, loss=1.0))
        if epoch == 2 and done == 0 and job.trial == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return result(job, resumed_from_epoch=done)


def always_killed(job: NetworkJob, *, workload: Workload | None, on_report: OnReport) -> Outcome:
    with (Path(job.artifacts) / "lives").open("a") as file:
        file.write("x")
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def tick(job: NetworkJob, *, workload: Workload | None, on_report: OnReport) -> Outcome:
    """Shows its process, and that it lives, until it finds a file that says stop."""
    folder = Path(job.artifacts)
    ticks = 0
    while not (folder / "stop").exists():
        ticks += 1
        replace_text(folder / f"{job.trial}.alive", f"{os.getpid()} {ticks}")
        time.sleep(0.02)
    return result(job, path=sys.path)


def replace_text(path: Path, text: str) -> None:
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)


def alive(pid: int) -> bool:
    """Whether a process runs (one that ended and was not reaped yet does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: Callable[[], bool], what: str, limit_s: float = 60.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.02)


def start_driver(script: str, *arguments: object, folder: Path | None = None) -> subprocess.Popen[str]:
    """A driver of its own process group, as a shell starts it in a folder."""
    folders = (Path(__file__).parent, Path(aster_dse.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name(script)), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))},
    )
