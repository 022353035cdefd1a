"""The schema as the code of this version expects it.

Every table is prefixed ``aster_``, so that another program's tables (Optuna's, say) can live beside them. How
a database comes to this schema is told in ``migrations/``; a test holds the two together.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from aster_dse.space import METRICS
from aster_dse.store.types import UtcDateTime

__all__ = [
    "HEAD",
    "VERSION_TABLE",
    "analyses",
    "artifacts",
    "attempts",
    "constraints",
    "evaluation_details",
    "evaluations",
    "leases",
    "looks",
    "metadata",
    "objectives",
    "repeats",
    "rungs",
    "studies",
    "trainings",
    "trials",
]

HEAD = "0008"
"""Newest revision in ``migrations/versions``: known here so that opening a database need not load Alembic."""

VERSION_TABLE = "aster_schema_version"
"""Not Alembic's default name, which Optuna's storage uses for its own revisions."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only in a column of exactly this type.
_Id = BigInteger().with_variant(Integer(), "sqlite")


def _child_of(table: str, column: str = "id", primary_key: bool = False) -> Column[Any]:
    name = {"aster_studies": "study_id", "aster_trials": "trial_id", "aster_trainings": "training_key"}[table]
    return Column(
        name, ForeignKey(f"{table}.{column}", ondelete="CASCADE"), primary_key=primary_key, nullable=False
    )


def _checksum() -> Column[Any]:
    """Of what the row says, see :mod:`aster_dse.store.checksums`; null in rows of older versions."""
    return Column("checksum", BigInteger, nullable=True)


