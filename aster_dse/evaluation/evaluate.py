"""Scores inner configurations on a trace: policy, then hardware, then constraints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aster_dse.activity import ActivityTrace
from aster_dse.evaluation.metric_values import metric_values
from aster_dse.evaluation.result import Evaluation
from aster_dse.hardware import estimate, resolve
from aster_dse.policy import PolicyTable, stack_activity
from aster_dse.space import COST_FIGURES, POLICY_FIGURES, Candidate, Constraint, assign

__all__ = ["evaluate"]


def evaluate(
    trace: ActivityTrace,
    candidate: Candidate,
    inner: Sequence[Mapping[str, Any]],
    constraints: Sequence[Constraint] = (),
) -> tuple[Evaluation, ...]:
    """Evaluate ``candidate`` with each of the ``inner`` assignments laid over it, in their order.

    Raises:
        InputError: a policy or an accelerator that cannot exist.
    """
    if not inner:
        return ()
    points = [assign(candidate, dict(assignment)) for assignment in inner]
    table = PolicyTable(trace)
    # Many points share a policy: it is applied once.
    applied = {policy: table.outcome(policy) for policy in dict.fromkeys(p.policy for p in points)}
    costs = estimate(
        trace.geometry,
        stack_activity([applied[point.policy].activity for point in points]),
        [resolve(point.hardware) for point in points],
    )
    evaluations = []
    for assignment, point, cost in zip(inner, points, costs, strict=True):
        outcome = applied[point.policy]
        figures = {name: getattr(cost, name) for name in COST_FIGURES}
        figures |= {name: getattr(outcome, name) for name in POLICY_FIGURES}
        found = metric_values(figures, constraints=constraints)
        metrics = {name: float(value) for name, value in found.items()}
        evaluations.append(
            Evaluation(
                assignment=dict(assignment),
                metrics=metrics,
                violation=sum(constraint.violation(metrics) for constraint in constraints),
                detail={
                    "hardware": cost.as_dict(),
                    "exit_histogram": list(outcome.exit_histogram),
                    "skipped_blocks": list(outcome.skipped_blocks),
                },
            )
        )
    return tuple(evaluations)
