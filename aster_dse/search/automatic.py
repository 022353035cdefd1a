"""Which sampler suits a search, from what is searched and what is known: what `auto` stands for.

Nothing that is measured decides, so that equal searches choose alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aster_dse.errors import InputError
from aster_dse.network.on_workload import geometry_for
from aster_dse.space import SearchSpace

__all__ = ["Choice", "choose", "training_macs"]

_MODEL_OBJECTIVES = 4
"""Up to so many, the directions along which the model of networks looks fill the space of objectives."""
_MODEL_NETWORKS = 1_000
"""Beyond, the model of networks, which remembers the latest, knows too small a part."""
_CHEAP_MACS = 5e6
"""A training of so few multiply-accumulates a sample is over in about a second, the time that the model takes
to propose one: an assumption of some thousand samples, and 5 to 10 thousand million of them a second."""
_MODEL_CHEAP_NETWORKS = 64
_TPE_POINTS = 4_000
"""Told points beyond which TPE takes long to propose: its time grows with their number."""


@dataclass(frozen=True)
class Choice:
    """A sampler, and why it is the one."""

    sampler: str
    reason: str


def choose(*, objectives: int, networks: int, points: int, macs: float | None) -> Choice:
    """The sampler for the next network.

    Args:
        networks: trained to the end by now.
        points: that samplers of single points were told by now.
        macs: multiply-accumulates of a training, for each sample; None where that is not known.
    """
    cheap = macs is not None and macs < _CHEAP_MACS
    cost = "unknown" if macs is None else f"{macs:.1e} multiply-accumulates a sample"
    facts = f"{objectives} objectives, {networks} networks known, a training costs {cost}"
    limit = _MODEL_CHEAP_NETWORKS if cheap else _MODEL_NETWORKS
    if objectives <= _MODEL_OBJECTIVES and networks < limit:
        return Choice("gp", facts)
    return Choice("tpe" if points < _TPE_POINTS else "nsga3", facts)


def training_macs(space: SearchSpace) -> float | None:
    """Multiply-accumulates of a training of the middle network, forward and backward, per sample; None where
    there is no such network."""
    assignment: dict[str, Any] = {}
    for parameter in space.parameters:
        if space.active(parameter, assignment):
            assignment[parameter.path] = parameter.from_unit(0.5)
    candidate = space.candidate(assignment)
    try:
        geometry = geometry_for(candidate.workload, candidate.network)
    except InputError:
        return None
    step = sum(layer.macs for layer in geometry.synaptic)
    return 3.0 * step * geometry.timesteps * candidate.training.epochs
