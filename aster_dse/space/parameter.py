"""Searched knobs: ranges and choices, and the coordinates in which a sampler sees them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from aster_dse.space.condition import Condition
from aster_dse.space.knobs import TRAINED_GROUPS

__all__ = ["SCALES", "Choice", "Parameter", "Range"]

SCALES = ("linear", "log", "neglog10")

Number = int | float


@dataclass(frozen=True)
class Parameter(ABC):
    """A knob that is searched.

    A sampler works in internal coordinates, in which every range is linear: numbers between the two
    ``internal_bounds``, on a grid of ``internal_step`` from the lower bound where that is not None. A
    :class:`Choice` has no order; its internal coordinate is the index of the value.
    """

    path: str
    when: Condition | None

    @property
    def group(self) -> str:
        return self.path.partition(".")[0]

    @property
    def name(self) -> str:
        return self.path.partition(".")[2]

    @property
    def needs_training(self) -> bool:
        return self.group in TRAINED_GROUPS

    @property
    @abstractmethod
    def internal_bounds(self) -> tuple[Number, Number]:
        """Least and greatest internal coordinate, both included."""

    @property
    @abstractmethod
    def internal_step(self) -> Number | None:
        """Distance of neighbours; None where the coordinate is continuous."""

    @abstractmethod
    def internal(self, value: Any) -> Number:
        """Coordinate of a value."""

    @abstractmethod
    def external(self, internal: Number) -> Any:
        """Value at a coordinate; coordinates outside the bounds give the nearest value inside."""

    @abstractmethod
    def values(self) -> tuple[Any, ...] | None:
        """All values in order, or None where they are continuous."""

    @property
    @abstractmethod
    def cardinality(self) -> int | None:
        """Number of values, or None where they are continuous."""

    @abstractmethod
    def __contains__(self, value: object) -> bool: ...

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """What a space file says of it."""

    def from_unit(self, unit: float) -> Any:
        """Value at ``unit`` in [0, 1]; equal lengths hold equally many values (in internal coordinates)."""
        low, high = self.internal_bounds
        if self.internal_step is None:
            return self.external(low + unit * (high - low))
        count = self.cardinality or 1
        return self.external(low + min(int(unit * count), count - 1) * self.internal_step)

    def to_unit(self, value: Any) -> float:
        """Inverse of :meth:`from_unit`: the middle of the stretch that gives ``value``."""
        low, high = self.internal_bounds
        if self.internal_step is None:
            return min(max((self.internal(value) - low) / (high - low), 0.0), 1.0)
        return (round((self.internal(value) - low) / self.internal_step) + 0.5) / (self.cardinality or 1)

    def _with_condition(self, entry: dict[str, Any]) -> dict[str, Any]:
        return entry if self.when is None else {**entry, "when": self.when.text}


@dataclass(frozen=True)
class Range(Parameter):
    """Numbers from ``low`` to ``high``, both included."""

    low: Number
    high: Number
    step: Number | None
    """Distance of neighbours; None is continuous. Integers always have one."""
    scale: str
    """``linear``, ``log``, or ``neglog10``: searched as -log10(1 - x), so 0.9, 0.99, 0.999 are even steps."""
    integer: bool

    @property
    def internal_bounds(self) -> tuple[Number, Number]:
        # Half a unit on either side gives the end points of a rounded range their fair share.
        margin = 0.5 if self.integer and self.scale != "linear" else 0
        return self._forward(self.low - margin), self._forward(self.high + margin)

    @property
    def internal_step(self) -> Number | None:
        return self.step if self.scale == "linear" else None

    def _forward(self, value: Number) -> Number:
        if self.scale == "log":
            return math.log10(value)
        return -math.log10(1.0 - value) if self.scale == "neglog10" else value

    def internal(self, value: Any) -> Number:
        return self._forward(value)

    def external(self, internal: Number) -> Number:
        least, greatest = self.internal_bounds
        if internal <= least:
            return self.low
        if internal >= greatest:
            return self.high
        if self.scale == "log":
            value: Number = 10.0**internal
        elif self.scale == "neglog10":
            value = -math.expm1(-internal * math.log(10.0))
        else:
            value = internal
        if self.step is not None:
            index = round((value - self.low) / self.step)
            last = round((self.high - self.low) / self.step)
            if index >= last:
                return self.high
            # Twelve digits hide the rounding of the product: 0.3, not 0.30000000000000004.
            value = (
                self.low + index * self.step
                if self.integer
                else float(f"{self.low + index * self.step:.12g}")
            )
        return min(max(value, self.low), self.high)

    @property
    def cardinality(self) -> int | None:
        return None if self.step is None else round((self.high - self.low) / self.step) + 1

    def values(self) -> tuple[Any, ...] | None:
        if self.step is None or self.cardinality is None:
            return None
        linear = Range(self.path, self.when, self.low, self.high, self.step, "linear", self.integer)
        return tuple(linear.external(self.low + index * self.step) for index in range(self.cardinality))

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int if self.integer else int | float):
            return False
        if not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        index = (value - self.low) / self.step
        return abs(index - round(index)) <= 1e-6

    def as_dict(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"low": self.low, "high": self.high}
        if self.scale != "linear":
            entry["scale"] = self.scale
        elif self.step is not None:
            entry["step"] = self.step
        return self._with_condition(entry)


@dataclass(frozen=True)
class Choice(Parameter):
    """One of some values without an order."""

    options: tuple[Any, ...]

    @property
    def internal_bounds(self) -> tuple[Number, Number]:
        return 0, len(self.options) - 1

    @property
    def internal_step(self) -> Number | None:
        return 1

    def internal(self, value: Any) -> Number:
        return self.options.index(value)

    def external(self, internal: Number) -> Any:
        return self.options[min(max(round(internal), 0), len(self.options) - 1)]

    @property
    def cardinality(self) -> int | None:
        return len(self.options)

    def values(self) -> tuple[Any, ...] | None:
        return self.options

    def __contains__(self, value: object) -> bool:
        return any(
            value == option and isinstance(value, bool) == isinstance(option, bool) for option in self.options
        )

    def as_dict(self) -> dict[str, Any]:
        return self._with_condition({"choices": list(self.options)})
