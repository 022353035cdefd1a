"""What the sampler of a study was told."""

from __future__ import annotations

from sqlalchemy import Connection, select

from aster_dse.store.checksums import EVALUATION_FIELDS, check_rows
from aster_dse.store.encoding import load_json
from aster_dse.store.queries import metrics_of
from aster_dse.store.rows import ToldEvaluation
from aster_dse.store.tables import evaluations, trials

__all__ = ["read_told"]


def read_told(connection: Connection, study_id: int) -> list[ToldEvaluation]:
    """In the order it was told."""
    rows = connection.execute(
        select(evaluations, trials.c.number, trials.c.assignment.label("proposed"))
        .join(trials, trials.c.id == evaluations.c.trial_id)
        .where(evaluations.c.study_id == study_id, evaluations.c.told_order.is_not(None))
        .order_by(evaluations.c.told_order)
    ).all()
    check_rows(rows, EVALUATION_FIELDS, "evaluations")
    return [
        ToldEvaluation(
            order=row.told_order,
            trial=row.number,
            index=row.position,
            assignment={**load_json(row.proposed), **load_json(row.assignment)},
            metrics=metrics_of(row),
            violation=row.violation,
        )
        for row in rows
    ]
