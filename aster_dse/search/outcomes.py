"""What an executor hands back, judged before anything learns from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from aster_dse.evaluation import METRICS, Evaluation
from aster_dse.search.protocol import NetworkFailure, NetworkPause, NetworkResult
from aster_dse.space import SearchSpace

__all__ = ["problem_of", "problem_of_figures", "refused"]


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
