"""Store: studies, trials and evaluations in SQLite or PostgreSQL, from which a search resumes."""

from aster_dse.store.errors import LeaseHeldError, LeaseLostError, NotFiniteError
from aster_dse.store.lease import Lease
from aster_dse.store.recording import artifact_of
from aster_dse.store.rows import (
    Artifact,
    AttemptRow,
    EvaluationRow,
    LeaseHolder,
    LookRow,
    RepeatRow,
    StudyCounts,
    StudyRow,
    StudySummary,
    ToldEvaluation,
    TrainingRow,
    TrialRow,
    TrialState,
)
from aster_dse.store.schema import require_place, upgrade
from aster_dse.store.study_reader import StudyReader
from aster_dse.store.study_store import StudyStore

__all__ = [
    "Artifact",
    "AttemptRow",
    "EvaluationRow",
    "Lease",
    "LeaseHeldError",
    "LeaseHolder",
    "LeaseLostError",
    "LookRow",
    "NotFiniteError",
    "RepeatRow",
    "StudyCounts",
    "StudyReader",
    "StudyRow",
    "StudyStore",
    "StudySummary",
    "ToldEvaluation",
    "TrainingRow",
    "TrialRow",
    "TrialState",
    "artifact_of",
    "require_place",
    "upgrade",
]
