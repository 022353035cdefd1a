"""``aster-dse importance`` and ``slice``: which knobs move which figures, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aster_dse.cli.options import DEFAULT_STORAGE, Json, Storage, StudyName, listed
from aster_dse.cli.output import heading, number, print_json, print_table, say, table
from aster_dse.errors import AsterError

if TYPE_CHECKING:
    from aster_dse.export.importance import Importance
    from aster_dse.store import StudyRow

__all__ = ["importance", "slice_"]

Objectives = Annotated[
    str | None,
    typer.Option(metavar="A,B", help="Metrics to explain; by default the study's objectives."),
]


def importance(
    study: StudyName,
    objectives: Objectives = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Show which knobs set the best configurations apart, metric by metric."""
    from aster_dse.export import goals_of
    from aster_dse.export.importance import importance as work_out
    from aster_dse.export.importance import kept_importance
    from aster_dse.store import StudyReader

    with StudyReader(storage) as reader:
        row = reader.study(study)
        goals = goals_of(row, listed(objectives))
        found = kept_importance(reader, row, goals)
        if found is None:
            upto = reader.last_evaluation(row.id)
            found = work_out(reader, row, goals)
            _keep(storage, row, goals, found, upto)
    if json:
        print_json({"study": study, "configurations": found.configurations, "importance": found.shares})
        return
    shares = found.shares
    knobs = sorted(next(iter(shares.values())), key=lambda knob: -sum(s[knob] for s in shares.values()))
    metrics = [heading(metric).replace("\n", ", ") for metric in shares]
    rows = table(["knob", *metrics], right=metrics)
    for knob in knobs:
        rows.add_row(knob, *(f"{one[knob]:.1%}" for one in shares.values()))
    print_table(rows)
    print(
        f"what sets the best tenth of {found.configurations:,} feasible configurations on {found.networks} "
        "networks apart (PED-ANOVA)"
    )


def slice_(
    study: StudyName,
    knob: Annotated[
        str, typer.Argument(metavar="KNOB", help="A searched knob by its path, as in network.width.")
    ],
    objectives: Objectives = None,
    bins: Annotated[
        int, typer.Option(min=1, max=1000, help="Slices of a knob that has more values than that.")
    ] = 8,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Show what came of the configurations at each value of a knob."""
    from aster_dse.export import goals_of
    from aster_dse.export.slices import slices
    from aster_dse.store import StudyReader

    with StudyReader(storage) as reader:
        row = reader.study(study)
        goals = goals_of(row, listed(objectives))
        found = slices(reader, row, knob, goals, most=bins)
    if json:
        print_json({"study": study, "knob": knob, "slices": [one.as_dict() for one in found]})
        return
    if not found:
        print(f"{study} has no feasible configuration yet")
        return
    metrics = [heading(metric) for metric in goals]
    columns = [knob, "configurations", "networks", *metrics]
    rows = table(columns, right=columns[1:])
    for one in found:
        figures = (f"{number(m['best'])} ({number(m['median'])})" for m in one.metrics.values())
        rows.add_row(_between(one.low, one.high), str(one.configurations), str(one.networks), *figures)
    print_table(rows)
    print("of the feasible configurations the best, and in brackets the median")


def _between(low: Any, high: Any) -> str:
    if low is None:
        return "without"
    return number(low) if low == high else f"{number(low)} to {number(high)}"


def _keep(storage: str, study: StudyRow, goals: dict[str, str], found: Importance, upto: int) -> None:
    """Store what was found for the next one who asks; who may only read the database goes without."""
    from aster_dse.export.importance import question_of
    from aster_dse.store import StudyStore

    try:
        with StudyStore(storage) as store:
            store.keep_analysis(study.id, question_of(study, goals), found.as_dict(), upto=upto)
    except AsterError as error:
        say(f"not kept: {error}")
