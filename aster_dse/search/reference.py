"""The reference point of a study's hypervolume, known before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scipy.stats import qmc  # type: ignore[import-untyped]

from aster_dse.activity.uniform import uniform_activity
from aster_dse.errors import InputError
from aster_dse.evaluation.design_checks import check_designs
from aster_dse.evaluation.metric_values import metric_values
from aster_dse.hardware import estimate, resolve
from aster_dse.network.on_workload import geometry_for
from aster_dse.space import COST_FIGURES, HardwareConfig, SearchSpace

if TYPE_CHECKING:
    from aster_dse.search.journal import Journal
    from aster_dse.store.rows import StudyRow

__all__ = ["fixed_reference_point", "reference_point_of"]

_NETWORKS = 16
_DESIGNS = 16
"""Accelerators that each of the networks meets."""
_FIRING_RATE = 0.2
"""Of every neuron; that of trained spiking transformers lies around it (docs/network.md)."""


def fixed_reference_point(store: Journal, study: StudyRow, space: SearchSpace) -> dict[str, float]:
    """The point of a study, which is found, and stored, when it is first searched.

    Raises:
        InputError: the accelerator model refuses all of the space.
    """
    if study.reference_point is not None:
        return dict(study.reference_point)
    hardware = {path.partition(".")[2]: v for path, v in space.fixed.items() if "hardware." in path}
    check_designs(space.inner, HardwareConfig(**hardware))
    reference = reference_point_of(space, seed=study.seed)
    store.set_reference_point(study.id, reference)
    return reference


def reference_point_of(space: SearchSpace, *, seed: int) -> dict[str, float]:
    """The worst corner of what a study is after: a function of the space and the seed alone.

    0 for an objective that is maximised. For one that is minimised, the bound that a constraint sets it;
    where there is none, the greatest figure of 16 networks on 16 accelerators each, drawn evenly from the
    space; all of their neurons fire with probability 0.2 in all steps of the network.

    Raises:
        InputError: none of the networks, or of the accelerators, that were drawn can exist.
    """
    bounds = {bound.metric: bound.bound for bound in space.constraints if bound.operator == "<="}
    wanted = [n for n, goal in space.objectives.items() if goal == "min" and not bounds.get(n)]
    drawn = _drawn(space, seed) if wanted else {}
    return {
        name: 0.0 if goal == "max" else bounds.get(name) or drawn[name]
        for name, goal in space.objectives.items()
    }


def _drawn(space: SearchSpace, seed: int) -> dict[str, float]:
    greatest: dict[str, float] = {}
    refusal: InputError | None = None
    sequence = qmc.Sobol(len(space.parameters), scramble=True, rng=seed)
    units = sequence.random(_NETWORKS * _DESIGNS).reshape(_NETWORKS, _DESIGNS, -1)
    for group in units.tolist():
        found = [_assignment(space, group[0], row) for row in group]
        candidate = space.candidate(found[0])
        try:
            geometry = geometry_for(candidate.workload, candidate.network)
        except InputError as error:
            refusal = error
            continue
        activity = uniform_activity(geometry, _FIRING_RATE)
        for assignment in found:
            try:
                accelerator = resolve(space.candidate(assignment).hardware)
            except InputError as error:
                refusal = error
                continue
            (cost,) = estimate(geometry, activity, accelerator)
            figures = {name: getattr(cost, name) for name in COST_FIGURES}
            # An untrained network has no accuracy, and no objective that is minimised depends on it.
            figures |= {"accuracy": 1.0, "mean_timesteps": float(geometry.timesteps)}
            for name, value in metric_values(figures, space.objectives).items():
                greatest[name] = max(greatest.get(name, 0.0), float(value))
    if not greatest and refusal is not None:
        raise refusal
    return {name: value if value > 0.0 else 1.0 for name, value in greatest.items()}


def _assignment(space: SearchSpace, network: Sequence[float], design: Sequence[float]) -> dict[str, Any]:
    """A point whose trained knobs are at the units ``network`` and whose other knobs at ``design``."""
    assignment: dict[str, Any] = {}
    for place, parameter in enumerate(space.parameters):
        if space.active(parameter, assignment):
            unit = (network if parameter.needs_training else design)[place]
            assignment[parameter.path] = parameter.from_unit(unit)
    return assignment
