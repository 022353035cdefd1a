"""Configurations repeated with other seeds, and answers that are kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_METRICS = ("accuracy", "energy_uj", "latency_us", "area_mm2", "mean_timesteps", "edp_uj_us")


def _child_of(table: str, column: str, of: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{of}.id"], name=op.f(f"fk_{table}_{column}"), ondelete="CASCADE"
    )


def upgrade() -> None:
    op.create_table(
        "aster_repeats",
        sa.Column("study_id", _ID, nullable=False),
        sa.Column("trial_id", _ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("training_key", sa.String(64), nullable=False),
        *(sa.Column(name, sa.Double(), nullable=False) for name in _METRICS),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        _child_of("aster_repeats", "study_id", "aster_studies"),
        _child_of("aster_repeats", "trial_id", "aster_trials"),
        sa.PrimaryKeyConstraint("trial_id", "position", "seed", name=op.f("pk_aster_repeats")),
    )
    op.create_table(
        "aster_analyses",
        sa.Column("study_id", _ID, nullable=False),
        sa.Column("question", sa.String(200), nullable=False),
        sa.Column("upto", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        _child_of("aster_analyses", "study_id", "aster_studies"),
        sa.PrimaryKeyConstraint("study_id", "question", name=op.f("pk_aster_analyses")),
    )
