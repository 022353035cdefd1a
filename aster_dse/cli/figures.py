"""Figures of a study that are computed from its evaluations: the front, its hypervolume, the best values."""

from __future__ import annotations

from typing import Any

from aster_dse.store.reading import StudyQueries
from aster_dse.store.rows import StudyRow

__all__ = ["front_figures"]


def front_figures(reader: StudyQueries, study: StudyRow) -> dict[str, Any]:
    """``best`` by objective, ``front_size`` and ``hypervolume``, over what meets the constraints."""
    from aster_dse.export.points import front_rows, goals_of, minimised
    from aster_dse.pareto import hypervolume

    goals = goals_of(study)
    rows = front_rows(reader.evaluations(study.id, columns=list(goals), feasible=True), goals)
    volume = 0.0
    if len(rows) and study.reference_point is not None:
        signs = {name: -1.0 if direction == "max" else 1.0 for name, direction in goals.items()}
        reference = [signs[name] * study.reference_point[name] for name in goals]
        volume = hypervolume(minimised(rows, goals), reference)
    best = {
        name: float(rows[name].max() if direction == "max" else rows[name].min())
        for name, direction in goals.items()
        if len(rows)
    }
    return {"best": best, "front_size": len(rows), "hypervolume": volume}
