"""Metrics of networks as their arrays compute them; what was stored before is of ideal arrays."""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NEW = ("accuracy_ideal", "accuracy_min", "accuracy_std", "chip_yield")
_TABLES = ("aster_evaluations", "aster_repeats")
_OLD = ("accuracy", "energy_uj", "latency_us", "area_mm2", "mean_timesteps", "edp_uj_us")
_BOUND = re.compile(rf"({'|'.join(_OLD)}) (<=|>=) (\S+)")


def upgrade() -> None:
    connection = op.get_bind()
    for table in _TABLES:
        for name in _NEW:
            # SQLite adds no column without a value for the rows that there are.
            column: sa.Column[float] = sa.Column(
                name, sa.Double(), nullable=False, server_default=sa.text("0")
            )
            op.add_column(table, column)
        connection.execute(
            sa.text(f"UPDATE {table} SET accuracy_ideal = accuracy, accuracy_min = accuracy, chip_yield = 1")
        )
    connection.execute(sa.text("UPDATE aster_evaluations SET chip_yield = 0 WHERE violation > 0"))
    _judge_repeats(connection)
    if connection.dialect.name != "sqlite":
        for table in _TABLES:
            for name in _NEW:
                op.alter_column(table, name, server_default=None)


def _judge_repeats(connection: sa.Connection) -> None:
    """Repeats have no violation of their own: the constraints of their study decide."""
    bounds = connection.execute(sa.text("SELECT study_id, expression FROM aster_constraints")).all()
    for study, expression in bounds:
        if (found := _BOUND.fullmatch(expression)) is None:
            continue
        metric, operator, bound = found.groups()
        broken = f"{metric} {'>' if operator == '<=' else '<'} :bound"
        connection.execute(
            sa.text(f"UPDATE aster_repeats SET chip_yield = 0 WHERE study_id = :study AND {broken}"),
            {"study": study, "bound": float(bound)},
        )
