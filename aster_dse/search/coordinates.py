"""Knobs as Optuna sees them: an index where values are countable, else the internal coordinate."""

from __future__ import annotations

from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from aster_dse.space import Choice, Parameter

__all__ = ["coordinate", "distribution", "value"]


def distribution(parameter: Parameter) -> BaseDistribution:
    """Over all values of a knob."""
    low, high = parameter.internal_bounds
    if isinstance(parameter, Choice):
        return CategoricalDistribution(tuple(range(len(parameter.options))))
    if parameter.internal_step is not None:
        return IntDistribution(0, round((high - low) / parameter.internal_step))
    return FloatDistribution(float(low), float(high))


def coordinate(parameter: Parameter, value: Any) -> int | float:
    """Where a value of a knob lies."""
    low, high = parameter.internal_bounds
    if parameter.internal_step is not None:
        return round((parameter.internal(value) - low) / parameter.internal_step)
    return min(max(float(parameter.internal(value)), float(low)), float(high))


def value(parameter: Parameter, coordinate: int | float) -> Any:
    """The value that lies there."""
    if parameter.internal_step is not None:
        return parameter.external(parameter.internal_bounds[0] + coordinate * parameter.internal_step)
    return parameter.external(coordinate)
