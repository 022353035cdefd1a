"""What an executor hands back, judged before anything learns from it."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aster_dse.errors import AsterError
from aster_dse.evaluation import METRICS, Evaluation
from aster_dse.search.protocol import NetworkFailure, NetworkPause, NetworkResult
from aster_dse.space import SearchSpace

__all__ = ["files_of", "keep_file", "problem_of", "problem_of_figures", "refused"]


def problem_of(result: NetworkResult | NetworkPause, space: SearchSpace) -> str:
    """Why a result is no answer to what was asked; empty where it is one."""
    if not result.evaluations:
        return "there is no evaluation"
    paths = [parameter.path for parameter in space.inner]
    for index, evaluation in enumerate(result.evaluations):
        if list(evaluation.assignment) != paths:
            return f"evaluation {index} is not one of the searched knobs"
    return problem_of_figures(result.evaluations)


def problem_of_figures(evaluations: Sequence[Evaluation]) -> str:
    """Which figure is missing or not finite; empty where none is."""
    for index, evaluation in enumerate(evaluations):
        figures: Mapping[str, Any] = {**evaluation.metrics, "violation": evaluation.violation}
        missing = [name for name in METRICS if name not in figures]
        if missing:
            return f"evaluation {index} has no {missing[0]}"
        for name, value in figures.items():
            if not math.isfinite(value):
                return f"{name} of evaluation {index} is {value}"
    return ""


def refused(result: NetworkResult | NetworkPause, reason: str) -> NetworkFailure:
    """The failure that a result amounts to."""
    return NetworkFailure(
        trial=result.trial,
        training_key=result.training_key,
        kind="error",
        reason=reason,
        node=result.node,
        attempt=result.attempt,
    )


def files_of(folder: Path) -> dict[str, bytes]:
    """Name to content of what a folder has of a network: all of it, or where its training stands."""
    from aster_dse.activity.files import TRACE_FILE
    from aster_dse.training.checkpoint import EPOCH_FILE, NETWORK_FILE

    wanted = (NETWORK_FILE, TRACE_FILE) if (folder / NETWORK_FILE).is_file() else (EPOCH_FILE,)
    return {
        path.name: path.read_bytes()
        for path in (sorted(folder.iterdir()) if folder.is_dir() else ())
        if path.name.startswith(wanted) and path.is_file()
    }


def keep_file(folder: Path, name: str, content: bytes) -> None:
    """Put a trained network's file where it belongs, unless it lies there: the worker may share this disk."""
    path = folder / name
    if Path(name).name != name:
        raise AsterError(f"{name!r} is not the name of a file")
    try:
        if path.read_bytes() == content:
            return
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
