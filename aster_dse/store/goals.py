"""What a study is after, as rows: its objectives and its constraints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert

from aster_dse.errors import InputError
from aster_dse.space import METRICS
from aster_dse.store.encoding import finite
from aster_dse.store.tables import constraints, objectives

__all__ = ["check_objectives", "check_reference", "constraint_rows", "objective_rows"]


def check_objectives(goals: Mapping[str, str], reference: Mapping[str, float] | None) -> None:
    """Make sure that there are objectives, each a metric with a direction.

    Raises:
        InputError: naming the one that is not.
    """
    if not goals:
        raise InputError("objectives", "there are none", f"some of {', '.join(METRICS)}")
    for metric, direction in goals.items():
        if metric not in METRICS:
            raise InputError("objectives", f"{metric!r} is no metric", f"one of {', '.join(METRICS)}")
        if direction not in {"max", "min"}:
            raise InputError(f"objectives.{metric}", f"the direction {direction!r}", "max or min")
    if reference is not None:
        check_reference(reference, goals)


def check_reference(point: Mapping[str, float], goals: Mapping[str, str]) -> None:
    """Make sure that a reference point names every objective and nothing else.

    Raises:
        InputError: it does not.
    """
    if point.keys() != goals.keys():
        raise InputError("reference point", f"it names {', '.join(point)}", f"name {', '.join(goals)}")


def objective_rows(
    study_id: int, goals: Mapping[str, str], reference: Mapping[str, float] | None
) -> tuple[Any, list[dict[str, Any]]]:
    """Statement and rows of the objectives."""
    return insert(objectives), [
        {
            "study_id": study_id,
            "position": position,
            "metric": metric,
            "direction": direction,
            "reference": None if reference is None else finite(metric, reference[metric]),
        }
        for position, (metric, direction) in enumerate(goals.items())
    ]


def constraint_rows(study_id: int, bounds: Sequence[str]) -> tuple[Any, list[dict[str, Any]]]:
    """Statement and rows of the constraints."""
    return insert(constraints), [
        {"study_id": study_id, "position": position, "expression": expression}
        for position, expression in enumerate(bounds)
    ]
