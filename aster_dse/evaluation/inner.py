"""The inner level of a search: all that a trained network can do, with any policy on any accelerator.

No cost gets better when any count of events grows, so a policy that is no more accurate than another and
does nowhere less is left out before it meets an accelerator, where all that is asked for depends on the
counts in this way. (Under an area budget the copies of layers follow the counts: there this is an
assumption.) What is left meets every accelerator of the space where those
can be counted and there is time for it; otherwise accelerators are drawn evenly, then bred from the
best ones.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aster_dse.activity import ActivityTrace
from aster_dse.evaluation.evaluate import evaluate
from aster_dse.evaluation.pairs import search_pairs
from aster_dse.evaluation.question import InnerQuestion, settled
from aster_dse.evaluation.result import Evaluation
from aster_dse.pareto import non_dominated_mask
from aster_dse.policy import ChipPolicies, apply_on_chips
from aster_dse.space import METRICS, Candidate, Parameter, assign, parse_constraint

__all__ = ["InnerAnswer", "policy_points", "search_inner", "useful_policies"]

_LEVELS = 64
"""Values at which a continuous knob of the policy is tried."""
_POLICIES = 8_192
"""Policies tried on a trace; with more, continuous knobs are tried at fewer values."""


@dataclass(frozen=True)
class InnerAnswer:
    """What a network can do."""

    evaluations: tuple[Evaluation, ...]
    """Its whole front: feasible, none dominated by another of them, equal figures once. Where nothing is
    feasible, those that violate least, the nearest first."""
    scored: int
    """Pairs of a policy and an accelerator that were scored."""
    exhaustive: bool
    """Whether every accelerator of the space met every policy that can matter."""
    classes: int = 0
    """Numerics classes that the network was run on, where arrays are real."""
    failures: tuple[str, ...] = ()
    """Why passes could not be made."""


def search_inner(trace: ActivityTrace, candidate: Candidate, question: InnerQuestion) -> InnerAnswer:
    """Find the inner front of a network.

    Args:
        candidate: the network; its own policy and accelerator give what is not searched.

    Raises:
        InputError: no accelerator of the space can exist.
    """
    policies, batch = useful_policies(trace, candidate, question)
    pairs = search_pairs(trace.geometry, policies, batch, candidate, question)
    constraints = [parse_constraint(text) for text in question.constraints]
    return InnerAnswer(
        evaluations=evaluate(trace, candidate, pairs.assignments, constraints),
        scored=pairs.scored,
        exhaustive=pairs.exhaustive,
    )


def useful_policies(
    trace: ActivityTrace,
    candidate: Candidate,
    question: InnerQuestion,
    *,
    chips: Sequence[ActivityTrace] = (),
    points: Sequence[dict[str, Any]] | None = None,
) -> tuple[list[dict[str, Any]], ChipPolicies]:
    """Policies of the space that no other one beats in everything on this trace, the most accurate first.

    Where a metric that is asked for is not monotone in the counts of events, none that differs is left out.

    Args:
        trace: of the plain network.
        chips: of the network on its arrays, a trace for each chip; a policy then has to be beaten on all of
            them.
        points: :func:`policy_points`, where they are known.
    """
    if points is None:
        points = policy_points(trace, candidate, question)
    batch = apply_on_chips(trace, chips, [assign(candidate, point).policy for point in points])
    figures = batch.figures
    _, first = np.unique(figures, axis=0, return_index=True)
    useful = np.sort(first)
    if _dominance_decides(question):
        useful = useful[non_dominated_mask(figures[useful])]
    useful = useful[np.argsort(-batch.accuracy[useful], kind="stable")]
    return [points[index] for index in useful], batch.take(useful)


def _dominance_decides(question: InnerQuestion) -> bool:
    """Whether a policy that another one beats in accuracy and in all counts can be in no answer."""
    bounds = [parse_constraint(text) for text in question.constraints]
    names = [*question.objectives, *(bound.metric for bound in bounds)]
    return all(METRICS[name].monotone for name in names) and all(
        (bound.operator == ">=") == (METRICS[bound.metric].direction == "max") for bound in bounds
    )


def policy_points(
    trace: ActivityTrace, candidate: Candidate, question: InnerQuestion, *, levels: int = _LEVELS
) -> list[dict[str, Any]]:
    """Policies of the space worth a try on a trace, the searched knobs by path.

    Args:
        levels: values at which a continuous knob is tried; fewer where there are too many policies.
    """
    searched = [p for p in question.parameters if p.group == "policy"]
    while True:
        values = [_values(p, levels, trace) for p in searched]
        if math.prod(len(options) for options in values) <= _POLICIES or levels <= 2:
            break
        levels //= 2
    raw = (
        dict(zip((p.path for p in searched), row, strict=True))
        for row in itertools.islice(itertools.product(*values), _POLICIES)
    )
    points = (settled(point, searched, candidate, question.inactive) for point in raw)
    return list({tuple(point.values()): point for point in points}.values())


def _values(parameter: Parameter, levels: int, trace: ActivityTrace) -> list[Any]:
    """Values of a knob of the policy that can make a difference on this trace."""
    listed = parameter.values()
    if parameter.name == "timesteps" and listed is not None:
        # Steps that the network has not are those that it has.
        most = trace.geometry.timesteps
        within = [value for value in listed if value is not None and value <= most]
        beyond = [value for value in listed if value is None or value > most]
        return [*within, *beyond[: 0 if most in within else 1]]
    if parameter.name == "skip_threshold":
        return _thresholds(parameter, trace)
    if listed is not None and len(listed) <= levels:
        return list(listed)
    return list(dict.fromkeys(parameter.from_unit(unit) for unit in np.linspace(0.0, 1.0, levels).tolist()))


def _thresholds(parameter: Parameter, trace: ActivityTrace) -> list[Any]:
    """One threshold for each set of blocks that some threshold skips, as far from the next set as can be."""
    activity = np.sort(trace.block_activity)
    listed = parameter.values()
    if listed is not None:
        by_set: dict[int, Any] = {}
        for value in listed:
            by_set.setdefault(0 if value is None else int((activity <= value).sum()), value)
        return list(by_set.values())
    low, high = parameter.from_unit(0.0), parameter.from_unit(1.0)
    edges = [low, *activity[(activity > low) & (activity <= high)].tolist(), high]
    return [0.5 * (left + right) for left, right in itertools.pairwise(edges)]
