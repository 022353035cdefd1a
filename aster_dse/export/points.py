"""One evaluated configuration as the world outside sees it, and the fronts of a study."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import InputError
from aster_dse.evaluation.interval import wilson_interval
from aster_dse.pareto import non_dominated_mask
from aster_dse.space import METRICS, Candidate, HardwareConfig, assign
from aster_dse.store.reading import StudyQueries
from aster_dse.store.rows import StudyRow
from aster_dse.workload import data_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Point",
    "configuration_dict",
    "front_of",
    "front_rows",
    "goals_of",
    "inner_assignment",
    "minimised",
    "points_at",
    "study_front",
]


@dataclass(frozen=True)
class Point:
    """One configuration of a study with its figures on validation data."""

    study: str
    trial: int
    index: int
    metrics: dict[str, float]
    violation: float
    """0 where all constraints hold."""
    candidate: Candidate
    training_key: str
    samples: int | None = None
    """Validation samples that the accuracy was counted on; None for networks of an older version."""

    @property
    def accuracy_interval(self) -> tuple[float, float] | None:
        """Where the accuracy of the network lies, with 95 % confidence, for samples like these (Wilson)."""
        return wilson_interval(self.metrics["accuracy"], self.samples) if self.samples else None

    @property
    def feasible(self) -> bool:
        return self.violation <= 0.0

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, the same wherever a configuration is printed."""
        return {
            "study": self.study,
            "trial": self.trial,
            "index": self.index,
            "arrays": self.candidate.hardware.arrays,
            "data": data_of(self.candidate.workload),
            "metrics": dict(self.metrics),
            "accuracy_interval": None if self.accuracy_interval is None else list(self.accuracy_interval),
            "feasible": self.feasible,
            "violation": self.violation,
            "configuration": configuration_dict(self.candidate),
        }


def inner_assignment(candidate: Candidate) -> dict[str, Any]:
    """All of policy and hardware, by path: what one trained network is scored with."""
    groups = candidate.model_dump(include={"policy", "hardware"})
    return {f"{group}.{name}": value for group, knobs in groups.items() for name, value in knobs.items()}


def configuration_dict(candidate: Candidate) -> dict[str, Any]:
    """Every knob by group; of the accelerator those that differ from its base."""
    groups: dict[str, Any] = candidate.model_dump(mode="json")
    defaults = {name: info.default for name, info in HardwareConfig.model_fields.items() if name != "base"}
    groups["hardware"] = {
        name: value for name, value in groups["hardware"].items() if name == "base" or value != defaults[name]
    }
    return groups


def goals_of(study: StudyRow, objectives: Sequence[str] | None = None) -> dict[str, str]:
    """Metric to direction: those named, else the study's objectives.

    Raises:
        InputError: an unknown metric, or none.
    """
    if objectives is None:
        return dict(study.objectives)
    if not objectives:
        raise InputError("--objectives", "none is named", f"some of {', '.join(METRICS)}")
    for name in objectives:
        if name not in METRICS:
            close = difflib.get_close_matches(name, METRICS, n=1)
            remedy = f"did you mean {close[0]}?" if close else f"one of {', '.join(METRICS)}"
            raise InputError("--objectives", f"there is no metric {name!r}", remedy)
    return {name: METRICS[name].direction for name in objectives}


def minimised(frame: pd.DataFrame, goals: Mapping[str, str]) -> NDArray[np.float64]:
    """``[n, m]`` in the order of ``goals``, the signs turned so that less is better."""
    signs = np.array([-1.0 if direction == "max" else 1.0 for direction in goals.values()])
    return np.asarray(frame[list(goals)].to_numpy(dtype=np.float64) * signs)


def front_rows(frame: pd.DataFrame, goals: Mapping[str, str]) -> pd.DataFrame:
    """The non-dominated rows of ``frame``, best in the first objective first.

    Of rows with the same objectives the first stored one stands for all.
    """
    if frame.empty:
        return frame
    values = minimised(frame, goals)
    kept = np.zeros(len(frame), dtype=bool)
    kept[np.unique(values, axis=0, return_index=True)[1]] = True
    kept[kept] = non_dominated_mask(values[kept])
    best_first = np.lexsort(values[kept].T[::-1])
    return frame[kept].iloc[best_first]


def front_of(
    reader: StudyQueries, study: StudyRow, frame: pd.DataFrame, goals: Mapping[str, str]
) -> list[Point]:
    """The front of some evaluations of a study."""
    rows = front_rows(frame, goals)
    return points_at(reader, study, list(zip(rows["trial"].tolist(), rows["index"].tolist(), strict=True)))


def study_front(
    reader: StudyQueries,
    study: StudyRow,
    *,
    objectives: Sequence[str] | None = None,
    feasible_only: bool = True,
) -> list[Point]:
    """The configurations of a study that no other one beats, best in the first objective first.

    Args:
        reader: the store.
        study: the study.
        objectives: metrics to compare by; None takes the study's.
        feasible_only: give nothing where no configuration meets the constraints. Otherwise the front of those
            that break them stands in, each marked as infeasible.

    Raises:
        InputError: an unknown metric.
    """
    goals = goals_of(study, objectives)
    frame = reader.evaluations(study.id, columns=[*METRICS, "violation", "feasible"])
    feasible = frame[frame["feasible"]]
    if feasible.empty and not feasible_only:
        feasible = frame
    return front_of(reader, study, feasible, goals)


def points_at(reader: StudyQueries, study: StudyRow, places: Sequence[tuple[int, int]]) -> list[Point]:
    """The points at ``(trial, index)``, in that order.

    Raises:
        NotFoundError: there is none at one of them.
    """
    trials = {trial.number: trial for trial in reader.trials(study.id)} if places else {}
    samples = {row.key: row.detail.get("validation_samples") for row in reader.trainings(study.id)}
    points = []
    rows = reader.evaluations_at(study.id, places)
    for (number, index), row in zip(places, rows, strict=True):
        # The trial's complete configuration, not the space's fixed values: the space may have grown since.
        proposed = Candidate.model_validate(trials[number].candidate)
        counted = samples.get(row.training_key)
        part = proposed.hardware.validation_samples if proposed.hardware.arrays == "real" else None
        points.append(
            Point(
                study=study.name,
                trial=number,
                index=index,
                metrics=dict(row.evaluation.metrics),
                violation=row.evaluation.violation,
                candidate=assign(proposed, row.evaluation.assignment),
                training_key=row.training_key,
                samples=counted if counted is None or part is None else min(part, counted),
            )
        )
    return points
