"""What one configuration of a trained network is worth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Evaluation"]


@dataclass(frozen=True)
class Evaluation:
    """One inner configuration scored on one trained network.

    ``assignment`` holds the searched inner knobs by path (``policy.exit_threshold``); ``metrics`` every name
    of :data:`aster_dse.space.METRICS`; ``violation`` is 0 where all constraints hold, else the sum of
    relative excesses; ``detail`` is JSON-able: ``hardware`` (the cost with its breakdowns),
    ``exit_histogram`` (share of samples per step), ``skipped_blocks``.
    """

    assignment: dict[str, Any]
    metrics: dict[str, float]
    violation: float = 0.0
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def feasible(self) -> bool:
        return self.violation <= 0.0
