"""The first schema: studies, their trials and evaluations, the trained networks they share."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "aster_studies",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("space", sa.Text(), nullable=False),
        sa.Column("space_hash", sa.String(length=128), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("sampler", sa.String(length=64), nullable=False),
        sa.Column("code_version", sa.String(length=128), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_aster_studies")),
        sa.UniqueConstraint("name", name=op.f("uq_aster_studies_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "aster_trainings",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("accuracy", sa.Double(), nullable=True),
        sa.Column("epochs", sa.Integer(), nullable=True),
        sa.Column("parameters", sa.BigInteger(), nullable=True),
        sa.Column("wall_s", sa.Double(), nullable=True),
        sa.Column("cpu_s", sa.Double(), nullable=True),
        sa.Column("resumed_from_epoch", sa.Integer(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_aster_trainings")),
    )
    op.create_table(
        "aster_artifacts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("training_key", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["training_key"],
            ["aster_trainings.key"],
            name=op.f("fk_aster_artifacts_training_key"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_aster_artifacts")),
        sa.UniqueConstraint("training_key", "path", name=op.f("uq_aster_artifacts_training_key_path")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "aster_constraints",
        sa.Column("study_id", _ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("expression", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id"], ["aster_studies.id"], name=op.f("fk_aster_constraints_study_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("study_id", "position", name=op.f("pk_aster_constraints")),
    )
    op.create_table(
        "aster_leases",
        sa.Column("study_id", _ID, nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("machine", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("process_start", sa.Text(), nullable=False),
        sa.Column("acquired_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id"], ["aster_studies.id"], name=op.f("fk_aster_leases_study_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("study_id", name=op.f("pk_aster_leases")),
    )
    op.create_table(
        "aster_objectives",
        sa.Column("study_id", _ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("metric", sa.String(length=64), nullable=False),
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("reference", sa.Double(), nullable=True),
        sa.CheckConstraint("direction IN ('max', 'min')", name=op.f("ck_aster_objectives_direction")),
        sa.ForeignKeyConstraint(
            ["study_id"], ["aster_studies.id"], name=op.f("fk_aster_objectives_study_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("study_id", "position", name=op.f("pk_aster_objectives")),
        sa.UniqueConstraint("study_id", "metric", name=op.f("uq_aster_objectives_study_id_metric")),
    )
    op.create_table(
        "aster_rungs",
        sa.Column("training_key", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("accuracy", sa.Double(), nullable=True),
        sa.Column("loss", sa.Double(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["training_key"],
            ["aster_trainings.key"],
            name=op.f("fk_aster_rungs_training_key"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("training_key", "position", name=op.f("pk_aster_rungs")),
    )
    op.create_table(
        "aster_trials",
        sa.Column("id", _ID, nullable=False),
        sa.Column("study_id", _ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("training_key", sa.String(length=64), nullable=False),
        sa.Column("assignment", sa.Text(), nullable=False),
        sa.Column("candidate", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finish_order", sa.Integer(), nullable=True),
        sa.Column("reused", sa.Boolean(), nullable=False),
        sa.Column("wall_s", sa.Double(), nullable=False),
        sa.Column("peak_memory_mib", sa.Double(), nullable=False),
        sa.Column("evaluations", sa.Integer(), nullable=False),
        sa.Column("feasible", sa.Integer(), nullable=False),
        sa.CheckConstraint("state IN ('running', 'complete', 'failed')", name=op.f("ck_aster_trials_state")),
        sa.ForeignKeyConstraint(
            ["study_id"], ["aster_studies.id"], name=op.f("fk_aster_trials_study_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_aster_trials")),
        sa.UniqueConstraint("study_id", "finish_order", name=op.f("uq_aster_trials_study_id_finish_order")),
        sa.UniqueConstraint("study_id", "number", name=op.f("uq_aster_trials_study_id_number")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_aster_trials_training_key"), "aster_trials", ["training_key"], unique=False)
    op.create_table(
        "aster_attempts",
        sa.Column("trial_id", _ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("executions", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("wall_s", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("trace", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('running', 'complete', 'failed', 'lost')", name=op.f("ck_aster_attempts_state")
        ),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["aster_trials.id"], name=op.f("fk_aster_attempts_trial_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("trial_id", "number", name=op.f("pk_aster_attempts")),
    )
    op.create_table(
        "aster_evaluation_details",
        sa.Column("trial_id", _ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["trial_id"],
            ["aster_trials.id"],
            name=op.f("fk_aster_evaluation_details_trial_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("trial_id", "position", name=op.f("pk_aster_evaluation_details")),
    )
    op.create_table(
        "aster_evaluations",
        sa.Column("id", _ID, nullable=False),
        sa.Column("study_id", _ID, nullable=False),
        sa.Column("trial_id", _ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("assignment", sa.Text(), nullable=False),
        sa.Column("accuracy", sa.Double(), nullable=False),
        sa.Column("energy_uj", sa.Double(), nullable=False),
        sa.Column("latency_us", sa.Double(), nullable=False),
        sa.Column("area_mm2", sa.Double(), nullable=False),
        sa.Column("mean_timesteps", sa.Double(), nullable=False),
        sa.Column("edp_uj_us", sa.Double(), nullable=False),
        sa.Column("violation", sa.Double(), nullable=False),
        sa.Column("told_order", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["study_id"], ["aster_studies.id"], name=op.f("fk_aster_evaluations_study_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["aster_trials.id"], name=op.f("fk_aster_evaluations_trial_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_aster_evaluations")),
        sa.UniqueConstraint("study_id", "told_order", name=op.f("uq_aster_evaluations_study_id_told_order")),
        sa.UniqueConstraint("trial_id", "position", name=op.f("uq_aster_evaluations_trial_id_position")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_aster_evaluations_study_id_id"), "aster_evaluations", ["study_id", "id"], unique=False
    )


def downgrade() -> None:
    op.drop_table("aster_evaluations")
    op.drop_table("aster_evaluation_details")
    op.drop_table("aster_attempts")
    op.drop_table("aster_trials")
    op.drop_table("aster_rungs")
    op.drop_table("aster_objectives")
    op.drop_table("aster_leases")
    op.drop_table("aster_constraints")
    op.drop_table("aster_artifacts")
    op.drop_table("aster_trainings")
    op.drop_table("aster_studies")
