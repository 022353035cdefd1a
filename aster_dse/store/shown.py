"""Which metrics of a study are worth a column."""

from __future__ import annotations

from aster_dse.space import METRICS, parse_constraint
from aster_dse.store.rows import StudyRow

__all__ = ["shown_metrics"]


def shown_metrics(study: StudyRow) -> tuple[str, ...]:
    """All metrics, but of those about the arrays only what a study asks for or what can differ in it.

    The accuracy of the plain network is shown where arrays are real, what differs between chips where cells
    have conditions too.
    """
    asked = {*study.objectives, *(parse_constraint(text).metric for text in study.constraints)}
    hardware = study.space.get("hardware") or {}
    real = hardware.get("arrays") == "real"
    several = real and hardware.get("conditions") is not None
    return tuple(
        name
        for name, metric in METRICS.items()
        if not metric.about_arrays or name in asked or (several if metric.between_chips else real)
    )
