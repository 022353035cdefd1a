"""Taking back the figures of a study whose networks are to be scored anew."""

from __future__ import annotations

from sqlalchemy import Connection, delete, or_, select, update

from aster_dse.store.rows import TrialState
from aster_dse.store.tables import (
    analyses,
    evaluation_details,
    evaluations,
    looks,
    objectives,
    repeats,
    trials,
)

__all__ = ["take_back_figures"]


def take_back_figures(connection: Connection, study_id: int) -> None:
    """Remove all that the cost model had a part in; trials that had any figures are RUNNING again."""
    own = select(trials.c.id).where(trials.c.study_id == study_id)
    connection.execute(delete(evaluation_details).where(evaluation_details.c.trial_id.in_(own)))
    for table in (evaluations, looks, repeats, analyses):
        connection.execute(delete(table).where(table.c.study_id == study_id))
    connection.execute(update(objectives).where(objectives.c.study_id == study_id).values(reference=None))
    had_figures = or_(trials.c.state == TrialState.COMPLETE, trials.c.paused_epoch.is_not(None))
    connection.execute(
        update(trials)
        .where(trials.c.study_id == study_id, had_figures)
        .values(
            state=TrialState.RUNNING,
            finished_at=None,
            finish_order=None,
            paused_epoch=None,
            passes=None,
            evaluations=0,
            feasible=0,
        )
    )
