"""What a study's data sets in folders were identified as; studies of an older version did not say."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("aster_studies", sa.Column("data", sa.Text(), nullable=True))
