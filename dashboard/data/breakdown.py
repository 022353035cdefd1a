"""Where a point's energy, latency and area go: layers as they run, parts few enough to tell apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Breakdown", "breakdowns"]

SERIES = 7
"""Parts drawn by themselves, as many as colours stay apart for every colour vision; the rest is summed."""

_STAGES = ("input", "stem", "pool", "block", "head")
_PARTS = ("q", "k", "v", "sdsa", "proj", "fc1", "fc2")


@dataclass(frozen=True)
class Breakdown:
    """A stacked bar chart: a bar per row, a colour per series."""

    name: str
    """``energy``, ``latency`` or ``area``."""
    heading: str
    unit: str
    rows: tuple[str, ...]
    series: tuple[tuple[str, tuple[float, ...]], ...]
    """Name and value per row, the greatest first."""

    def as_dict(self) -> dict[str, Any]:
        """For the browser."""
        return {
            "word": self.name,
            "unit": self.unit,
            "rows": list(self.rows),
            "series": [{"name": name, "values": list(values)} for name, values in self.series],
        }


def breakdowns(detail: Mapping[str, Any]) -> list[Breakdown]:
    """Read the breakdown of a hardware cost, which an evaluation keeps under ``hardware`` or at its top."""
    cost = detail.get("hardware", detail)
    found = []
    energy = _table(cost.get("energy_pj"))
    if energy:
        found.append(_by_layer("energy", "Energy by layer and component", energy, "pJ"))
    latency = _numbers(cost.get("latency_ns_by_layer"))
    if latency:
        found.append(_by_layer("latency", "Latency by layer", {"latency": latency}, "ns"))
    area = _numbers(cost.get("area_um2_by_component"))
    if area:
        parts = sorted((name for name in area if area[name] > 0), key=lambda name: -area[name])
        values = tuple(area[name] * 1e-6 for name in parts)
        rows = tuple(map(_words, parts))
        found.append(Breakdown("area", "Area by component", "mm²", rows, (("area", values),)))
    return found


def _by_layer(name: str, heading: str, table: dict[str, dict[str, float]], unit: str) -> Breakdown:
    """``table`` is by component, then by layer; small components become one."""
    layers = tuple(sorted({layer for row in table.values() for layer in row}, key=_execution_order))
    totals = {component: sum(row.values()) for component, row in table.items()}
    order = sorted((part for part in totals if totals[part] > 0), key=lambda part: -totals[part])
    keep = order if len(order) <= SERIES + 1 else order[:SERIES]
    scale, symbol = _scale(sum(totals.values()), unit)

    def bars(components: list[str]) -> tuple[float, ...]:
        return tuple(scale * sum(table[part].get(layer, 0.0) for part in components) for layer in layers)

    series = [(_words(part), bars([part])) for part in keep]
    rest = order[len(keep) :]
    if rest:
        series.append((f"{len(rest)} others", bars(rest)))
    return Breakdown(name, heading, symbol, layers, tuple(series))


def _scale(total: float, unit: str) -> tuple[float, str]:
    """A factor and a unit in which ``total`` is easy to read."""
    steps = {"pJ": ("pJ", "nJ", "µJ", "mJ"), "ns": ("ns", "µs", "ms", "s")}[unit]
    place = 0
    while place + 1 < len(steps) and total >= 1000 ** (place + 1):
        place += 1
    return 1000.0**-place, steps[place]


def _execution_order(layer: str) -> tuple[int, int, int, str]:
    """Stores keep names in alphabetical order; the network runs in another."""
    stage, *rest = layer.split(".")
    part = rest[-1] if rest else ""
    index = int(rest[0]) if rest and re.fullmatch(r"\d+", rest[0]) else len(_PARTS)
    return (
        _STAGES.index(stage) if stage in _STAGES else len(_STAGES),
        index,
        _PARTS.index(part) if part in _PARTS else len(_PARTS),
        layer,
    )


def _table(value: object) -> dict[str, dict[str, float]]:
    if not isinstance(value, dict):
        return {}
    return {name: numbers for name, row in value.items() if (numbers := _numbers(row))}


def _numbers(value: object) -> dict[str, float]:
    if not isinstance(value, dict):
        return {}
    return {
        name: float(number)
        for name, number in value.items()
        if isinstance(number, (int, float)) and not isinstance(number, bool)
    }


def _words(name: str) -> str:
    return name.replace("_", " ")
