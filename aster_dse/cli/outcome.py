"""What a search ends with: the front, where it is stored, what to do next, and whether it was a success."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aster_dse.cli.front import default_columns, figures_of, print_points
from aster_dse.cli.output import duration, number, print_json
from aster_dse.commands import Places, command, file_name
from aster_dse.errors import AsterError, InfeasibleError

if TYPE_CHECKING:
    from aster_dse.export import Point
    from aster_dse.search.telling import SearchSummary
    from aster_dse.store import StudyRow, StudyStore

__all__ = ["conclude", "judge"]

ROWS = 24
"""Rows of the front that a search ends with; `aster-dse pareto` shows all."""


def conclude(
    store: StudyStore,
    study: StudyRow,
    summary: SearchSummary,
    *,
    places: Places,
    on_machines: Sequence[str],
    json: bool,
) -> None:
    """Print the outcome of a search.

    Args:
        places: where the commands to try next find the study.
        on_machines: options with which a resume trains where this search did.
    """
    from aster_dse.export import study_front
    from aster_dse.store.shown import accuracy_is

    points = study_front(store, study)
    if json:
        print_json(_document(summary, points))
        return
    failed = f", {summary.failed} failed" if summary.failed else ""
    paused = f", {summary.paused} stopped early" if summary.paused else ""
    running = f", {summary.running} to be resumed" if summary.running else ""
    print(
        f"\n{study.name}: {summary.complete} trials complete{failed}{paused}{running}; "
        f"{summary.trainings} networks trained, {summary.trainings_reused} reused; "
        f"{summary.scored:,} points scored{_arrays(summary)}; networks proposed by {summary.sampler} "
        f"({duration(summary.wall_s)}; ended: {summary.stopped})"
    )
    if len(summary.hypervolumes) > 1:
        print(f"hypervolume after {_growth(summary.hypervolumes)} networks")
    if points:
        print(f"the front: {len(points)} configurations, hypervolume {number(summary.hypervolume)}")
        wanted = default_columns(points, figures_of(study))
        everything = command("pareto", study.name, places=places)
        print_points(points, wanted, study.objectives, most=ROWS, all_of_them=everything)
        print(accuracy_is(study))
    print(f"\nstored in {store.url}, the networks in {places.artifacts}\nnext:")
    for line in _next(store, study, summary, bool(points), places, on_machines):
        print(f"  {line}")
    if places.note:
        print(f"({places.note})")


def judge(store: StudyStore, study: StudyRow, summary: SearchSummary, places: Places) -> None:
    """Say what a search that ran through did not find.

    Raises:
        AsterError: all trials failed.
        InfeasibleError: nothing meets the constraints.
    """
    if summary.failed and not summary.complete:
        first = next(trial for trial in store.trials(study.id) if trial.failure_reason)
        raise AsterError(f"all {summary.failed} trials failed; the first: {first.failure_reason}")
    if summary.complete and not store.counts(study.id).feasible:
        raise InfeasibleError(
            f"none of the {summary.evaluations} configurations meets {' and '.join(study.constraints)} "
            f"(see the nearest: {command('pareto', study.name, places=places)})"
        )


def _arrays(summary: SearchSummary) -> str:
    """How many classes of arrays were run; empty where arrays are ideal."""
    if not summary.array_classes:
        return ""
    return f", {summary.array_classes:,} classes of arrays run in {summary.passes_made:,} passes"


def _growth(volumes: Sequence[float]) -> str:
    """The hypervolume after 1, 2, 4, ... and after all networks."""
    count = len(volumes)
    places = [2**power for power in range(count.bit_length()) if 2**power < count]
    return ", ".join(f"{place}: {number(volumes[place - 1])}" for place in [*places, count])


def _next(
    store: StudyStore,
    study: StudyRow,
    summary: SearchSummary,
    found: bool,
    places: Places,
    on_machines: Sequence[str],
) -> list[str]:
    """Commands worth trying."""
    from aster_dse.store.going_on import trials_to_reach

    def here(verb: str, *arguments: object, options: Sequence[object] = ()) -> str:
        return command(verb, *arguments, options=options, places=places)

    name = study.name
    if found:
        front = f"{file_name(name)}-front.yaml"
        lines = [here("dashboard"), here("export", name, options=["--select", "pareto", "-o", front])]
    else:
        lines = [here("status", name), here("pareto" if summary.complete else "trials", name)]
    trials = trials_to_reach(study, store.counts(study.id)) if summary.goes_on else None
    if trials is not None:
        lines.append(here("resume", name, options=["--trials", trials, *on_machines]))
    return lines


def _document(summary: SearchSummary, points: list[Point]) -> dict[str, Any]:
    facts = asdict(summary)
    return {
        "study": summary.study,
        "trials": {name: facts.pop(name) for name in ("complete", "failed", "paused", "running")},
        **{name: value for name, value in facts.items() if name != "study"},
        "pareto": [point.as_dict() for point in points],
    }
