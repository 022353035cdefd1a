"""The metrics of a configuration, each defined once: what a space file can name as an objective or in a
constraint, how it is computed, stored and shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["COST_FIGURES", "METRICS", "POLICY_FIGURES", "Metric"]

Figures = Mapping[str, Any]

COST_FIGURES = ("energy_uj", "latency_us", "area_mm2")
"""What the accelerator's model says of a design under a policy; metrics are computed from these."""
POLICY_FIGURES = ("accuracy", "mean_timesteps")
"""What a policy makes of a network's answers; the other figures that metrics are computed from. With them
comes ``accuracy_ideal``, the accuracy of the plain network, where the arrays make it another."""


@dataclass(frozen=True)
class Metric:
    """A figure that can be an objective or stand in a constraint."""

    name: str
    unit: str
    direction: str
    """``max`` or ``min``: the direction that is better."""
    meaning: str
    compute: Callable[[Figures], Any]
    """Its value on one chip from the figures named in :data:`COST_FIGURES` and :data:`POLICY_FIGURES`, from
    ``accuracy_ideal`` and ``keeps`` (1 where the chip keeps the constraints, else 0): scalars, or arrays that
    broadcast."""
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
    over_chips: Literal["mean", "min", "std"] = "mean"
    """What the values of several chips come to; ``std`` is the standard deviation with n - 1."""
    between_chips: bool = False
    """Says how chips differ: a single one can neither keep nor break a constraint on it."""
    improves_with_training: bool = False
    """Counts right answers: while a network is trained, a bound on it may be out of reach for now only."""
    about_arrays: bool = False
    """Says something only where the network is judged as its arrays compute it: tables leave it out
    elsewhere."""


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "accuracy",
            "1",
            "max",
            "share of validation samples classified correctly at their exit, by the network as its arrays "
            "compute it, mean over chips",
            lambda f: f["accuracy"],
            "accuracy",
            upper=1.0,
            percent=True,
            improves_with_training=True,
        ),
        Metric(
            "energy_uj",
            "uJ",
            "min",
            "energy of one inference, mean over validation samples and chips",
            lambda f: f["energy_uj"],
            "energy",
            costs=("energy_uj",),
        ),
        Metric(
            "latency_us",
            "us",
            "min",
            "latency of one inference, mean over validation samples and chips",
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
            "time steps executed, mean over validation samples and chips",
            lambda f: f["mean_timesteps"],
            "mean time steps",
        ),
        Metric(
            "edp_uj_us",
            "uJ us",
            "min",
            "mean energy times mean latency of one inference, mean over chips",
            lambda f: f["energy_uj"] * f["latency_us"],
            "energy-delay product",
            costs=("energy_uj", "latency_us"),
        ),
        Metric(
            "accuracy_ideal",
            "1",
            "max",
            "accuracy of the same policy on the plain network",
            lambda f: f["accuracy_ideal"],
            "ideal accuracy",
            upper=1.0,
            percent=True,
            improves_with_training=True,
            about_arrays=True,
        ),
        Metric(
            "accuracy_min",
            "1",
            "max",
            "accuracy on the worst chip",
            lambda f: f["accuracy"],
            "worst chip's accuracy",
            upper=1.0,
            percent=True,
            over_chips="min",
            between_chips=True,
            improves_with_training=True,
            about_arrays=True,
        ),
        Metric(
            "accuracy_std",
            "1",
            "min",
            "standard deviation of the accuracy between chips (n - 1), 0 at one chip",
            lambda f: f["accuracy"],
            "deviation of accuracy",
            upper=1.0,
            percent=True,
            over_chips="std",
            between_chips=True,
            improves_with_training=True,
            about_arrays=True,
        ),
        Metric(
            "chip_yield",
            "1",
            "max",
            "share of chips that keep all constraints (but those on chip_yield, accuracy_min, accuracy_std)",
            lambda f: f["keeps"],
            "chip yield",
            costs=COST_FIGURES,
            upper=1.0,
            percent=True,
            between_chips=True,
            about_arrays=True,
        ),
    )
}
