"""Which numerics class an accelerator belongs to: what its arrays do to a network, and nothing else of it."""

from __future__ import annotations

from aster_dse.hardware import Accelerator
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.numerics.arrays import LayerArrays, NetworkArrays
from aster_dse.space import HARDWARE_KNOBS

__all__ = ["NUMERICS_KNOBS", "KnownArrays", "arrays_of", "layer_arrays"]

NUMERICS_KNOBS = tuple(name for name, knob in HARDWARE_KNOBS.items() if knob.numerics and knob.per_layer)
"""Knobs of a layer's arrays that change what they compute."""


def layer_arrays(view: Accelerator) -> LayerArrays:
    """What the arrays of a layer do, which sees the accelerator like this."""
    return LayerArrays(**{name: getattr(view, name) for name in NUMERICS_KNOBS}).canonical()


def arrays_of(accelerator: Accelerator, geometry: NetworkGeometry, calibration_set: int = 0) -> NetworkArrays:
    """What the accelerator's arrays do, layer by layer; equal for accelerators that compute alike."""
    views = accelerator.of_layers([layer.name for layer in geometry.synaptic])
    known = {id(view): layer_arrays(view) for view in {id(view): view for view in views}.values()}
    return NetworkArrays(tuple(known[id(view)] for view in views), calibration_set).canonical()


class KnownArrays:
    """:func:`arrays_of` accelerators that are asked for more than once."""

    def __init__(self, geometry: NetworkGeometry) -> None:
        self._geometry = geometry
        self._known: dict[int, tuple[Accelerator, NetworkArrays]] = {}
        """By identity; the accelerators are held, so that none takes the identity of another."""

    def of(self, accelerator: Accelerator) -> NetworkArrays:
        """On calibration set 0."""
        if id(accelerator) not in self._known:
            self._known[id(accelerator)] = accelerator, arrays_of(accelerator, self._geometry)
        return self._known[id(accelerator)][1]
