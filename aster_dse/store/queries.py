"""The questions that several callers share, each a statement and what its rows mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, and_, func, select

from aster_dse.evaluation.metric_values import complete_metrics
from aster_dse.evaluation.result import Evaluation
from aster_dse.hardware.sources import ModelRecord
from aster_dse.space import METRICS
from aster_dse.store.checksums import EVALUATION_FIELDS, REPEAT_FIELDS, TRIAL_FIELDS, check_rows, checksum
from aster_dse.store.encoding import load_json, unpack_json
from aster_dse.store.errors import DamagedRowError
from aster_dse.store.rows import (
    EvaluationRow,
    LookRow,
    RepeatRow,
    StudyCounts,
    StudyRow,
    TrialRow,
    TrialState,
)
from aster_dse.store.tables import (
    analyses,
    attempts,
    constraints,
    evaluation_details,
    evaluations,
    looks,
    objectives,
    repeats,
    studies,
    trials,
)

__all__ = [
    "BARE_EVALUATION",
    "EVALUATION",
    "evaluation_of",
    "in_state",
    "metrics_of",
    "read_analysis",
    "read_counts",
    "read_last",
    "read_looks",
    "read_repeats",
    "read_studies",
    "read_trials",
]

BARE_EVALUATION = select(
    evaluations,
    trials.c.number,
    trials.c.training_key,
    trials.c.assignment.label("proposed"),
).join(trials, trials.c.id == evaluations.c.trial_id)
"""An evaluation without its breakdown."""
EVALUATION = BARE_EVALUATION.add_columns(evaluation_details.c.packed).join(
    evaluation_details,
    (evaluation_details.c.trial_id == evaluations.c.trial_id)
    & (evaluation_details.c.position == evaluations.c.position),
)


def metrics_of(row: Row[Any]) -> dict[str, float]:
    return {name: row._mapping[name] for name in METRICS}


def evaluation_of(row: Row[Any]) -> EvaluationRow:
    check_rows([row], EVALUATION_FIELDS, "evaluations")
    inner = load_json(row.assignment)
    packed = row._mapping.get("packed")
    return EvaluationRow(
        id=row.id,
        study_id=row.study_id,
        trial=row.number,
        index=row.position,
        training_key=row.training_key,
        assignment={**load_json(row.proposed), **inner},
        told_order=row.told_order,
        evaluation=Evaluation(
            inner, metrics_of(row), row.violation, {} if packed is None else unpack_json(packed)
        ),
    )


def read_studies(
    connection: Connection, *, name: str | None = None, study_id: int | None = None
) -> list[StudyRow]:
    chosen = select(studies.c.id)
    if name is not None:
        chosen = chosen.where(studies.c.name == name)
    if study_id is not None:
        chosen = chosen.where(studies.c.id == study_id)
    rows = connection.execute(select(studies).where(studies.c.id.in_(chosen)).order_by(studies.c.id)).all()
    goals = _by_study(
        connection.execute(
            select(objectives).where(objectives.c.study_id.in_(chosen)).order_by(objectives.c.position)
        )
    )
    bounds = _by_study(
        connection.execute(
            select(constraints).where(constraints.c.study_id.in_(chosen)).order_by(constraints.c.position)
        )
    )
    return [
        StudyRow(
            id=row.id,
            name=row.name,
            space=load_json(row.space),
            space_hash=row.space_hash,
            objectives={goal.metric: goal.direction for goal in goals.get(row.id, [])},
            constraints=tuple(bound.expression for bound in bounds.get(row.id, [])),
            reference_point=_reference_point(goals.get(row.id, [])),
            seed=row.seed,
            sampler=row.sampler,
            code_version=row.code_version,
            created_at=row.created_at,
            updated_at=row.updated_at,
            data=None if row.data is None else tuple(load_json(row.data)),
            model=None if row.model is None else ModelRecord.from_dict(load_json(row.model)),
        )
        for row in rows
    ]


def _by_study(rows: Iterable[Row[Any]]) -> dict[int, list[Row[Any]]]:
    grouped: dict[int, list[Row[Any]]] = {}
    for row in rows:
        grouped.setdefault(row.study_id, []).append(row)
    return grouped


def _reference_point(goals: Iterable[Row[Any]]) -> dict[str, float] | None:
    point = {goal.metric: goal.reference for goal in goals}
    return None if None in point.values() else point


def read_counts(connection: Connection, study_id: int | None = None) -> dict[int, StudyCounts]:
    """Counts by study id; studies without a trial are missing."""
    complete = in_state(TrialState.COMPLETE)
    by_trial = select(
        trials.c.study_id,
        func.count().filter(in_state(TrialState.RUNNING)).label("running"),
        func.count().filter(in_state(TrialState.PAUSED)).label("paused"),
        func.count().filter(complete).label("complete"),
        func.count().filter(trials.c.state == TrialState.FAILED).label("failed"),
        func.sum(trials.c.evaluations).label("evaluations"),
        func.sum(trials.c.feasible).label("feasible"),
        func.count(trials.c.training_key.distinct()).filter(complete).label("trainings"),
        func.count().filter(complete, trials.c.reused).label("reused"),
    ).group_by(trials.c.study_id)
    if study_id is not None:
        by_trial = by_trial.where(trials.c.study_id == study_id)
    # The orders told are 1, 2, ... within a study, so the last one is their number.
    told = read_last(connection, evaluations.c.told_order)
    return {
        row.study_id: StudyCounts(
            running=row.running,
            paused=row.paused,
            complete=row.complete,
            failed=row.failed,
            evaluations=int(row.evaluations),
            feasible=int(row.feasible),
            told=told[row.study_id],
            trainings=row.trainings,
            reused=row.reused,
        )
        for row in connection.execute(by_trial)
    }


def in_state(state: TrialState) -> ColumnElement[bool]:
    """Whether a trial is in a state: a paused one is a running one that has the epoch where it stands."""
    if state == TrialState.PAUSED:
        return trials.c.paused_epoch.is_not(None)
    return and_(trials.c.state == state, trials.c.paused_epoch.is_(None))


def read_looks(connection: Connection, study_id: int) -> list[LookRow]:
    rows = connection.execute(
        select(trials.c.number, looks.c.epoch, looks.c.accuracy, looks.c.packed)
        .join(trials, trials.c.id == looks.c.trial_id)
        .where(looks.c.study_id == study_id)
        .order_by(looks.c.look_order)
    )
    return [
        LookRow(
            trial=row.number,
            epoch=row.epoch,
            accuracy=row.accuracy,
            evaluations=tuple(_kept(entry) for entry in unpack_json(row.packed)["evaluations"]),
        )
        for row in rows
    ]


def _kept(entry: dict[str, Any]) -> Evaluation:
    """An evaluation of a look, which an older version may have written."""
    found = Evaluation(**entry)
    return replace(found, metrics=complete_metrics(found.metrics, feasible=found.feasible))


def read_repeats(connection: Connection, study_id: int) -> list[RepeatRow]:
    rows = connection.execute(
        select(repeats, trials.c.number)
        .join(trials, trials.c.id == repeats.c.trial_id)
        .where(repeats.c.study_id == study_id)
        .order_by(trials.c.number, repeats.c.position, repeats.c.seed)
    ).all()
    check_rows(rows, REPEAT_FIELDS, "repeats")
    return [RepeatRow(row.number, row.position, row.seed, row.training_key, metrics_of(row)) for row in rows]


def read_last(connection: Connection, column: Column[Any]) -> dict[int, int]:
    """Greatest value by study id, 0 where there is none: a look at the end of an index for each study."""
    last = select(func.max(column)).where(evaluations.c.study_id == studies.c.id).scalar_subquery()
    rows = connection.execute(select(studies.c.id, func.coalesce(last, 0)))
    return dict(rows.all())


def read_analysis(connection: Connection, study_id: int, question: str) -> Any | None:
    row = connection.execute(
        select(analyses.c.question, analyses.c.upto, analyses.c.document, analyses.c.checksum).where(
            analyses.c.study_id == study_id,
            analyses.c.question == question,
            analyses.c.upto == read_last(connection, evaluations.c.id)[study_id],
        )
    ).one_or_none()
    # One that is damaged is worked out again.
    if row is None or (row.checksum is not None and checksum(row[:3]) != row.checksum):
        return None
    return load_json(row.document)


def read_trials(
    connection: Connection, study_id: int, *, number: int | None = None, state: TrialState | None = None
) -> list[TrialRow]:
    last = (
        select(attempts.c.trial_id, func.max(attempts.c.number).label("number"))
        .join(trials, trials.c.id == attempts.c.trial_id)
        .where(trials.c.study_id == study_id)
        .group_by(attempts.c.trial_id)
        .subquery()
    )
    statement = (
        select(
            trials, attempts.c.number.label("attempt"), attempts.c.node, attempts.c.kind, attempts.c.reason
        )
        .join(last, last.c.trial_id == trials.c.id)
        .join(
            attempts,
            (attempts.c.trial_id == last.c.trial_id) & (attempts.c.number == last.c.number),
        )
        .where(trials.c.study_id == study_id)
        .order_by(trials.c.number)
    )
    if number is not None:
        statement = statement.where(trials.c.number == number)
    if state is not None:
        statement = statement.where(in_state(state))
    rows = connection.execute(statement).all()
    check_rows(rows, TRIAL_FIELDS, "trials")
    return [
        TrialRow(
            id=row.id,
            study_id=row.study_id,
            number=row.number,
            state=_state(row),
            assignment=load_json(row.assignment),
            candidate=load_json(row.candidate),
            training_key=row.training_key,
            started_at=row.started_at,
            finished_at=row.finished_at,
            finish_order=row.finish_order,
            reused=row.reused,
            wall_s=row.wall_s,
            peak_memory_mib=row.peak_memory_mib,
            node=row.node,
            attempts=row.attempt,
            evaluations=row.evaluations,
            feasible=row.feasible,
            failure_kind=row.kind,
            failure_reason=row.reason,
            paused_epoch=row.paused_epoch,
            passes=None if row.passes is None else load_json(row.passes),
        )
        for row in rows
    ]


def _state(row: Row[Any]) -> TrialState:
    try:
        return TrialState.PAUSED if row.paused_epoch is not None else TrialState(row.state)
    except ValueError:
        raise DamagedRowError(f"the state of trial {row.number}") from None
