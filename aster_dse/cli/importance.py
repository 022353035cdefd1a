"""``aster-dse importance``."""

from __future__ import annotations

from typing import Annotated

import typer

from aster_dse.cli.options import DEFAULT_STORAGE, Json, Storage, StudyName, listed
from aster_dse.cli.output import heading, print_json, print_table, table

__all__ = ["importance"]


def importance(
    study: StudyName,
    objectives: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Metrics to explain; by default the study's objectives."),
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Show which knobs set the best configurations apart, metric by metric."""
    from aster_dse.export import goals_of
    from aster_dse.export.importance import importance as shares_of
    from aster_dse.store import StudyReader

    with StudyReader(storage) as reader:
        row = reader.study(study)
        shares = shares_of(reader, row, goals_of(row, listed(objectives)))
        counts = reader.counts(row.id)
    if json:
        print_json({"study": study, "configurations": counts.feasible, "importance": shares})
        return
    knobs = sorted(next(iter(shares.values())), key=lambda knob: -sum(s[knob] for s in shares.values()))
    metrics = [heading(metric).replace("\n", ", ") for metric in shares]
    rows = table(["knob", *metrics], right=metrics)
    for knob in knobs:
        rows.add_row(knob, *(f"{one[knob]:.1%}" for one in shares.values()))
    print_table(rows)
    print(
        f"what sets the best tenth of {counts.feasible:,} feasible configurations on {counts.trainings} "
        "networks apart (PED-ANOVA)"
    )
