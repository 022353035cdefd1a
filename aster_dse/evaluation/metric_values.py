"""The metrics of configurations, computed from what the accelerator and the policy come to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aster_dse.space import COST_FIGURES, METRICS, Constraint
from aster_dse.space.constraint import TINY

__all__ = ["complete_metrics", "cost_figures", "metric_values", "violations"]

Array = NDArray[np.float64]


def metric_values(
    figures: Mapping[str, ArrayLike],
    names: Iterable[str] = METRICS,
    *,
    constraints: Sequence[Constraint] = (),
    chips: bool = False,
) -> dict[str, Array]:
    """Metrics of any number of configurations.

    Args:
        figures: each of :data:`~aster_dse.space.COST_FIGURES` and :data:`~aster_dse.space.POLICY_FIGURES`,
            and ``accuracy_ideal`` where it is not the accuracy; arrays that broadcast against each other.
        names: metrics to compute.
        constraints: those of the study, which decide about the yield.
        chips: whether the first axis of every figure counts chips (1 long where all of them are alike).

    Returns:
        One array of the common shape, without the axis of chips, for each name.
    """
    known = {name: np.asarray(values, dtype=np.float64) for name, values in figures.items()}
    if not chips:
        known = {name: values[None] for name, values in known.items()}
    known.setdefault("accuracy_ideal", known["accuracy"])
    shape = np.broadcast_shapes(*(values.shape for values in known.values()))
    wanted = tuple(names)
    if "chip_yield" in wanted:
        known["keeps"] = _keeps(known, shape, constraints)
    return {
        name: _OVER_CHIPS[METRICS[name].over_chips](np.broadcast_to(METRICS[name].compute(known), shape))
        for name in wanted
    }


def _mean(values: Array) -> Array:
    return values[0] if len(values) == 1 else np.asarray(values.mean(axis=0))


def _least(values: Array) -> Array:
    return np.asarray(values.min(axis=0))


def _deviation(values: Array) -> Array:
    return np.zeros(values.shape[1:]) if len(values) == 1 else np.asarray(values.std(axis=0, ddof=1))


_OVER_CHIPS = {"mean": _mean, "min": _least, "std": _deviation}
"""``[...]`` of ``[chips, ...]``."""


def _keeps(figures: Mapping[str, Array], shape: tuple[int, ...], constraints: Sequence[Constraint]) -> Array:
    """``[chips, ...]`` 1 where a chip by itself keeps the constraints, else 0."""
    keeps = np.ones(shape, dtype=bool)
    for bound in constraints:
        metric = METRICS[bound.metric]
        if not metric.between_chips:
            keeps &= violations(bound, metric.compute(figures)) <= 0.0
    return keeps.astype(np.float64)


def violations(bound: Constraint, values: ArrayLike) -> Array:
    """:meth:`Constraint.violation <aster_dse.space.Constraint.violation>` of each value of its metric."""
    found = np.asarray(values, dtype=np.float64)
    excess = found - bound.bound if bound.operator == "<=" else bound.bound - found
    relative = np.maximum(excess, 0.0) / max(abs(bound.bound), TINY)
    return np.where(np.isnan(found), math.inf, relative)


def complete_metrics(metrics: Mapping[str, float], *, feasible: bool) -> dict[str, float]:
    """Metrics that an older version recorded, with those that it did not know.

    Its networks were judged on ideal arrays: all chips are alike, and keep the constraints or do not.
    """
    later = {
        "accuracy_ideal": metrics["accuracy"],
        "accuracy_min": metrics["accuracy"],
        "accuracy_std": 0.0,
        "chip_yield": float(feasible),
    }
    return {**later, **metrics}


def cost_figures(metrics: Iterable[str]) -> list[str]:
    """The cost figures that these metrics are computed from; energy where they need none."""
    needed = {figure for metric in metrics for figure in METRICS[metric].costs}
    return [figure for figure in COST_FIGURES if figure in needed] or [COST_FIGURES[0]]
