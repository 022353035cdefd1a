"""What came of a trial's passes: a trained network may serve trials that ask for different ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("aster_trials", sa.Column("passes", sa.Text(), nullable=True))
