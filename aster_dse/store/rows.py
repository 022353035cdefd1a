"""What the store hands out: one frozen record per kind of row, free of SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from aster_dse.evaluation.result import Evaluation
from aster_dse.hardware.sources import ModelRecord

__all__ = [
    "Artifact",
    "AttemptRow",
    "EvaluationRow",
    "LeaseHolder",
    "LookRow",
    "RepeatRow",
    "StaleTrial",
    "StudyCounts",
    "StudyRow",
    "StudySummary",
    "ToldEvaluation",
    "TrainingRow",
    "TrialRow",
    "TrialState",
]


class TrialState(StrEnum):
    """Where a trial stands; an attempt can also be ``LOST``: its driver ended before it did.

    ``PAUSED``: stopped early, and goes on if it comes to be one of the best of those that came as far.
    """

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETE = "complete"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True)
class StudyRow:
    """One search: what is searched, for what, and how it was started. All times are UTC."""

    id: int
    name: str
    space: dict[str, Any]
    """The resolved search space."""
    space_hash: str
    objectives: dict[str, str]
    """Metric to direction (``max`` or ``min``), in the order given."""
    constraints: tuple[str, ...]
    reference_point: dict[str, float] | None
    """Of the hypervolume, by objective; None until it is set."""
    seed: int
    sampler: str
    code_version: str
    created_at: datetime
    updated_at: datetime
    """Last write to anything of the study."""
    data: tuple[dict[str, Any], ...] | None = None
    """Its data sets in folders, each as :class:`aster_dse.workload.KnownData` has it; None where an older
    version began the study, which did not identify them."""
    model: ModelRecord | None = None
    """What its figures are computed with; None where an older version began it and did not record it."""


@dataclass(frozen=True)
class StudyCounts:
    """How far a study is."""

    running: int = 0
    paused: int = 0
    """Stopped early, by now."""
    complete: int = 0
    failed: int = 0
    evaluations: int = 0
    feasible: int = 0
    """Evaluations that meet every constraint."""
    told: int = 0
    """Evaluations that the sampler learnt from."""
    trainings: int = 0
    """Distinct trained networks among the complete trials."""
    reused: int = 0
    """Complete trials whose network was found, not trained."""

    @property
    def trials(self) -> int:
        return self.running + self.paused + self.complete + self.failed


@dataclass(frozen=True)
class StudySummary:
    """A line in a list of studies."""

    study: StudyRow
    counts: StudyCounts
    last_evaluation: int
    """Greatest evaluation id so far, 0 where there is none: what to pass as ``since`` for what comes next."""


@dataclass(frozen=True)
class TrialRow:
    """One network that the sampler proposed, and what became of it."""

    id: int
    study_id: int
    number: int
    state: TrialState
    assignment: dict[str, Any]
    """Every searched knob as proposed, outer and inner, by path."""
    candidate: dict[str, Any]
    training_key: str
    started_at: datetime
    finished_at: datetime | None
    finish_order: int | None
    """1, 2, ... in the order in which outcomes were recorded; None while running."""
    reused: bool
    wall_s: float
    peak_memory_mib: float
    node: str
    """Where the last attempt ran."""
    attempts: int
    evaluations: int
    feasible: int
    failure_kind: str
    """Of the last attempt; empty unless the trial failed."""
    failure_reason: str
    paused_epoch: int | None = None
    """Epoch after which it is paused; None unless it is."""
    passes: dict[str, Any] | None = None
    """What came of its passes on real arrays: ``array_classes``, ``passes_made``, ``calibrations_made``,
    ``passes_s`` and ``passes_failed``; None where arrays are ideal, and until it is complete."""


@dataclass(frozen=True)
class StaleTrial:
    """A complete trial whose network was made anew since, with other weights."""

    number: int
    training_key: str
    candidate: dict[str, Any]
    assignments: tuple[dict[str, Any], ...]
    """Inner knobs of its evaluations, in their order."""


@dataclass(frozen=True)
class LookRow:
    """What was seen of a network before its training was over."""

    trial: int
    epoch: int
    accuracy: float
    """Share of validation samples classified correctly at full T, then."""
    evaluations: tuple[Evaluation, ...]
    """Of its inner front then, those that gain most hypervolume; without breakdowns."""


@dataclass(frozen=True)
class AttemptRow:
    """One try of a trial: a crash of the driver, a pause or a requeue begins another."""

    number: int
    state: TrialState
    node: str
    executions: int
    """How often the executor started the work within this attempt (it retries lost workers by itself)."""
    started_at: datetime
    finished_at: datetime | None
    wall_s: float
    kind: str
    reason: str
    trace: str


@dataclass(frozen=True)
class TrainingRow:
    """One trained network, shared by all trials and studies whose configurations train to it."""

    key: str
    accuracy: float | None
    """Share of validation samples classified correctly at full T."""
    epochs: int | None
    parameters: int | None
    wall_s: float | None
    cpu_s: float | None
    resumed_from_epoch: int | None
    detail: dict[str, Any]
    """What the training reported beyond the above and its history."""
    finished_at: datetime


@dataclass(frozen=True)
class EvaluationRow:
    """One inner configuration of a trial with everything known about it."""

    id: int
    study_id: int
    trial: int
    index: int
    training_key: str
    assignment: dict[str, Any]
    """Every searched knob, outer and inner, by path."""
    told_order: int | None
    evaluation: Evaluation
    """``evaluation.assignment`` holds the inner knobs alone."""


@dataclass(frozen=True)
class ToldEvaluation:
    """One observation of the sampler, to be replayed."""

    order: int
    """1, 2, ... as told within the study."""
    trial: int
    index: int
    assignment: dict[str, Any]
    """Every searched knob, outer and inner, by path."""
    metrics: dict[str, float]
    violation: float


@dataclass(frozen=True)
class Artifact:
    """A file of a trained network; ``id`` is 0 until it is stored."""

    training_key: str
    kind: str
    """``checkpoint``, ``trace``, ``pass``, ``calibration`` or another word for what it is."""
    path: str
    """Relative to the artifacts folder, with forward slashes."""
    sha256: str
    bytes: int
    id: int = 0


@dataclass(frozen=True)
class LeaseHolder:
    """The driver that holds a study."""

    label: str
    host: str
    pid: int
    since: datetime
    expires_at: datetime


@dataclass(frozen=True)
class RepeatRow:
    """A configuration evaluated again, on a network that differs in the seed of its training alone."""

    trial: int
    index: int
    seed: int
    training_key: str
    metrics: dict[str, float]
