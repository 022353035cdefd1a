"""One knob against the figures: what came of the configurations at each of its values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from aster_dse.errors import InputError
from aster_dse.export.knob_columns import KnobTable, read_knobs
from aster_dse.space.document import nearest_name
from aster_dse.store.reading import StudyQueries
from aster_dse.store.rows import StudyRow

__all__ = ["Slice", "slices"]


@dataclass(frozen=True)
class Slice:
    """The feasible configurations whose knob has one value, or lies between two."""

    low: Any
    high: Any
    """Equal to ``low`` for a single value; None where the knob's condition is false."""
    configurations: int
    networks: int
    metrics: dict[str, dict[str, float]]
    """By metric: ``best``, ``median``, and the quartiles ``lower`` and ``upper``."""

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "low": self.low,
            "high": self.high,
            "configurations": self.configurations,
            "networks": self.networks,
            "metrics": self.metrics,
        }


def slices(
    reader: StudyQueries, study: StudyRow, knob: str, goals: Mapping[str, str], *, most: int = 8
) -> list[Slice]:
    """The slices of a knob, in the order of its values.

    Args:
        goals: metric to ``max`` or ``min``.
        most: slices of a knob of numbers; of more values, each slice holds about equally many configurations.

    Raises:
        InputError: the space does not search such a knob.
    """
    table = read_knobs(reader, study, list(goals))
    if knob not in table.columns:
        raise InputError(
            "KNOB", f"{knob!r} is not searched in study {study.name!r}", nearest_name(knob, table.columns)
        )
    column = table.columns[knob]
    given = [value for value in column if value is not None]
    found = []
    for low, high in _borders(table, knob, given, most):
        rows = [row for row, value in enumerate(column) if value is not None and _lies(value, low, high)]
        if rows:
            found.append(_slice(table, low, high, rows, goals))
    without = [row for row, value in enumerate(column) if value is None]
    return [*found, _slice(table, None, None, without, goals)] if without else found


def _borders(table: KnobTable, knob: str, given: list[Any], most: int) -> list[tuple[Any, Any]]:
    """First and last value of each slice."""
    distinct = list(dict.fromkeys(given))
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in distinct):
        known = table.parameters[knob].values() or ()
        order = [value for value in known if value in distinct] or distinct
        return [(value, value) for value in order]
    distinct.sort()
    if len(distinct) <= most:
        return [(value, value) for value in distinct]
    # Each slice begins with the value at its share of the configurations.
    ordered = sorted(given)
    starts = list(dict.fromkeys(ordered[len(ordered) * place // most] for place in range(most)))
    ends = [max(value for value in distinct if value < start) for start in starts[1:]]
    return list(zip(starts, [*ends, distinct[-1]], strict=True))


def _lies(value: Any, low: Any, high: Any) -> bool:
    return value == low if low == high else bool(low <= value <= high)


def _slice(table: KnobTable, low: Any, high: Any, rows: list[int], goals: Mapping[str, str]) -> Slice:
    metrics = {}
    for name, goal in goals.items():
        values = np.array([table.metrics[name][row] for row in rows])
        lower, median, upper = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
        best = float(values.max() if goal == "max" else values.min())
        metrics[name] = {"best": best, "median": median, "lower": lower, "upper": upper}
    return Slice(low, high, len(rows), len({table.networks[row] for row in rows}), metrics)
