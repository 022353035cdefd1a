"""What the figures of a study are computed with; for studies that there are, nobody recorded it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("aster_studies", sa.Column("model", sa.Text(), nullable=True))
