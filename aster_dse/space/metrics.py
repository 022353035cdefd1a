"""The figures of a configuration that a space file can name: as an objective, or in a constraint."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["METRICS", "Metric"]


@dataclass(frozen=True)
class Metric:
    """A figure that can be an objective or stand in a constraint."""

    name: str
    unit: str
    direction: str
    """``max`` or ``min``: the direction that is better."""
    meaning: str
    upper: float = math.inf
    """Greatest value there can be; the least is 0 for all of them."""


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "1", "max", "share of validation samples classified correctly at their exit", 1.0),
        Metric("energy_uj", "uJ", "min", "energy of one inference, mean over validation samples"),
        Metric("latency_us", "us", "min", "latency of one inference, mean over validation samples"),
        Metric("area_mm2", "mm2", "min", "silicon area of the chip"),
        Metric("mean_timesteps", "1", "min", "time steps executed, mean over validation samples"),
        Metric("edp_uj_us", "uJ us", "min", "mean energy times mean latency of one inference"),
    )
}
