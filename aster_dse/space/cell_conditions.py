"""Conditions of the cells in the arrays: how far real ones are from what was programmed.

``on_off=150 variation=0.1 read_noise=0.25`` reads as it stands; in a file the same may be written as a
mapping.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from aster_dse.space.document import show

__all__ = ["CELL", "NONE", "CellConditions", "canonical_conditions", "conditions_text", "parse_conditions"]

CELL = "cell"
"""Instead of figures: those that the component library publishes for the cell."""
NONE = "none"
"""Instead of figures: cells that are as programmed."""
_EXAMPLE = "write it like variation=0.1 read_noise=0.25"
_LOGICAL = {"true": True, "false": False}


@dataclass(frozen=True)
class CellConditions:
    """What differs from cells that conduct exactly as programmed. Every figure has the value of none."""

    on_off: float | None = None
    """Conductance of a cell that is fully on over that of one that is off, > 1; None for infinite."""
    variation: float = 0.0
    """Relative standard deviation of a cell's conductance, drawn once for a chip."""
    variation_of: Literal["level", "range"] = "level"
    """What it is relative to: the cell's own conductance, or that of a cell that is fully on."""
    read_noise: float = 0.0
    """Standard deviation of what a converter reads, in its steps, drawn at each conversion."""
    stuck_on: float = 0.0
    """Share of the cells that are fully on whatever is programmed."""
    stuck_off: float = 0.0
    """Share of the cells that are off whatever is programmed."""
    drift: float = 1.0
    """Factor on all conductances after the ranges were calibrated; 1 for none."""
    drift_correction: bool = False
    """Scale what is read back by the factor that the sum of all columns has drifted by."""
    norm_reestimation: bool = False
    """Estimate the statistics of the normalisation anew, on each chip."""

    def __post_init__(self) -> None:
        """
        Raises:
            ValueError: two arguments, what is wrong and what would be right.
        """
        for name, right, holds in _LIMITS:
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and holds(value)):
                raise ValueError(f"{name}: {value!r} is out of range", right)
        if self.variation_of not in ("level", "range"):
            raise ValueError(f"variation_of: {show(self.variation_of)} is unknown", "level or range")
        if self.stuck_on + self.stuck_off > 1.0:
            total = self.stuck_on + self.stuck_off
            raise ValueError(
                f"stuck_on and stuck_off: {total:g} of the cells are stuck", "at most 1 together"
            )

    @property
    def ideal(self) -> bool:
        """Whether cells are as programmed and reads exact."""
        plain = CellConditions()
        return all(getattr(self, name) == getattr(plain, name) for name in _EFFECTS)

    @property
    def text(self) -> str:
        """What :func:`parse_conditions` reads back, in one spelling; ``none`` where nothing differs."""
        plain = CellConditions()
        chosen = {field.name: getattr(self, field.name) for field in fields(self)}
        words = [f"{n}={_written(value)}" for n, value in chosen.items() if value != getattr(plain, n)]
        return " ".join(words) or NONE


_EFFECTS = ("on_off", "variation", "read_noise", "stuck_on", "stuck_off", "drift")
_LIMITS: tuple[tuple[str, str, Callable[[float], bool]], ...] = (
    ("on_off", "> 1 and at most 1000000000, left out for infinite", lambda v: 1.0 < v <= 1e9),
    ("variation", "at least 0 and at most 10", lambda v: 0.0 <= v <= 10.0),
    ("read_noise", "at least 0 and at most 50, in steps of the converter", lambda v: 0.0 <= v <= 50.0),
    ("stuck_on", "a share from 0 to 1", lambda v: 0.0 <= v <= 1.0),
    ("stuck_off", "a share from 0 to 1", lambda v: 0.0 <= v <= 1.0),
    ("drift", "> 0 and at most 100", lambda v: 0.0 < v <= 100.0),
)
_NAMES = tuple(field.name for field in fields(CellConditions))


def parse_conditions(text: str) -> CellConditions:
    """The conditions that a text names; those of ``none`` are ideal.

    Raises:
        ValueError: two arguments, what is wrong and what would be right.
    """
    if text.strip() == NONE:
        return CellConditions()
    chosen: dict[str, Any] = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        if not equals or not value:
            raise ValueError(f"{word!r} sets nothing", f"{_EXAMPLE}, or {CELL}, or {NONE}")
        if name in chosen:
            raise ValueError(f"{name} is given twice", "keep one")
        chosen[name] = value
    return _conditions(chosen)


def conditions_text(content: Mapping[str, Any]) -> str | None:
    """The text of a mapping of figures; None for none.

    Raises:
        ValueError: two arguments, what is wrong and what would be right.
    """
    return _chosen(_conditions(content))


def canonical_conditions(text: str) -> str | None:
    """The same conditions in one spelling; None for none.

    Raises:
        ValueError: two arguments, what is wrong and what would be right.
    """
    if text.strip() == CELL:
        return CELL
    return _chosen(parse_conditions(text))


def _chosen(conditions: CellConditions) -> str | None:
    return None if conditions.text == NONE else conditions.text


def _conditions(chosen: Mapping[str, Any]) -> CellConditions:
    if not chosen:
        raise ValueError("no condition is given", f"{_EXAMPLE}, or {CELL}, or {NONE}")
    return CellConditions(**{str(name): _value(str(name), value) for name, value in chosen.items()})


def _value(name: str, value: Any) -> Any:
    if name not in _NAMES:
        raise ValueError(f"{name!r} is no condition of cells", f"one of {', '.join(_NAMES)}")
    if name == "variation_of":
        return value
    if name in ("drift_correction", "norm_reestimation"):
        known = _LOGICAL.get(value, value) if isinstance(value, str) else value
        if not isinstance(known, bool):
            raise ValueError(f"{name}: {show(value)} is no truth value", "true or false")
        return known
    if name == "on_off" and value is None:
        return None
    try:
        if isinstance(value, bool):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name}: {show(value)} is no number", "write it like 0.1") from None


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
