"""Which weights figures are of, and checksums of the rows that figures are read from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_CHECKED = ("aster_trials", "aster_evaluations", "aster_repeats", "aster_analyses")


def upgrade() -> None:
    op.add_column("aster_trials", sa.Column("weights", sa.String(64), nullable=True))
    op.add_column("aster_trainings", sa.Column("weights", sa.String(64), nullable=True))
    # What was stored before has none, and is read unchecked.
    for table in _CHECKED:
        op.add_column(table, sa.Column("checksum", sa.BigInteger(), nullable=True))
