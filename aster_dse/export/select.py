"""Which points of a study to export: ``pareto``, ``knee``, ``best:METRIC``, ``trial:N``."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from aster_dse.errors import InfeasibleError, InputError, NotFoundError
from aster_dse.export.points import Point, front_of, front_rows, minimised, points_at
from aster_dse.pareto import knee_point
from aster_dse.space import METRICS, Constraint
from aster_dse.store.reading import StudyQueries
from aster_dse.store.rows import StudyRow

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["select"]

_FORMS = "pareto, knee, best:METRIC, trial:N or trial:N:INDEX"


def select(
    reader: StudyQueries, study: StudyRow, selection: str, *, where: Sequence[Constraint] = ()
) -> list[Point]:
    """The chosen points, each once.

    Args:
        reader: the store.
        study: the study.
        selection: ``pareto`` (the feasible front), ``knee`` (the point of it where the trade-off bends),
            ``best:METRIC``, ``trial:N`` (the front of one trial) or ``trial:N:INDEX`` (one configuration);
            several with commas between them.
        where: what a configuration must meet besides the study's constraints.

    Raises:
        InputError: another word.
        NotFoundError: no such trial, or the study has no evaluated configuration.
        InfeasibleError: none meets the constraints; ``trial`` takes those that do not meet the study's.
    """
    chosen: dict[tuple[int, int], Point] = {}
    for word in selection.split(","):
        for point in _select(reader, study, word.strip(), where):
            chosen.setdefault((point.trial, point.index), point)
    return list(chosen.values())


def _select(reader: StudyQueries, study: StudyRow, word: str, where: Sequence[Constraint]) -> list[Point]:
    kind, _, argument = word.partition(":")
    if kind == "trial":
        return [p for p in _of_trial(reader, study, argument, word) if _meets(p, where)]
    if kind == "best":
        metric = _metric(argument)
    elif word not in ("pareto", "knee"):
        raise InputError("--select", f"{word!r} is no selection", _FORMS)
    feasible = _meeting(_feasible(reader, study), study, where)
    if word == "pareto":
        return front_of(reader, study, feasible, study.objectives)
    if word == "knee":
        rows = front_rows(feasible, study.objectives)
        row = rows.iloc[knee_point(minimised(rows, study.objectives))]
    else:
        # Of equally good ones that which is better in the study's objectives, in their order.
        goals = {metric: METRICS[metric].direction, **study.objectives}
        row = front_rows(feasible, goals).iloc[0]
    return points_at(reader, study, [(int(row["trial"]), int(row["index"]))])


def _of_trial(reader: StudyQueries, study: StudyRow, argument: str, word: str) -> list[Point]:
    numbers = argument.split(":")
    if len(numbers) > 2 or not all(number.isdecimal() for number in numbers):
        raise InputError("--select", f"{word!r} names no trial", "trial:N or trial:N:INDEX")
    trial = reader.trial(study.id, int(numbers[0]))
    if len(numbers) == 2:
        return points_at(reader, study, [(trial.number, int(numbers[1]))])
    frame = reader.evaluations(study.id, columns=[*METRICS, "feasible"], trial=trial.number)
    if frame.empty:
        raise NotFoundError(
            f"trial {trial.number} of study {study.name!r} is {trial.state}: it has no figures"
        )
    feasible = frame[frame["feasible"]]
    return front_of(reader, study, frame if feasible.empty else feasible, study.objectives)


def _meets(point: Point, where: Sequence[Constraint]) -> bool:
    return not any(bound.violation(point.metrics) for bound in where)


def _meeting(frame: pd.DataFrame, study: StudyRow, where: Sequence[Constraint]) -> pd.DataFrame:
    """Those that meet further bounds.

    Raises:
        InfeasibleError: none does.
    """
    if not where:
        return frame
    columns = {name: frame[name].tolist() for name in METRICS}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    excess = np.array([math.fsum(bound.violation(row) for bound in where) for row in rows])
    if excess.min() > 0.0:
        nearest = frame.iloc[int(excess.argmin())]
        raise InfeasibleError(
            f"no configuration of study {study.name!r} meets {' and '.join(map(str, where))} too "
            f"(the nearest is trial:{int(nearest['trial'])}:{int(nearest['index'])}, "
            f"off by {excess.min():.3g})"
        )
    return frame[excess <= 0.0]


def _metric(name: str) -> str:
    if name not in METRICS:
        close = difflib.get_close_matches(name, METRICS, n=1)
        remedy = f"did you mean best:{close[0]}?" if close else f"one of {', '.join(METRICS)}"
        raise InputError("--select", f"there is no metric {name!r}", remedy)
    return name


def _feasible(reader: StudyQueries, study: StudyRow) -> pd.DataFrame:
    frame = reader.evaluations(study.id, columns=[*METRICS, "violation", "feasible"])
    if frame.empty:
        raise NotFoundError(f"study {study.name!r} has no evaluated configuration yet")
    feasible = frame[frame["feasible"]]
    if feasible.empty:
        nearest = frame.sort_values("violation").iloc[0]
        raise InfeasibleError(
            f"no configuration of study {study.name!r} meets {' and '.join(study.constraints)} "
            f"(the nearest is trial:{int(nearest['trial'])}:{int(nearest['index'])}, "
            f"off by {nearest['violation']:.3g})"
        )
    return feasible
