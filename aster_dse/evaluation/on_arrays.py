"""Configurations of a network as its arrays compute it; accelerators that compute alike share passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aster_dse.activity import ActivityTrace
from aster_dse.evaluation.array_classes import arrays_of
from aster_dse.evaluation.evaluate import evaluate
from aster_dse.evaluation.result import Evaluation
from aster_dse.hardware import Accelerator, resolve
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.numerics.arrays import NetworkArrays
from aster_dse.numerics.network_passes import NetworkPasses
from aster_dse.space import Candidate, assign, parse_constraint
from aster_dse.space.cell_conditions import CellConditions

__all__ = ["SELECTION", "VERIFICATION", "Computes", "evaluate_on_arrays"]

SELECTION, VERIFICATION = 0, 1
"""Calibration sets."""


@dataclass(frozen=True)
class Computes:
    """All of an accelerator that changes what it computes."""

    arrays: NetworkArrays
    conditions: CellConditions
    chips: int
    event_gating: bool
    """True where it makes no difference."""

    @classmethod
    def of(cls, accelerator: Accelerator, geometry: NetworkGeometry, calibration_set: int) -> Computes:
        return cls(
            arrays_of(accelerator, geometry, calibration_set),
            accelerator.conditions,
            accelerator.chips,
            accelerator.event_gating or not accelerator.conditions.read_noise,
        )

    def traces(self, passes: NetworkPasses, first_chip: int) -> list[ActivityTrace]:
        numbers = range(first_chip, first_chip + self.chips)
        found = passes.under(self.conditions)
        return found.traces(self.arrays, numbers, event_gating=self.event_gating)


def evaluate_on_arrays(
    passes: NetworkPasses,
    candidate: Candidate,
    inner: Sequence[Mapping[str, Any]],
    constraints: Sequence[str],
    *,
    calibration_set: int = VERIFICATION,
    first_chip: int | None = None,
) -> tuple[Evaluation, ...]:
    """Evaluate ``candidate`` with each of the ``inner`` assignments laid over it, on its arrays, in their
    order.

    Args:
        first_chip: number of the first chip; None for those that the calibration set goes with: from 0 on
            for selection, and for others those that follow the chips of the sets before.

    Raises:
        PassError: a pass could not be made.
    """
    geometry = passes.plain.geometry
    bounds = [parse_constraint(text) for text in constraints]
    groups: dict[Computes, list[int]] = {}
    for index, assignment in enumerate(inner):
        accelerator = resolve(assign(candidate, dict(assignment)).hardware)
        groups.setdefault(Computes.of(accelerator, geometry, calibration_set), []).append(index)
    found: dict[int, Evaluation] = {}
    for alike, members in groups.items():
        start = calibration_set * alike.chips if first_chip is None else first_chip
        traces = alike.traces(passes, start)
        scored = evaluate(passes.plain, candidate, [inner[index] for index in members], bounds, chips=traces)
        found |= dict(zip(members, scored, strict=True))
    return tuple(found[index] for index in range(len(inner)))
