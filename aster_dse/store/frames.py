"""Evaluations as a data frame, straight from the rows: 100,000 in about a second."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, func, select

from aster_dse.errors import InputError
from aster_dse.space import METRICS
from aster_dse.store.checksums import EVALUATION_FIELDS, TRIAL_FIELDS, check_rows, checksum
from aster_dse.store.encoding import load_json, load_json_rows
from aster_dse.store.errors import DamagedRowError
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
_CHECKED = tuple(evaluations.c[name].label(f"checked_{name}") for name in (*EVALUATION_FIELDS, "checksum"))
"""Read with every row, for its checksum."""
_TRIAL_ID, _ASSIGNMENT = (
    EVALUATION_FIELDS.index(name) - len(_CHECKED) for name in ("trial_id", "assignment")
)
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
        select(*(_STORED[name].label(name) for name in stored), *_CHECKED)
        .join(trials, trials.c.id == evaluations.c.trial_id)
        .where(evaluations.c.study_id == study_id, evaluations.c.id > since)
        .order_by(evaluations.c.id)
    )
    if feasible is not None:
        statement = statement.where(evaluations.c.violation <= 0 if feasible else evaluations.c.violation > 0)
    if trial is not None:
        statement = statement.where(trials.c.number == trial)
    rows = connection.execute(statement).all()
    _check(rows)
    if not since and feasible is None:
        _check_number(connection, study_id, trial, len(rows))
    table: list[Sequence[Any]] = (
        list(zip(*rows, strict=True)) if rows else [()] * len(statement.selected_columns)
    )
    data: dict[str, Any] = {
        name: pd.Series(values, dtype=_TYPES[name]) for name, values in zip(stored, table, strict=False)
    }
    if wants_knobs:
        assigned = _assignments(connection, study_id, table[_TRIAL_ID], table[_ASSIGNMENT])
        if knobs is None:
            knobs = sorted({path for assignment in assigned for path in assignment})
        for path in knobs:
            data[path] = pd.Series([assignment.get(path) for assignment in assigned])
    return pd.DataFrame(data)


def _check(rows: Sequence[Row[Any]]) -> None:
    for row in rows:
        *said, written = row[-len(_CHECKED) :]
        if written is not None and checksum(said) != written:
            raise DamagedRowError(f"evaluation {row.index} of trial {row.trial}")


def _check_number(connection: Connection, study_id: int, trial: int | None, found: int) -> None:
    """Trials say how many evaluations they have: a damaged index loses rows without a word."""
    own = [trials.c.study_id == study_id, *([] if trial is None else [trials.c.number == trial])]
    counted = select(func.coalesce(func.sum(trials.c.evaluations), 0)).where(*own)
    said = connection.execute(counted).scalar_one()
    if said != found:
        raise DamagedRowError(f"the number of evaluations, {found} of {said},")


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
    checked = (trials.c[name] for name in (*TRIAL_FIELDS, "checksum"))
    statement = select(trials.c.id, *checked).where(
        trials.c.study_id == study_id, trials.c.id.between(min(trial_ids), max(trial_ids))
    )
    rows = connection.execute(statement).all()
    check_rows(rows, TRIAL_FIELDS, "trials")
    proposed = {row.id: load_json(row.assignment) for row in rows}
    return [
        {**proposed[trial], **knobs} for trial, knobs in zip(trial_ids, load_json_rows(inner), strict=True)
    ]
