"""Trainings that pause: where they stand, and what was seen of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("aster_trials", sa.Column("paused_epoch", sa.Integer(), nullable=True))
    op.create_table(
        "aster_looks",
        sa.Column("study_id", _ID, nullable=False),
        sa.Column("trial_id", _ID, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("look_order", sa.Integer(), nullable=False),
        sa.Column("accuracy", sa.Double(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id"],
            ["aster_studies.id"],
            name=op.f("fk_aster_looks_study_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["trial_id"],
            ["aster_trials.id"],
            name=op.f("fk_aster_looks_trial_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("trial_id", "epoch", name=op.f("pk_aster_looks")),
        sa.UniqueConstraint("study_id", "look_order", name=op.f("uq_aster_looks_study_id_look_order")),
    )
