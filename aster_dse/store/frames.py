"""Evaluations as a data frame, straight from the rows: 100,000 in about a second."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from aster_dse.errors import InputError
from aster_dse.space import METRICS
from aster_dse.store.encoding import load_json, load_json_rows
from aster_dse.store.tables import evaluations, trials

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_evaluations"]

_ALWAYS = ("id", "trial", "index")
_STORED = {
    "id": evaluations.c.id,
    "trial": trials.c.number,
    "index": evaluations.c.position,
    **{name: evaluations.c[name] for name in METRICS},
    "violation": evaluations.c.violation,
    "feasible": evaluations.c.violation <= 0,
    "told": evaluations.c.told_order.is_not(None),
    "told_order": evaluations.c.told_order,
    "training_key": trials.c.training_key,
}
_TYPES = {
    **dict.fromkeys(_ALWAYS, "int64"),
    **dict.fromkeys((*METRICS, "violation"), "float64"),
    **dict.fromkeys(("feasible", "told"), "bool"),
    "told_order": "Int64",
    "training_key": "str",
}


def read_evaluations(
    connection: Connection,
    study_id: int,
    feasible: bool | None,
    columns: Sequence[str] | None,
    since: int,
    trial: int | None,
) -> pd.DataFrame:
    """See :meth:`~aster_dse.store.reading.StudyQueries.evaluations`."""
    import pandas as pd

    stored, knobs = _chosen(columns)
    wants_knobs = knobs is None or bool(knobs)
    statement = (
        select(*(_STORED[name].label(name) for name in stored))
        .join(trials, trials.c.id == evaluations.c.trial_id)
        .where(evaluations.c.study_id == study_id, evaluations.c.id > since)
        .order_by(evaluations.c.id)
    )
    if wants_knobs:
        statement = statement.add_columns(evaluations.c.trial_id, evaluations.c.assignment)
    if feasible is not None:
        statement = statement.where(evaluations.c.violation <= 0 if feasible else evaluations.c.violation > 0)
    if trial is not None:
        statement = statement.where(trials.c.number == trial)
    rows = connection.execute(statement).all()
    table: list[Sequence[Any]] = (
        list(zip(*rows, strict=True)) if rows else [()] * len(statement.selected_columns)
    )
    data: dict[str, Any] = {
        name: pd.Series(values, dtype=_TYPES[name]) for name, values in zip(stored, table, strict=False)
    }
    if wants_knobs:
        assigned = _assignments(connection, study_id, table[-2], table[-1])
        if knobs is None:
            knobs = sorted({path for assignment in assigned for path in assignment})
        for path in knobs:
            data[path] = pd.Series([assignment.get(path) for assignment in assigned])
    return pd.DataFrame(data)


def _chosen(columns: Sequence[str] | None) -> tuple[list[str], list[str] | None]:
    """The stored columns and the paths of knobs that are asked for; None means every knob."""
    if columns is None:
        return [*_ALWAYS, *METRICS, "violation", "feasible", "told"], None
    unknown = [name for name in columns if name not in _STORED and "." not in name]
    if unknown:
        close = difflib.get_close_matches(unknown[0], _STORED, n=1)
        remedy = f"did you mean {close[0]}?" if close else f"one of {', '.join(_STORED)} or a knob's path"
        raise InputError("columns", f"there is no {unknown[0]!r}", remedy)
    stored = dict.fromkeys([*_ALWAYS, *(name for name in columns if name in _STORED)])
    return list(stored), list(dict.fromkeys(name for name in columns if name not in _STORED))


def _assignments(
    connection: Connection, study_id: int, trial_ids: Sequence[int], inner: Sequence[str]
) -> list[dict[str, Any]]:
    """Every searched knob of each row: what its trial proposed, the row's own inner knobs in their place."""
    if not trial_ids:
        return []
    statement = select(trials.c.id, trials.c.assignment).where(
        trials.c.study_id == study_id, trials.c.id.between(min(trial_ids), max(trial_ids))
    )
    proposed = {trial: load_json(text) for trial, text in connection.execute(statement)}
    return [
        {**proposed[trial], **knobs} for trial, knobs in zip(trial_ids, load_json_rows(inner), strict=True)
    ]
