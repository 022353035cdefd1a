"""Which metrics of a study are worth a column."""

from __future__ import annotations

from collections.abc import Iterable

from aster_dse.space import METRICS, parse_constraint
from aster_dse.store.rows import StudyRow, TrialRow, TrialState
from aster_dse.workload import UNVERIFIED, lies_in_a_folder

__all__ = [
    "accuracy_is",
    "arrays_of_study",
    "data_of_trial",
    "shown_metrics",
    "unverified_trials",
]


def data_of_trial(trial: TrialRow) -> str | None:
    """SHA-256 of a trial's data; ``unverified`` where an older version did not record it; None of data sets
    that are made, and so the same wherever they are."""
    workload = trial.candidate.get("workload", {})
    if not lies_in_a_folder(workload.get("name", "")):
        return None
    return str(workload.get("data") or UNVERIFIED)


def unverified_trials(trials: Iterable[TrialRow]) -> list[int]:
    """Numbers of the trials whose data was not recorded, of those that have results."""
    return [
        trial.number
        for trial in trials
        if data_of_trial(trial) == UNVERIFIED and trial.state != TrialState.FAILED
    ]


def arrays_of_study(study: StudyRow) -> str:
    """``real`` where accuracy is that of the network as its arrays compute it; else, and in every study of
    an older version, ``ideal``."""
    hardware = study.space.get("hardware") or {}
    return "real" if hardware.get("arrays") == "real" else "ideal"


def accuracy_is(study: StudyRow) -> str:
    """What the accuracies of a study are, in words."""
    if arrays_of_study(study) == "ideal":
        return "accuracy of ideal arrays: that of the plain network"
    hardware = study.space["hardware"]
    conditions, chips = hardware.get("conditions"), hardware.get("chips")
    under = f", cells with {conditions}" if conditions else ""
    several = f", mean over {chips} chips" if chips and chips > 1 else ", mean over chips" if under else ""
    others = "calibration samples and chips" if under else "calibration samples"
    return f"accuracy of real arrays{under}{several}, verified with other {others}"


def shown_metrics(study: StudyRow) -> tuple[str, ...]:
    """All metrics, but of those about the arrays only what a study asks for or what can differ in it.

    The accuracy of the plain network is shown where arrays are real, what differs between chips where cells
    have conditions too.
    """
    asked = {*study.objectives, *(parse_constraint(text).metric for text in study.constraints)}
    real = arrays_of_study(study) == "real"
    several = real and study.space["hardware"].get("conditions") is not None
    return tuple(
        name
        for name, metric in METRICS.items()
        if not metric.about_arrays or name in asked or (several if metric.between_chips else real)
    )
