"""What the search driver, the executors and the store say to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from aster_dse.evaluation import Evaluation
from aster_dse.space import Candidate

if TYPE_CHECKING:
    from aster_dse.evaluation.question import InnerQuestion

__all__ = [
    "MACHINE_FAULTS",
    "EpochReport",
    "Executor",
    "FileReport",
    "JobStarted",
    "JobsWait",
    "NetworkFailure",
    "NetworkJob",
    "NetworkPause",
    "NetworkResult",
    "Notice",
    "Outcome",
    "PassReport",
    "Report",
]


@dataclass(frozen=True)
class NetworkJob:
    """One trial's work: have the network trained and traced, then score configurations on it."""

    study: str
    trial: int
    candidate: Candidate
    inner: tuple[dict[str, Any], ...]
    """Assignments of knobs that need no training, by path: what to score where there is no ``question``."""
    constraints: tuple[str, ...]
    artifacts: str
    """Folder in which the trained network's files lie or will lie, by training key."""
    question: InnerQuestion | None = None
    """What to search the network's inner front for."""
    pause_at: int | None = None
    """Epoch after which to pause the training; None trains to the end."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Name to content of the checkpoint to go on from, where the worker may not see the driver's disk."""
    expected: dict[str, str] = field(default_factory=dict)
    """Name to SHA-256 of the network's files as the store knows them."""
    data: str = ""
    """Folder in which data sets lie on the driver's machine, for a worker that reads them itself."""
    user_files: Mapping[str, str] = field(default_factory=dict)
    """Text of each library and preset of the user's own that the accelerators are made of, by its name: the
    worker reads these, and no file."""


@dataclass(frozen=True)
class NetworkResult:
    """A finished trial.

    ``evaluations`` is the network's inner front, or, for a job without a question, answers
    ``NetworkJob.inner`` in its order.
    """

    trial: int
    training_key: str
    reused: bool
    """True where the trained network was found, not trained."""
    training: dict[str, Any]
    """``accuracy`` (validation, full T), ``validation_samples``, ``epochs``, ``parameters``, ``wall_s``,
    ``cpu_s``, ``history`` (a row per epoch), ``resumed_from_epoch``, ``weights`` (SHA-256 of the trained
    weights); of an inner search ``inner_scored``
    (pairs of a policy and an accelerator) and ``inner_exhaustive``; where arrays are real ``array_classes``
    (numerics classes that were run), ``passes_made``, ``calibrations_made``, ``passes_s`` and
    ``passes_failed`` (a line for each class that could not be run)."""
    evaluations: tuple[Evaluation, ...]
    wall_s: float
    node: str = ""
    attempt: int = 1
    peak_memory_mib: float = 0.0
    files: dict[str, bytes] = field(default_factory=dict)
    """Name to content of artifacts that the driver may not see on its own disk."""


@dataclass(frozen=True)
class NetworkPause:
    """A training that paused where it was told to; the trial goes on later, or never."""

    trial: int
    training_key: str
    epoch: int
    accuracy: float
    """Validation, full T, after that epoch."""
    evaluations: tuple[Evaluation, ...]
    """The network's inner front then, without regard to bounds on its accuracy."""
    scored: int
    """Pairs of a policy and an accelerator that were scored to find it."""
    wall_s: float
    node: str = ""
    attempt: int = 1
    peak_memory_mib: float = 0.0
    files: dict[str, bytes] = field(default_factory=dict)
    """Name to content of the checkpoint."""


@dataclass(frozen=True)
class NetworkFailure:
    """A job that failed, with its reason.

    ``kind`` is one of ``diverged``, ``input``, ``worker``, ``error``, or one of :data:`MACHINE_FAULTS`, which
    say nothing about the network: a trial fails for one only where memory is short while it runs alone. It is
    ``mismatch`` where a data set is not the one of the candidate, which says nothing of the network either: a
    search ends with it.
    """

    trial: int
    training_key: str
    kind: str
    reason: str
    trace: str = ""
    node: str = ""
    attempt: int = 1


MACHINE_FAULTS = frozenset({"memory", "machine", "data"})
"""Kinds of failure that are not the network's; see :func:`aster_dse.errors.machine_fault`."""

Outcome = NetworkResult | NetworkPause | NetworkFailure


@dataclass(frozen=True)
class EpochReport:
    """Progress of a running training."""

    trial: int
    epoch: int
    epochs: int
    accuracy: float
    loss: float


@dataclass(frozen=True)
class PassReport:
    """A job begins a pass: its network, trained by now, runs on the arrays of a chip."""

    trial: int
    number: int
    """1, 2, ... of those made by this job; passes that are found are not reported."""
    at_most: int
    """Passes that the job may come to make."""


@dataclass(frozen=True)
class FileReport:
    """A stored file could not be used."""

    trial: int
    text: str
    """Which, why, and what was done about it, in a line."""


Report = EpochReport | PassReport | FileReport


@dataclass(frozen=True)
class JobStarted:
    """A job has the machine, or the machines, that it needs, and begins."""

    trial: int


@dataclass(frozen=True)
class JobsWait:
    """Jobs wait for what the machines do not have; told again and again."""

    text: str
    """What each asks for, and what there is."""


Notice = JobStarted | JobsWait


class Executor(Protocol):
    """Runs jobs somewhere: in this process, or on Ray."""

    on_notice: Callable[[Notice], None] | None
    """Told, within :meth:`wait`, when a job begins, and of what keeps jobs from beginning."""

    @property
    def slots(self) -> int:
        """Jobs that can run at once."""
        ...

    @property
    def gpus(self) -> float:
        """GPUs that a job reserves."""
        ...

    def submit(self, job: NetworkJob) -> None: ...

    def wait(self, on_report: Callable[[Report], None] | None = None) -> Outcome:
        """Block until one submitted job has ended or paused, in order of completion, and return its outcome.

        Reports of running jobs are passed to ``on_report`` as they arrive. Raises RuntimeError when
        nothing was submitted.
        """
        ...

    def cancel(self) -> None:
        """Drop what is queued and stop what runs; called on the second interrupt and on errors."""
        ...

    def close(self) -> None: ...
