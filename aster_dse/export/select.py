"""Which points of a study to export: ``pareto``, ``knee``, ``best:METRIC``, ``trial:N``."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from aster_dse.errors import InfeasibleError, InputError, NotFoundError
from aster_dse.export.points import Point, front_of, front_rows, minimised, points_at
from aster_dse.pareto import knee_point
from aster_dse.space import METRICS
from aster_dse.store.reading import StudyQueries
from aster_dse.store.rows import StudyRow

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["select"]

_FORMS = "pareto, knee, best:METRIC, trial:N or trial:N:INDEX"


def select(reader: StudyQueries, study: StudyRow, selection: str) -> list[Point]:
    """The chosen points, each once.

    Args:
        reader: the store.
        study: the study.
        selection: ``pareto`` (the feasible front), ``knee`` (the point of it where the trade-off bends),
            ``best:METRIC``, ``trial:N`` (the front of one trial) or ``trial:N:INDEX`` (one configuration);
            several with commas between them.

    Raises:
        InputError: another word.
        NotFoundError: no such trial, or the study has no evaluated configuration.
        InfeasibleError: none meets the constraints; ``trial`` takes those that do not.
    """
    chosen: dict[tuple[int, int], Point] = {}
    for word in selection.split(","):
        for point in _select(reader, study, word.strip()):
            chosen.setdefault((point.trial, point.index), point)
    return list(chosen.values())


def _select(reader: StudyQueries, study: StudyRow, word: str) -> list[Point]:
    kind, _, argument = word.partition(":")
    if kind == "trial":
        return _of_trial(reader, study, argument, word)
    if kind == "best":
        metric = _metric(argument)
    elif word not in ("pareto", "knee"):
        raise InputError("--select", f"{word!r} is no selection", _FORMS)
    feasible = _feasible(reader, study)
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
