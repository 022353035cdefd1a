"""The metrics of a configuration, each defined once: what a space file can name as an objective or in a
constraint, how it is computed, stored and shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["COST_FIGURES", "METRICS", "POLICY_FIGURES", "Metric"]

Figures = Mapping[str, Any]

COST_FIGURES = ("energy_uj", "latency_us", "area_mm2")
"""What the accelerator's model says of a design under a policy; metrics are computed from these."""
POLICY_FIGURES = ("accuracy", "mean_timesteps")
"""What a policy makes of a network's answers; the other figures that metrics are computed from."""


@dataclass(frozen=True)
class Metric:
    """A figure that can be an objective or stand in a constraint."""

    name: str
    unit: str
    direction: str
    """``max`` or ``min``: the direction that is better."""
    meaning: str
    compute: Callable[[Figures], Any]
    """Its value from the figures named in :data:`COST_FIGURES` and :data:`POLICY_FIGURES`, scalars or arrays
    that broadcast."""
    word: str
    """Short label."""
    costs: tuple[str, ...] = ()
    """The cost figures that it is computed from; it never gets better when one of them grows. A metric with
    none is the same on every accelerator."""
    upper: float = math.inf
    """Greatest value there can be; the least is 0 for all of them."""
    percent: bool = False
    """A share, shown to people as a percentage."""
    monotone: bool = True
    """Never gets better when any count of events grows and the rest, accuracy included, stays: only then may
    a policy be discarded before it meets an accelerator."""


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "accuracy",
            "1",
            "max",
            "share of validation samples classified correctly at their exit",
            lambda f: f["accuracy"],
            "accuracy",
            upper=1.0,
            percent=True,
        ),
        Metric(
            "energy_uj",
            "uJ",
            "min",
            "energy of one inference, mean over validation samples",
            lambda f: f["energy_uj"],
            "energy",
            costs=("energy_uj",),
        ),
        Metric(
            "latency_us",
            "us",
            "min",
            "latency of one inference, mean over validation samples",
            lambda f: f["latency_us"],
            "latency",
            costs=("latency_us",),
        ),
        Metric(
            "area_mm2",
            "mm2",
            "min",
            "silicon area of the chip",
            lambda f: f["area_mm2"],
            "area",
            costs=("area_mm2",),
        ),
        Metric(
            "mean_timesteps",
            "1",
            "min",
            "time steps executed, mean over validation samples",
            lambda f: f["mean_timesteps"],
            "mean time steps",
        ),
        Metric(
            "edp_uj_us",
            "uJ us",
            "min",
            "mean energy times mean latency of one inference",
            lambda f: f["energy_uj"] * f["latency_us"],
            "energy-delay product",
            costs=("energy_uj", "latency_us"),
        ),
    )
}