studies = Table(
    "aster_studies",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("space", Text, nullable=False),
    Column("space_hash", String(128), nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("sampler", String(64), nullable=False),
    Column("code_version", String(128), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("data", Text, nullable=True),
    # What its figures are computed with; unknown for studies of older versions.
    Column("model", Text, nullable=True),
    UniqueConstraint("name"),
    sqlite_autoincrement=True,
)

objectives = Table(
    "aster_objectives",
    metadata,
    _child_of("aster_studies"),
    Column("position", Integer, nullable=False),
    Column("metric", String(64), nullable=False),
    Column("direction", String(3), nullable=False),
    Column("reference", Double, nullable=True),
    PrimaryKeyConstraint("study_id", "position"),
    UniqueConstraint("study_id", "metric"),
    CheckConstraint("direction IN ('max', 'min')", name="direction"),
)

constraints = Table(
    "aster_constraints",
    metadata,
    _child_of("aster_studies"),
    Column("position", Integer, nullable=False),
    Column("expression", Text, nullable=False),
    PrimaryKeyConstraint("study_id", "position"),
)

leases = Table(
    "aster_leases",
    metadata,
    _child_of("aster_studies", primary_key=True),
    Column("token", String(64), nullable=False),
    Column("label", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("machine", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("process_start", Text, nullable=False),
    Column("acquired_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

trials = Table(
    "aster_trials",
    metadata,
    Column("id", _Id, primary_key=True),
    _child_of("aster_studies"),
    Column("number", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("training_key", String(64), nullable=False),
    Column("assignment", Text, nullable=False),
    Column("candidate", Text, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime, nullable=True),
    Column("finish_order", Integer, nullable=True),
    Column("reused", Boolean, nullable=False),
    Column("wall_s", Double, nullable=False),
    Column("peak_memory_mib", Double, nullable=False),
    Column("evaluations", Integer, nullable=False),
    Column("feasible", Integer, nullable=False),
    # Where it is set, a trial whose state is 'running' is paused. A state of its own would need the table
    # made anew on SQLite, with all that refers to it.
    Column("paused_epoch", Integer, nullable=True),
    # What came of its passes, where arrays are real.
    Column("passes", Text, nullable=True),
    # SHA-256 of the weights that its evaluations are of; where it differs from the training's, the network
    # was made anew since. Null in what older versions stored.
    Column("weights", String(64), nullable=True),
    _checksum(),
    UniqueConstraint("study_id", "number"),
    UniqueConstraint("study_id", "finish_order"),
    CheckConstraint("state IN ('running', 'complete', 'failed')", name="state"),
    # No foreign key: a trial names its training before the training exists.
    Index(None, "training_key"),
    sqlite_autoincrement=True,
)

attempts = Table(
    "aster_attempts",
    metadata,
    _child_of("aster_trials"),
    Column("number", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("node", Text, nullable=False),
    Column("executions", Integer, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime, nullable=True),
    Column("wall_s", Double, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("trace", Text, nullable=False),
    PrimaryKeyConstraint("trial_id", "number"),
    CheckConstraint("state IN ('running', 'complete', 'failed', 'lost')", name="state"),
)

trainings = Table(
    "aster_trainings",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("accuracy", Double, nullable=True),
    Column("epochs", Integer, nullable=True),
    Column("parameters", BigInteger, nullable=True),
    Column("wall_s", Double, nullable=True),
    Column("cpu_s", Double, nullable=True),
    Column("resumed_from_epoch", Integer, nullable=True),
    Column("detail", Text, nullable=False),
    Column("finished_at", UtcDateTime, nullable=False),
    Column("weights", String(64), nullable=True),
)

rungs = Table(
    "aster_rungs",
    metadata,
    _child_of("aster_trainings", "key"),
    Column("position", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("accuracy", Double, nullable=True),
    Column("loss", Double, nullable=True),
    Column("detail", Text, nullable=False),
    PrimaryKeyConstraint("training_key", "position"),
)

artifacts = Table(
    "aster_artifacts",
    metadata,
    Column("id", _Id, primary_key=True),
    _child_of("aster_trainings", "key"),
    Column("kind", String(32), nullable=False),
    Column("path", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    UniqueConstraint("training_key", "path"),
    sqlite_autoincrement=True,
)

# What was seen of a network before its training was over.
looks = Table(
    "aster_looks",
    metadata,
    _child_of("aster_studies"),
    _child_of("aster_trials"),
    Column("epoch", Integer, nullable=False),
    Column("look_order", Integer, nullable=False),
    Column("accuracy", Double, nullable=False),
    Column("packed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("trial_id", "epoch"),
    UniqueConstraint("study_id", "look_order"),
)

evaluations = Table(
    "aster_evaluations",
    metadata,
    Column("id", _Id, primary_key=True),
    _child_of("aster_studies"),
    _child_of("aster_trials"),
    Column("position", Integer, nullable=False),
    Column("assignment", Text, nullable=False),
    *(Column(name, Double, nullable=False) for name in METRICS),
    Column("violation", Double, nullable=False),
    Column("told_order", Integer, nullable=True),
    _checksum(),
    UniqueConstraint("trial_id", "position"),
    UniqueConstraint("study_id", "told_order"),
    # Ids grow as rows are committed, so what is new to a reader of a study is the tail of this index.
    Index(None, "study_id", "id"),
    sqlite_autoincrement=True,
)

# Kept apart: a breakdown is many times the size of the rest of its row, and scans of evaluations need none.
evaluation_details = Table(
    "aster_evaluation_details",
    metadata,
    _child_of("aster_trials"),
    Column("position", Integer, nullable=False),
    Column("packed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("trial_id", "position"),
)

# Configurations evaluated again on networks that differ in the seed of their training alone.
repeats = Table(
    "aster_repeats",
    metadata,
    _child_of("aster_studies"),
    _child_of("aster_trials"),
    Column("position", Integer, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("training_key", String(64), nullable=False),
    *(Column(name, Double, nullable=False) for name in METRICS),
    Column("finished_at", UtcDateTime, nullable=False),
    _checksum(),
    PrimaryKeyConstraint("trial_id", "position", "seed"),
)

# Answers that took long to work out, each with the last evaluation that it knows of.
analyses = Table(
    "aster_analyses",
    metadata,
    _child_of("aster_studies"),
    Column("question", String(200), nullable=False),
    Column("upto", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    _checksum(),
    PrimaryKeyConstraint("study_id", "question"),
)
