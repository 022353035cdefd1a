"""The metrics of configurations, computed from what the accelerator and the policy come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aster_dse.space import COST_FIGURES, METRICS, Constraint

__all__ = ["complete_metrics", "cost_figures", "metric_values"]

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
        name: METRICS[name].over_chips(np.broadcast_to(METRICS[name].compute(known), shape))
        for name in wanted
    }


def _keeps(figures: Mapping[str, Array], shape: tuple[int, ...], constraints: Sequence[Constraint]) -> Array:
    """``[chips, ...]`` 1 where a chip by itself keeps the constraints, else 0."""
    keeps = np.ones(shape, dtype=bool)
    for bound in constraints:
        metric = METRICS[bound.metric]
        if not metric.between_chips:
            keeps &= bound.violations(metric.compute(figures)) <= 0.0
    return keeps.astype(np.float64)


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
