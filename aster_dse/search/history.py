"""What a journal remembers of a study, as the scheduler replays it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from aster_dse.evaluation import METRICS, Evaluation
from aster_dse.search.scheduler import PastLook, PastTrial
from aster_dse.space import Choice, Parameter, Range, SearchSpace
from aster_dse.space.knobs import knobs

if TYPE_CHECKING:
    from aster_dse.search.journal import Journal
    from aster_dse.store.rows import TrialRow

__all__ = ["knob_value", "past_looks", "past_trials"]


def past_trials(
    journal: Journal, study_id: int, space: SearchSpace, *, again: Collection[str] = ()
) -> list[PastTrial]:
    """Every trial of a study: first those that are complete, in the order of their outcomes.

    Those that failed in a way of ``again`` are as if they ran; ``all`` stands for all ways.
    Knobs that the space searches by now, but did not when a trial ran, have the value they were fixed at.
    """
    rows = {row.number: row for row in journal.trials(study_id)}
    assigned = {number: _assignment(row, space) for number, row in rows.items()}
    found = _evaluations(journal, study_id, space, rows, assigned)
    past = []
    for number, scored in found.items():
        evaluations = tuple(evaluation for evaluation, _ in scored)
        told = sorted((order, index) for index, (_, order) in enumerate(scored) if order is not None)
        past.append(
            PastTrial(
                number, assigned[number], evaluations=evaluations, told=tuple(index for _, index in told)
            )
        )
    for number, row in rows.items():
        if number not in found:
            past.append(
                PastTrial(
                    number,
                    assigned[number],
                    running=row.state == "running" or _fails_again(row, again),
                    paused=row.state == "paused",
                )
            )
    return past


def _fails_again(row: TrialRow, again: Collection[str]) -> bool:
    return row.state == "failed" and ("all" in again or row.failure_kind in again)


def past_looks(journal: Journal, study_id: int) -> list[PastLook]:
    """What was seen of networks before their trainings were over, in the order of seeing."""
    return [PastLook(look.trial, look.epoch, look.evaluations) for look in journal.looks(study_id)]


def _assignment(row: TrialRow, space: SearchSpace) -> dict[str, Any]:
    """Its knobs as they were searched, else as they were fixed, else (a knob that came later) by default."""
    before = {
        f"{group}.{name}": value
        for group, entries in row.candidate.items()
        for name, value in entries.items()
    }
    return {
        p.path: row.assignment.get(p.path, before.get(p.path, knobs()[p.path].default))
        for p in space.parameters
    }


def _evaluations(
    journal: Journal,
    study_id: int,
    space: SearchSpace,
    rows: Mapping[int, TrialRow],
    assigned: Mapping[int, dict[str, Any]],
) -> dict[int, list[tuple[Evaluation, int | None]]]:
    """The evaluations of each complete trial by index, each with its place in the order of telling."""
    knobs = [parameter.path for parameter in space.inner]
    table = journal.evaluations(study_id, columns=[*METRICS, "violation", "told_order", *knobs])
    columns = {name: table[name].tolist() for name in table.columns}
    found: dict[int, list[tuple[Evaluation, int | None]]] = {}
    for place, number in enumerate(columns["trial"]):
        known = rows[number].assignment
        inner = {
            p.path: knob_value(p, columns[p.path][place]) if p.path in known else assigned[number][p.path]
            for p in space.inner
        }
        metrics = {name: columns[name][place] for name in METRICS}
        order = columns["told_order"][place]
        found.setdefault(number, []).append(
            (
                Evaluation(inner, metrics, columns["violation"][place]),
                order if isinstance(order, int) else None,
            )
        )
    return found


def knob_value(parameter: Parameter, cell: Any) -> Any:
    """A knob's value from a table, whose columns know neither None nor integers beside None."""
    missing = cell is None or (isinstance(cell, float) and math.isnan(cell))
    if isinstance(parameter, Choice):
        wanted = None if missing else cell
        return next((option for option in parameter.options if option == wanted), wanted)
    if missing:
        return None
    return int(cell) if isinstance(parameter, Range) and parameter.integer else cell
