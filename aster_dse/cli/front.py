"""``aster-dse pareto``, and the table of configurations that a search ends with too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from aster_dse.cli.front_formats import TableFormat, as_csv, as_latex, as_markdown, print_text
from aster_dse.cli.options import DEFAULT_STORAGE, Json, Storage, StudyName, listed
from aster_dse.cli.output import print_json, say
from aster_dse.cli.terminal import write_exactly
from aster_dse.errors import InfeasibleError, InputError

if TYPE_CHECKING:
    from aster_dse.export import Point
    from aster_dse.store import StudyRow

__all__ = ["default_columns", "figures_of", "pareto", "print_points"]


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
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Columns to show, in this order: metrics, knobs (network.width, or width), interval, mark, "
            "off_by; knobs for all that differ, all for every knob.",
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="A",
            help="Sort by a metric, best first, or by a knob, least first; -A the other way.",
        ),
    ] = None,
    format: Annotated[TableFormat, typer.Option(help="How the table is written.")] = TableFormat.TEXT,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Show the Pareto front: the configurations that no other one beats."""
    from aster_dse.export import goals_of, study_front
    from aster_dse.export.front_table import sorted_points
    from aster_dse.store import StudyReader
    from aster_dse.store.shown import accuracy_is

    if json and (columns is not None or format is not TableFormat.TEXT):
        raise InputError(
            "--json", "one document with every figure and knob", "leave out --columns and --format"
        )
    with StudyReader(storage) as reader:
        row = reader.study(study)
        names = listed(objectives)
        goals = goals_of(row, names)
        points = study_front(reader, row, objectives=names, feasible_only=feasible)
        if points and sort is not None:
            points = sorted_points(points, sort)
        wanted = listed(columns) or default_columns(points, list(goals) if names else figures_of(row))
        if json:
            print_json([point.as_dict() for point in points])
        elif points and format is not TableFormat.TEXT:
            _write(row, points, wanted, goals, format)
        elif points:
            print_points(points, wanted, goals, choose=columns is None)
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
                say(f"{study} has no evaluated configuration yet")


def figures_of(study: StudyRow) -> list[str]:
    """The study's objectives, and what says how the arrays did where they are real: beside the accuracy."""
    from aster_dse.space import METRICS
    from aster_dse.store.shown import shown_metrics

    about = [name for name in shown_metrics(study) if METRICS[name].about_arrays]
    names = list(study.objectives)
    place = names.index("accuracy") + 1 if "accuracy" in names else len(names)
    return list(dict.fromkeys([*names[:place], *about, *names[place:]]))


def default_columns(points: Sequence[Point], metrics: Sequence[str]) -> list[str]:
    """What a table of configurations has unless told: metrics, marks, the knobs that differ."""
    words = []
    for metric in metrics:
        words.append(metric)
        if metric == "accuracy" and any(point.accuracy_interval for point in points):
            words.append("interval")
    return [*words, "mark", *([] if all(point.feasible for point in points) else ["off_by"]), "knobs"]


def print_points(
    points: Sequence[Point],
    wanted: Sequence[str],
    goals: Mapping[str, str],
    *,
    most: int | None = None,
    all_of_them: str = "",
    choose: bool = True,
) -> None:
    """Configurations as a table: their figures, then as many of the knobs that differ as there is room for.

    Args:
        points: a front.
        wanted: columns.
        goals: metrics by which it is one.
        most: rows to show; the knee and the best in every objective are among them.
        all_of_them: the command that shows every row.
        choose: leave out columns for which there is no room, and say which.
    """
    from aster_dse.export.front_table import chosen_columns, chosen_rows, differing_knobs, marks_of

    places = chosen_rows(points, goals, len(points) if most is None else most)
    shown = [points[place] for place in places]
    marks = marks_of(points, goals)
    marked = tuple(marks[place] for place in places)
    columns = [
        replace(column, values=marked) if column.kind == "mark" else column
        for column in chosen_columns(shown, wanted, {})
    ]
    hidden = print_text(columns, choose=choose)
    if words := _unverified(points):
        print(words)
    if len(shown) < len(points):
        print(f"... and {len(points) - len(shown)} more: {all_of_them}")
    listed_knobs = {column.key for column in columns}
    if not choose:
        hidden = [knob.key for knob in differing_knobs(shown) if knob.key not in listed_knobs]
    if hidden:
        print(
            f"{len(hidden)} columns hidden{' for want of room' if choose else ''}: {', '.join(hidden)} "
            "(pareto --columns chooses; a pipe and --format csv have them all)"
        )


def _write(
    study: StudyRow,
    points: Sequence[Point],
    wanted: Sequence[str],
    goals: Mapping[str, str],
    format: TableFormat,
) -> None:
    from aster_dse.export.front_table import chosen_columns
    from aster_dse.store.shown import accuracy_is

    columns = chosen_columns(points, wanted, goals)
    if format is TableFormat.LATEX:
        write_exactly(as_latex(columns, about=f"study {study.name}; {accuracy_is(study)}"))
        return
    write_exactly(as_csv(columns) if format is TableFormat.CSV else as_markdown(columns))
    say(accuracy_is(study))
    if words := _unverified(points):
        say(words)


def _unverified(points: Sequence[Point]) -> str:
    """Which trials' data was not recorded; empty where all was."""
    from aster_dse.workload import UNVERIFIED, data_of

    found = sorted({point.trial for point in points if data_of(point.candidate.workload) == UNVERIFIED})
    numbers = ", ".join(map(str, found))
    if not found:
        return ""
    return f"data unverified: a version that did not record which data it read made the trials {numbers}"


def _how_many_alike(points: Sequence[Point]) -> str:
    """How many are as accurate as the most accurate one, as far as the samples tell; empty if unknown."""
    best = max(points, key=lambda point: point.metrics["accuracy"])
    if best.accuracy_interval is None:
        return ""
    low, high = best.accuracy_interval
    count = sum(point.metrics["accuracy"] >= low for point in points)
    return (
        f"on {best.samples} validation samples, {count} of {len(points)} are within the 95 % interval of the "
        f"most accurate one ({low:.3f}-{high:.3f})"
    )
