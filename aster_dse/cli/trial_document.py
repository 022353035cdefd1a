"""A trial as ``trials`` and ``show`` print it in JSON: what it is, and everything known about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aster_dse.cli.output import iso
from aster_dse.cli.trial_facts import breakdown_of, constraints_of, geometry_of, in_order
from aster_dse.errors import InputError

if TYPE_CHECKING:
    from aster_dse.store import StudyReader, StudyRow, TrialRow

__all__ = ["everything", "trial_dict"]


def trial_dict(study: str, trial: TrialRow, accuracy: float | None) -> dict[str, Any]:
    """What every trial has."""
    from aster_dse.store.shown import data_of_trial

    return {
        "study": study,
        "trial": trial.number,
        "state": str(trial.state),
        "training_key": trial.training_key,
        "data": data_of_trial(trial),
        "network_accuracy": accuracy,
        "paused_epoch": trial.paused_epoch,
        "reused": trial.reused,
        "passes": trial.passes,
        "evaluations": trial.evaluations,
        "feasible": trial.feasible,
        "assignment": trial.assignment,
        "wall_s": trial.wall_s,
        "peak_memory_mib": trial.peak_memory_mib,
        "node": trial.node,
        "attempts": trial.attempts,
        "started": iso(trial.started_at),
        "finished": iso(trial.finished_at),
        "failure": {"kind": trial.failure_kind, "reason": trial.failure_reason}
        if trial.failure_reason
        else None,
    }


def everything(reader: StudyReader, study: StudyRow, trial: TrialRow, index: int | None) -> dict[str, Any]:
    """All about one trial, and about one of its configurations: ``index``, else where its front bends.

    Raises:
        InputError: an index, and the trial has no configurations.
    """
    training = next((t for t in reader.trainings(study.id) if t.key == trial.training_key), None)
    facts: dict[str, Any] = {
        **trial_dict(study.name, trial, None if training is None else training.accuracy),
        "attempts": [
            {
                "number": attempt.number,
                "state": str(attempt.state),
                "node": attempt.node,
                "executions": attempt.executions,
                "started": iso(attempt.started_at),
                "finished": iso(attempt.finished_at),
                "wall_s": attempt.wall_s,
                "kind": attempt.kind,
                "reason": attempt.reason,
                "trace": attempt.trace,
            }
            for attempt in reader.attempts(study.id, trial.number)
        ],
        "training": None,
        "artifacts": [
            {"kind": file.kind, "path": file.path, "sha256": file.sha256, "bytes": file.bytes}
            for file in reader.artifacts(trial.training_key)
        ],
    }
    if training is not None:
        facts["training"] = {
            "accuracy": training.accuracy,
            "epochs": training.epochs,
            "parameters": training.parameters,
            "wall_s": training.wall_s,
            "cpu_s": training.cpu_s,
            "resumed_from_epoch": training.resumed_from_epoch,
            **{name: value for name, value in training.detail.items() if name != "firing_rate"},
            "history": reader.training_history(trial.training_key),
        }
        rates = training.detail.get("firing_rate", {})
        facts["firing_rate"] = in_order(rates, [layer.name for layer in geometry_of(trial).neurons])
    if trial.evaluations:
        facts |= _configuration(reader, study, trial, index)
    elif index is not None:
        raise InputError("--index", f"trial {trial.number} has no configurations", f"it is {trial.state}")
    else:
        facts["configuration"] = trial.candidate
    return facts


def _configuration(
    reader: StudyReader, study: StudyRow, trial: TrialRow, index: int | None
) -> dict[str, Any]:
    """One evaluated configuration of the trial, and the trial's other good ones."""
    from aster_dse.export.front_table import knee_of
    from aster_dse.export.points import points_at
    from aster_dse.export.repeats import spread_of
    from aster_dse.export.select import select

    front = select(reader, study, f"trial:{trial.number}")
    chosen = (
        front[knee_of(front, study.objectives)]
        if index is None
        else points_at(reader, study, [(trial.number, index)])[0]
    )
    row = reader.evaluation(study.id, trial.number, chosen.index)
    detail = row.evaluation.detail
    place = (trial.number, chosen.index)
    repeated = [repeat for repeat in reader.repeats(study.id) if (repeat.trial, repeat.index) == place]
    return {
        **chosen.as_dict(),
        "accuracy_samples": chosen.samples,
        "objectives": {name: chosen.metrics[name] for name in study.objectives},
        "repeats": [{"seed": repeat.seed, "metrics": repeat.metrics} for repeat in repeated],
        "spread": {name: spread.as_dict() for name, spread in spread_of(repeated).items()},
        "constraints": constraints_of(study, row),
        "told": row.told_order is not None,
        "breakdown": breakdown_of(detail.get("hardware", {}), trial),
        "exit_histogram": detail.get("exit_histogram", []),
        "skipped_blocks": detail.get("skipped_blocks", []),
        "front": [{"index": point.index, "metrics": point.metrics} for point in front],
    }
