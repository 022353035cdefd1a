"""What the parts of ``numerics.py`` say."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Any

_HOLDS = {">=": operator.ge, "<=": operator.le, "<": operator.lt}


@dataclass(frozen=True)
class Report:
    """Of one part, over all networks."""

    goals: list[dict[str, Any]]
    figures: dict[str, Any] = field(default_factory=dict)
    """What belongs to them and has no goal."""


def goal(name: str, value: float, op: str, limit: float, peer: str) -> dict[str, Any]:
    """One line of the report."""
    met = bool(_HOLDS[op](value, limit))
    return {"name": name, "value": value, "op": op, "goal": limit, "met": met, "peer": peer}
