"""Scores inner configurations on a trace: policy, then hardware, then constraints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aster_dse.activity import ActivityTrace
from aster_dse.evaluation.metric_values import metric_values
from aster_dse.evaluation.result import Evaluation
from aster_dse.hardware import estimate, resolve
from aster_dse.policy import PolicyTable, mean_activity, stack_activity
from aster_dse.space import COST_FIGURES, POLICY_FIGURES, Candidate, Constraint, assign

__all__ = ["evaluate"]


def evaluate(
    trace: ActivityTrace,
    candidate: Candidate,
    inner: Sequence[Mapping[str, Any]],
    constraints: Sequence[Constraint] = (),
    *,
    chips: Sequence[ActivityTrace] = (),
) -> tuple[Evaluation, ...]:
    """Evaluate ``candidate`` with each of the ``inner`` assignments laid over it, in their order.

    Args:
        trace: of the plain network.
        chips: traces of the network on its arrays, one for each chip, where the assignments' accelerators all
            compute like them. Breakdowns are of the mean counts over the chips.

    Raises:
        InputError: a policy or an accelerator that cannot exist.
    """
    if not inner:
        return ()
    points = [assign(candidate, dict(assignment)) for assignment in inner]
    # Many points share a policy: it is applied once.
    policies = list(dict.fromkeys(p.policy for p in points))
    ideal, *applied = (
        {policy: table.outcome(policy) for policy in policies} for table in map(PolicyTable, (trace, *chips))
    )
    applied = applied or [ideal]
    accelerators = [resolve(point.hardware) for point in points]
    by_chip = [
        estimate(
            trace.geometry, stack_activity([chip[point.policy].activity for point in points]), accelerators
        )
        for chip in applied
    ]
    together = by_chip[0]
    if len(applied) > 1:
        together = estimate(
            trace.geometry,
            stack_activity([mean_activity([chip[p.policy].activity for chip in applied]) for p in points]),
            accelerators,
        )
    evaluations = []
    for place, (assignment, point) in enumerate(zip(inner, points, strict=True)):
        outcomes = [chip[point.policy] for chip in applied]
        figures = {name: [getattr(costs[place], name) for costs in by_chip] for name in COST_FIGURES}
        figures |= {name: [getattr(outcome, name) for outcome in outcomes] for name in POLICY_FIGURES}
        figures["accuracy_ideal"] = [ideal[point.policy].accuracy]
        found = metric_values(figures, constraints=constraints, chips=True)
        metrics = {name: float(value) for name, value in found.items()}
        histogram = np.mean([outcome.exit_histogram for outcome in outcomes], axis=0)
        evaluations.append(
            Evaluation(
                assignment=dict(assignment),
                metrics=metrics,
                violation=sum(constraint.violation(metrics) for constraint in constraints),
                detail={
                    "hardware": together[place].as_dict(),
                    "exit_histogram": [float(share) for share in histogram],
                    "skipped_blocks": list(outcomes[0].skipped_blocks),
                },
            )
        )
    return tuple(evaluations)
