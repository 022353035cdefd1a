"""``aster-dse pareto``, and the table of configurations that a search ends with too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aster_dse.cli.options import DEFAULT_STORAGE, Json, Storage, StudyName, listed
from aster_dse.cli.output import console, heading, number, print_json, table
from aster_dse.errors import InfeasibleError

if TYPE_CHECKING:
    from aster_dse.export import Point
    from aster_dse.store import StudyRow

__all__ = ["columns_of", "pareto", "print_points"]

_PADDING = 3
"""Blanks between two columns of a table."""


def pareto(
    study: StudyName,
    objectives: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Metrics to compare by; by default the study's objectives."),
    ] = None,
    feasible: Annotated[
        bool,
        typer.Option(
            "--feasible",
            help="Never show configurations that break a constraint, not even where there are no others.",
        ),
    ] = False,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Show the configurations that no other one beats."""
    from aster_dse.export import goals_of, study_front
    from aster_dse.store import StudyReader
    from aster_dse.store.shown import accuracy_is

    with StudyReader(storage) as reader:
        row = reader.study(study)
        names = listed(objectives)
        goals = goals_of(row, names)
        points = study_front(reader, row, objectives=names, feasible_only=feasible)
        if json:
            print_json([point.as_dict() for point in points])
        elif points:
            print_points(points, goals if names else columns_of(row))
            print(accuracy_is(row))
            if "accuracy" in goals and (words := _how_many_alike(points)):
                print(words)
            if not points[0].feasible:
                print(f"none of them meets {' and '.join(row.constraints)}")
        if not points:
            evaluations = reader.counts(row.id).evaluations
            if evaluations:
                raise InfeasibleError(
                    f"none of the {evaluations} configurations of study {study!r} meets "
                    f"{' and '.join(row.constraints)} (without --feasible the nearest are shown)"
                )
            if not json:
                print(f"{study} has no evaluated configuration yet")


def columns_of(study: StudyRow) -> list[str]:
    """The study's objectives, and what says how the arrays did where they are real: beside the accuracy."""
    from aster_dse.space import METRICS
    from aster_dse.store.shown import shown_metrics

    about = [name for name in shown_metrics(study) if METRICS[name].about_arrays]
    names = list(study.objectives)
    place = names.index("accuracy") + 1 if "accuracy" in names else len(names)
    return list(dict.fromkeys([*names[:place], *about, *names[place:]]))


def print_points(points: Sequence[Point], goals: Iterable[str], *, most: int | None = None) -> None:
    """Configurations as a table: their figures, then as many of the knobs that differ as fit.

    Args:
        points: the rows.
        goals: metrics to show.
        most: rows to show; the last line says how many there are beyond.
    """
    from aster_dse.workload import UNVERIFIED, data_of

    shown = points[:most]
    window = console()
    columns: dict[str, list[str]] = {
        "trial": [str(point.trial) for point in shown],
        "index": [str(point.index) for point in shown],
    }
    for metric in goals:
        columns[heading(metric)] = [number(point.metrics[metric]) for point in shown]
        if metric == "accuracy" and any(point.accuracy_interval for point in shown):
            columns["95 %\ninterval"] = [_interval(point) for point in shown]
    if not all(point.feasible for point in points):
        columns["off by"] = [number(point.violation) for point in shown]
    numeric = list(columns)
    room = window.width - sum(_width(name, cells) + _PADDING for name, cells in columns.items())
    for path, values in _differing_knobs(points).items():
        name = path.replace(".", "\n")
        cells = [number(value) for value in values[: len(shown)]]
        room -= _width(name, cells) + _PADDING
        if room < 0:
            break
        columns[name] = cells
    rows = table(list(columns), right=numeric)
    for row in zip(*columns.values(), strict=True):
        rows.add_row(*row)
    window.print(rows)
    unverified = sorted({point.trial for point in points if data_of(point.candidate.workload) == UNVERIFIED})
    if unverified:
        numbers = ", ".join(map(str, unverified))
        print(f"data unverified: a version that did not record which data it read made the trials {numbers}")
    if len(shown) < len(points):
        print(f"... and {len(points) - len(shown)} more")


def _interval(point: Point) -> str:
    return "-" if point.accuracy_interval is None else "{:.3f}-{:.3f}".format(*point.accuracy_interval)


def _how_many_alike(points: Sequence[Point]) -> str:
    """How many are as accurate as the most accurate one, as far as the samples tell; empty if unknown."""
    best = max(points, key=lambda point: point.metrics["accuracy"])
    if best.accuracy_interval is None:
        return ""
    low, _ = best.accuracy_interval
    count = sum(point.metrics["accuracy"] >= low for point in points)
    return (
        f"on {best.samples} validation samples, {count} of {len(points)} are within the 95 % interval of the "
        f"most accurate one ({_interval(best)})"
    )


def _width(name: str, cells: Sequence[str]) -> int:
    return max(len(text) for text in [*name.splitlines(), *cells])


def _differing_knobs(points: Sequence[Point]) -> dict[str, list[Any]]:
    """Path to values, of the knobs in which the points differ; in the order of the configuration."""
    flat = [
        {
            f"{group}.{name}": value
            for group, knobs in point.candidate.model_dump().items()
            for name, value in knobs.items()
        }
        for point in points
    ]
    return {
        path: [knobs.get(path) for knobs in flat]
        for path in dict.fromkeys(path for knobs in flat for path in knobs)
        if len({str(knobs.get(path)) for knobs in flat}) > 1
    }
