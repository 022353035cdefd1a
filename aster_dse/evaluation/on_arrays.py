"""Configurations of a network on the arrays of their accelerators, each from passes of its numerics class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aster_dse.activity import ActivityTrace
from aster_dse.errors import InputError, PassError
from aster_dse.evaluation.array_classes import arrays_of
from aster_dse.evaluation.calibration_sets import VERIFICATION, first_chip_of
from aster_dse.evaluation.evaluate import evaluate
from aster_dse.evaluation.result import Evaluation
from aster_dse.hardware import Accelerator, resolve
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.numerics.arrays import NetworkArrays
from aster_dse.numerics.network_passes import NetworkPasses
from aster_dse.space import Candidate, assign, parse_constraint
from aster_dse.space.cell_conditions import CellConditions

__all__ = [
    "ArrayComputing",
    "computing_of",
    "conditions_of",
    "evaluate_on_arrays",
    "passes_for",
]


@dataclass(frozen=True)
class ArrayComputing:
    """All of an accelerator that changes what it computes."""

    arrays: NetworkArrays
    """With the calibration set."""
    conditions: CellConditions
    chips: int
    event_gating: bool
    """True where it makes no difference."""
    calibration_set: int

    def traces(self, passes: NetworkPasses, first_chip: int | None = None) -> list[ActivityTrace]:
        """Of the network on each chip.

        Args:
            first_chip: number of the first; None for those that go with the calibration set.

        Raises:
            PassError: a pass could not be made.
        """
        start = first_chip_of(self.chips, self.calibration_set) if first_chip is None else first_chip
        numbers = range(start, start + self.chips)
        found = passes.under(self.conditions)
        return found.traces(self.arrays, numbers, event_gating=self.event_gating)


def computing_of(
    accelerator: Accelerator,
    geometry: NetworkGeometry,
    calibration_set: int,
    arrays: NetworkArrays | None = None,
) -> ArrayComputing:
    """What an accelerator computes, its ranges from this calibration set.

    Args:
        arrays: its own, where they are known.
    """
    return ArrayComputing(
        arrays_of(accelerator, geometry, calibration_set) if arrays is None else arrays,
        accelerator.conditions,
        accelerator.chips,
        accelerator.event_gating or not accelerator.conditions.read_noise,
        calibration_set,
    )


def evaluate_on_arrays(
    passes: NetworkPasses,
    candidate: Candidate,
    inner: Sequence[Mapping[str, Any]],
    constraints: Sequence[str],
    *,
    calibration_set: int = VERIFICATION,
    first_chip: int | None = None,
    failures: list[PassError] | None = None,
) -> tuple[Evaluation, ...]:
    """Evaluate ``candidate`` with each of the ``inner`` assignments laid over it, on its arrays, in their
    order.

    Args:
        first_chip: number of the first chip; None for those that go with the calibration set.
        failures: takes the errors of passes that could not be made; the assignments that need them are then
            left out.

    Raises:
        PassError: a pass could not be made, and nothing takes the error, or no other one could.
    """
    passes = passes.on_samples(candidate.hardware.validation_samples)
    bounds = [parse_constraint(text) for text in constraints]
    found: dict[int, Evaluation] = {}
    for alike, members in _alike(candidate, inner, passes.plain.geometry, calibration_set).items():
        try:
            traces = alike.traces(passes, first_chip)
        except PassError as error:
            if failures is None:
                raise
            failures.append(error)
            continue
        scored = evaluate(passes.plain, candidate, [inner[index] for index in members], bounds, chips=traces)
        found |= dict(zip(members, scored, strict=True))
    if inner and not found and failures:
        raise failures[-1]
    return tuple(found[index] for index in sorted(found))


def conditions_of(candidate: Candidate) -> CellConditions:
    """Of the cells of the accelerator that a space starts from: what is foreseen is under these."""
    try:
        return resolve(candidate.hardware).conditions
    except InputError:  # it cannot exist, others can
        return CellConditions()


def passes_for(candidate: Candidate, inner: Sequence[Mapping[str, Any]], geometry: NetworkGeometry) -> int:
    """Passes that :func:`evaluate_on_arrays` needs for these assignments."""
    return sum(alike.chips for alike in _alike(candidate, inner, geometry, VERIFICATION))


def _alike(
    candidate: Candidate, inner: Sequence[Mapping[str, Any]], geometry: NetworkGeometry, calibration_set: int
) -> dict[ArrayComputing, list[int]]:
    """Places of the assignments whose accelerators compute alike."""
    groups: dict[ArrayComputing, list[int]] = {}
    for index, assignment in enumerate(inner):
        accelerator = resolve(assign(candidate, dict(assignment)).hardware)
        groups.setdefault(computing_of(accelerator, geometry, calibration_set), []).append(index)
    return groups
