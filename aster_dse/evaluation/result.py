"""What one configuration of a trained network is worth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["METRICS", "Metric", "Evaluation"]


@dataclass(frozen=True)
class Metric:
    """A figure that can be an objective or stand in a constraint."""

    name: str
    unit: str
    direction: str
    """``max`` or ``min``: the direction that is better."""
    meaning: str


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "1", "max", "share of validation samples classified correctly at their exit"),
        Metric("energy_uj", "uJ", "min", "energy of one inference, mean over validation samples"),
        Metric("latency_us", "us", "min", "latency of one inference, mean over validation samples"),
        Metric("area_mm2", "mm2", "min", "silicon area of the chip"),
        Metric("mean_timesteps", "1", "min", "time steps executed, mean over validation samples"),
        Metric("edp_uj_us", "uJ us", "min", "mean energy times mean latency of one inference"),
    )
}


@dataclass(frozen=True)
class Evaluation:
    """One inner configuration scored on one trained network.

    ``assignment`` holds the searched inner knobs by path (``policy.exit_threshold``); ``metrics`` every name of
    :data:`METRICS`; ``violation`` is 0 where all constraints hold, else the sum of relative excesses;
    ``detail`` is JSON-able: breakdown by component and layer, exit histogram, skipped blocks, ...
    """

    assignment: dict[str, Any]
    metrics: dict[str, float]
    violation: float = 0.0
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def feasible(self) -> bool:
        return self.violation <= 0.0
