"""Which numerics class an accelerator belongs to: what its arrays do to a network, and nothing else of it."""

from __future__ import annotations

from aster_dse.hardware import Accelerator
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.numerics.arrays import LayerArrays, NetworkArrays
from aster_dse.space import HARDWARE_KNOBS

__all__ = ["NUMERICS_KNOBS", "arrays_of"]

NUMERICS_KNOBS = tuple(name for name, knob in HARDWARE_KNOBS.items() if knob.numerics and knob.per_layer)
"""Knobs of a layer's arrays that change what they compute."""


def arrays_of(accelerator: Accelerator, geometry: NetworkGeometry, calibration_set: int = 0) -> NetworkArrays:
    """What the accelerator's arrays do, layer by layer; equal for accelerators that compute alike."""
    views = accelerator.of_layers([layer.name for layer in geometry.synaptic])
    known = {
        id(view): LayerArrays(**{name: getattr(view, name) for name in NUMERICS_KNOBS}).canonical()
        for view in {id(view): view for view in views}.values()
    }
    return NetworkArrays(tuple(known[id(view)] for view in views), calibration_set).canonical()
