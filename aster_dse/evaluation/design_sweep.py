"""One trained network on the arrays of many designs: every combination of some knobs, scored from passes.

Designs that compute alike share their passes, so that a knob which changes only costs needs none of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from aster_dse.errors import InputError, PassError
from aster_dse.evaluation.calibration_sets import VERIFICATION
from aster_dse.evaluation.interval import wilson_interval
from aster_dse.evaluation.on_arrays import ArrayComputing, computing_of, evaluate_on_arrays
from aster_dse.evaluation.result import Evaluation
from aster_dse.hardware import Accelerator, resolve
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.numerics.network_passes import NetworkPasses
from aster_dse.space import HARDWARE_KNOBS, Candidate, assign

__all__ = ["Design", "DesignSweep", "SweptDesign", "designs_of", "sweep_designs", "usual_values"]

_USUAL: dict[str, tuple[Any, ...]] = {
    "rows": (32, 64, 128, 256, 512),
    "columns": (64, 128, 256),
    "cell_bits": (1, 2, 4),
    "weight_bits": (4, 5, 6, 8),
    "adc_levels": (4, 8, 16, 32, 64, 128),
    "column_mux": (1, 2, 4, 8, 16),
    "arrays_per_subarray": (1, 2, 4, 8),
    "subarrays_per_tile": (1, 2, 4, 8),
    "buffer_kib": (16, 64, 256),
    "flit_bits": (32, 64, 128, 256),
    "event_gating": (True, False),
}


@dataclass(frozen=True)
class Design:
    """A combination of the knobs."""

    values: dict[str, Any]
    """By name of the knob."""
    computes: ArrayComputing


@dataclass(frozen=True)
class SweptDesign:
    """A design and what it comes to."""

    values: dict[str, Any]
    evaluation: Evaluation
    interval: tuple[float, float]
    """Of the accuracy: Wilson's, 95 %, for the number of samples."""


@dataclass(frozen=True)
class DesignSweep:
    """All combinations that could be run."""

    over: dict[str, tuple[Any, ...]]
    rows: tuple[SweptDesign, ...]
    samples: int
    failures: tuple[str, ...] = ()
    """Passes that could not be made."""


def usual_values(name: str, base: Accelerator) -> tuple[Any, ...]:
    """What a knob is swept over where nobody says: values that the design's library has.

    Raises:
        InputError: there is no list for this knob.
    """
    knob = HARDWARE_KNOBS[name]
    if name == "adc_kind":
        return tuple(base.library.adc_kinds)
    if name == "cell":
        return tuple(base.library.cells)
    if name == "node_nm":
        return tuple(sorted(base.library.scaling.nodes(base.library.supply_v)))
    if name == "cell_bits":
        return tuple(bits for bits in _USUAL[name] if bits <= base.library.cells[base.cell].most_bits)
    if knob.choices:
        return knob.choices
    if name not in _USUAL:
        raise InputError("--over", f"{name} has no list of values", f"name some, as in {name}=1,2,4")
    return _USUAL[name]


def designs_of(
    candidate: Candidate, geometry: NetworkGeometry, over: Mapping[str, Sequence[Any]]
) -> tuple[list[Design], list[str]]:
    """Every combination that can exist, and a line about each that cannot.

    Raises:
        InputError: none can exist.
    """
    found, left_out = [], []
    for values in product(*over.values()):
        chosen = dict(zip(over, values, strict=True))
        try:
            design = resolve(assign(candidate, _by_path(chosen)).hardware)
            found.append(Design(chosen, computing_of(design, geometry, VERIFICATION)))
        except InputError as error:
            words = ", ".join(f"{name} {value}" for name, value in chosen.items())
            left_out.append(f"{words}: {error.problem}")
    if not found:
        raise InputError("--over", f"no design can exist; {left_out[0]}", "other values or another base")
    return found, left_out


def sweep_designs(
    passes: NetworkPasses,
    candidate: Candidate,
    over: Mapping[str, Sequence[Any]],
    designs: Sequence[Design],
) -> DesignSweep:
    """Score designs on their arrays, as a study verifies them; passes that fail leave out their designs.

    Args:
        candidate: its policy is applied; its accelerator gives what is not swept.

    Raises:
        PassError: no pass could be made.
    """
    passes = passes.on_samples(candidate.hardware.validation_samples)
    samples = len(passes.plain.labels)
    groups: dict[ArrayComputing, list[int]] = {}
    for place, design in enumerate(designs):
        groups.setdefault(design.computes, []).append(place)
    found: dict[int, Evaluation] = {}
    failures: list[PassError] = []
    for members in groups.values():
        try:
            results = evaluate_on_arrays(
                passes, candidate, [_by_path(designs[place].values) for place in members], ()
            )
        except PassError as error:
            failures.append(error)
            continue
        found |= dict(zip(members, results, strict=True))
    if not found:
        raise failures[-1]
    rows = [
        SweptDesign(
            designs[place].values,
            found[place],
            wilson_interval(found[place].metrics["accuracy"], samples),
        )
        for place in sorted(found)
    ]
    return DesignSweep(
        {n: tuple(v) for n, v in over.items()}, tuple(rows), samples, tuple(map(str, failures))
    )


def _by_path(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"hardware.{name}": value for name, value in values.items()}
