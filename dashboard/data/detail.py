"""Everything about one point: its configuration, its figures, where they come from, how it was trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import yaml

from aster_dse.commands import Places, command
from aster_dse.dashboard.data.breakdown import Breakdown, breakdowns
from aster_dse.dashboard.data.labels import MetricLabel, metric_label
from aster_dse.errors import NotFoundError
from aster_dse.space import Candidate
from aster_dse.store import AttemptRow, EvaluationRow, StudyReader, StudyRow, TrainingRow, TrialRow
from aster_dse.store.going_on import data_places
from aster_dse.store.shown import shown_metrics

__all__ = ["PointDetail", "read_point"]

_GROUPS = tuple(Candidate.model_fields)


@dataclass(frozen=True)
class PointDetail:
    """One evaluation with its trial, its attempts and its training."""

    study: StudyRow
    point: EvaluationRow
    trial: TrialRow
    attempts: tuple[AttemptRow, ...]
    training: TrainingRow | None
    history: tuple[dict[str, Any], ...]
    places: Places
    """Where commands find the study."""

    def metrics(self) -> list[tuple[MetricLabel, float, bool]]:
        """Label, value and whether it is an objective; objectives first."""
        values = self.point.evaluation.metrics
        goals = self.study.objectives
        names = [*goals, *(name for name in shown_metrics(self.study) if name not in goals)]
        return [
            (metric_label(name, goals.get(name)), values[name], name in goals)
            for name in names
            if name in values
        ]

    def configuration(self) -> str:
        """The complete configuration as YAML, the point's own inner knobs in place."""
        given = {group: dict(knobs) for group, knobs in self.trial.candidate.items()}
        for path, value in self.point.assignment.items():
            group, _, knob = path.partition(".")
            given.setdefault(group, {})[knob] = value
        # A knob that is null keeps its base's value: leaving it out says the same in fewer lines.
        whole = {
            group: {knob: value for knob, value in given[group].items() if value is not None}
            for group in sorted(given, key=_group_rank)
        }
        return yaml.safe_dump(whole, sort_keys=False, allow_unicode=True)

    def commands(self) -> list[tuple[str, str]]:
        """What to do with this point on the command line: a caption and the command."""
        name, number = self.study.name, self.trial.number
        options = ["--select", f"trial:{number}:{self.point.index}", "--format", "yaml"]
        return [
            (
                "Everything about it",
                command("show", name, number, options=["--index", self.point.index], places=self.places),
            ),
            (
                "The configuration, to run again",
                command("export", name, options=options, places=data_places(self.study, self.places)),
            ),
        ]

    def breakdowns(self) -> list[Breakdown]:
        """Where energy, latency and area go, as far as they were recorded."""
        return breakdowns(self.point.evaluation.detail)

    def exits(self) -> dict[str, Any] | None:
        """Share of the samples that leave at each step."""
        shares = self.point.evaluation.detail.get("exit_histogram")
        return {"shares": list(shares)} if _is_list(shares) and sum(shares) > 0 else None

    def curve(self) -> dict[str, Any] | None:
        """Accuracies and losses over epochs, as far as the training reported them."""
        if not self.history:
            return None
        epochs = [row.get("epoch", place + 1) for place, row in enumerate(self.history)]
        names = [name for name in self.history[0] if "accuracy" in name or "loss" in name]
        series = [
            {
                "name": name.replace("_", " "),
                "values": [row.get(name) for row in self.history],
                "percent": "accuracy" in name,
            }
            for name in names
        ]
        return {"epochs": epochs, "series": series} if series else None

    def skipped_blocks(self) -> str | None:
        """The transformer blocks whose attention is skipped, in words."""
        skipped = self.point.evaluation.detail.get("skipped_blocks")
        if not _is_list(skipped):
            return None if skipped is None else str(skipped)
        return ", ".join(f"block {block}" for block in skipped) if skipped else "none"


def read_point(reader: StudyReader, study: StudyRow, point_id: int) -> PointDetail:
    """Read one point of ``study``.

    Raises:
        NotFoundError: there is none of this id, or it belongs to another study.
    """
    point = reader.evaluation_with_id(point_id)
    if point.study_id != study.id:
        raise NotFoundError(f"study {study.name!r} has no point {point_id}")
    trainings = {row.key: row for row in reader.trainings(study.id)}
    return PointDetail(
        study,
        point,
        reader.trial(study.id, point.trial),
        tuple(reader.attempts(study.id, point.trial)),
        trainings.get(point.training_key),
        tuple(reader.training_history(point.training_key)),
        reader.places.absolute(),
    )


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _group_rank(group: str) -> int:
    return _GROUPS.index(group) if group in _GROUPS else len(_GROUPS)
