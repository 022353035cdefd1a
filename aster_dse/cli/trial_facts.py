"""What the commands about trials say of a trial's outcome, passes and files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aster_dse.cli.output import duration, number

if TYPE_CHECKING:
    from aster_dse.network.geometry import NetworkGeometry
    from aster_dse.store import EvaluationRow, StudyReader, StudyRow, TrialRow

__all__ = [
    "NO_BEST",
    "breakdown_of",
    "constraints_of",
    "geometry_of",
    "in_order",
    "lines_of_files",
    "lines_of_passes",
    "most_accurate",
    "outcome_of",
]

NO_BEST: dict[str, float | None] = {"accuracy": None, "accuracy_ideal": None}
"""For a trial that has no configurations."""
_MANY = ("pass", "calibration")
"""Kinds of files that are counted, not listed."""


def most_accurate(reader: StudyReader, study: StudyRow) -> dict[int, dict[str, float | None]]:
    """``accuracy`` and ``accuracy_ideal`` of the most accurate configuration of each trial, by its number."""
    frame = reader.evaluations(study.id, columns=list(NO_BEST))
    if frame.empty:
        return {}
    best = frame.loc[frame.groupby("trial")["accuracy"].idxmax()]
    rows = zip(best["trial"].tolist(), *(best[name].tolist() for name in NO_BEST), strict=True)
    return {trial: dict(zip(NO_BEST, figures, strict=True)) for trial, *figures in rows}


def outcome_of(trial: TrialRow) -> str:
    """In a few words, empty where there is nothing to say."""
    if trial.paused_epoch is not None:
        return f"stopped early, after epoch {trial.paused_epoch} of {trial.candidate['training']['epochs']}"
    if trial.failure_reason:
        return trial.failure_reason
    words = ["network reused"] if trial.reused else []
    failed = trial.passes["passes_failed"] if trial.passes else []
    words += [f"a pass failed: {reason}" for reason in failed]
    return "; ".join(words)


def lines_of_passes(passes: Mapping[str, Any] | None) -> Iterator[str]:
    """What came of a trial's passes; nothing where arrays are ideal."""
    if passes is None:
        return
    yield (
        f"passes: {number(passes['array_classes'])} classes of arrays run, {number(passes['passes_made'])} "
        f"passes and {number(passes['calibrations_made'])} calibrations made in "
        f"{duration(passes['passes_s'])}, others found"
    )
    for reason in passes["passes_failed"]:
        yield f"a pass failed: {reason}"


def lines_of_files(files: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The files of a trial's network; of passes and calibrations their number."""
    for file in files:
        if file["kind"] not in _MANY:
            yield f"{file['kind']}: {file['path']}, {file['bytes']:,} bytes"
    for kind in _MANY:
        sizes = [file["bytes"] for file in files if file["kind"] == kind]
        if sizes:
            yield f"{kind} files: {len(sizes)}, {sum(sizes):,} bytes together"


def geometry_of(trial: TrialRow) -> NetworkGeometry:
    """Of the trial's network."""
    from aster_dse.network.geometry import network_geometry
    from aster_dse.space import Candidate
    from aster_dse.workload import workload_shape

    candidate = Candidate.model_validate(trial.candidate)
    shape = workload_shape(candidate.workload)
    return network_geometry(
        candidate.network,
        in_channels=shape.in_channels,
        resolution=candidate.workload.resolution,
        classes=shape.classes,
        timesteps=candidate.workload.timesteps,
        input_bits=shape.input_bits,
    )


def breakdown_of(cost: dict[str, Any], trial: TrialRow) -> dict[str, Any]:
    """The stored breakdown, its layers as they run: the store keeps names in alphabetical order."""
    from aster_dse.hardware.dataflow import dataflow

    layers = dataflow(geometry_of(trial)).rows
    return {
        name: in_order(value, layers) if name.endswith("_by_layer") else value for name, value in cost.items()
    }


def in_order(values: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The values in the order of these names; others follow."""
    return {name: values[name] for name in dict.fromkeys([*names, *values]) if name in values}


def constraints_of(study: StudyRow, row: EvaluationRow) -> list[dict[str, Any]]:
    """How a configuration does on each constraint of its study."""
    from aster_dse.space import parse_constraint

    parsed = [parse_constraint(text) for text in study.constraints]
    return [
        {
            "expression": str(constraint),
            "value": row.evaluation.metrics[constraint.metric],
            "violation": constraint.violation(row.evaluation.metrics),
        }
        for constraint in parsed
    ]
