"""The metrics of configurations, computed from what the accelerator and the policy come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aster_dse.space import COST_FIGURES, METRICS

__all__ = ["cost_figures", "metric_values"]

Array = NDArray[np.float64]


def metric_values(figures: Mapping[str, ArrayLike], names: Iterable[str] = METRICS) -> dict[str, Array]:
    """Metrics of any number of configurations.

    Args:
        figures: each of :data:`~aster_dse.space.COST_FIGURES` and :data:`~aster_dse.space.POLICY_FIGURES`;
            arrays that broadcast against each other.
        names: metrics to compute.

    Returns:
        One array of the common shape for each name.
    """
    known = {name: np.asarray(values, dtype=np.float64) for name, values in figures.items()}
    shape = np.broadcast_shapes(*(values.shape for values in known.values()))
    return {name: np.broadcast_to(METRICS[name].compute(known), shape) for name in names}


def cost_figures(metrics: Iterable[str]) -> list[str]:
    """The cost figures that these metrics are computed from; energy where they need none."""
    needed = {figure for metric in metrics for figure in METRICS[metric].costs}
    return [figure for figure in COST_FIGURES if figure in needed] or [COST_FIGURES[0]]
