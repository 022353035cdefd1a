"""What a visitor has chosen to look at: read from the address of the page, checked, with good defaults."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs

from aster_dse.space import METRICS

__all__ = ["OPTIONS", "Choice"]

OPTIONS = {
    "feasible": "feasible only",
    "front": "front only",
    "fade": "fade dominated",
    "logx": "log X",
    "logy": "log Y",
}
_KNOB = re.compile(r"[a-z][a-z0-9_]{0,63}(\.[a-z0-9_]{1,64}){1,4}")
_OTHERS = ("trial", "violation", "id")


@dataclass(frozen=True)
class Choice:
    """The axes, the switches and the point of a study page."""

    x: str
    y: str
    color: str | None = None
    size: str | None = None
    options: tuple[str, ...] = ("fade",)
    rows: str = "front"
    point: int | None = None

    @classmethod
    def read(cls, query: str, objectives: list[str]) -> Self:
        """Read the query string of an address; what makes no sense in it is ignored."""
        given = {
            name: values[-1] for name, values in parse_qs(query.lstrip("?"), keep_blank_values=True).items()
        }
        y = "accuracy" if "accuracy" in objectives else objectives[-1]
        x = next((name for name in objectives if name != y), "trial")
        options: tuple[str, ...] = ("fade",)
        if "show" in given:
            options = tuple(name for name in given["show"].split(".") if name in OPTIONS)
        return cls(
            _column(given.get("x")) or x,
            _column(given.get("y")) or y,
            _column(given.get("color")),
            _column(given.get("size")),
            options,
            "all" if given.get("rows") == "all" else "front",
            _integer(given.get("p")),
        )


def _column(name: str | None) -> str | None:
    if name is None:
        return None
    return name if name in METRICS or name in _OTHERS or _KNOB.fullmatch(name) else None


def _integer(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"[0-9]{1,18}", text) else None
