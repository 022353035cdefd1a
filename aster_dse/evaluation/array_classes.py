"""Which numerics class an accelerator belongs to: what its arrays do to a network, and nothing else of it."""

from __future__ import annotations

from dataclasses import dataclass

from aster_dse.activity import ActivityTrace
from aster_dse.hardware import Accelerator
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.numerics.arrays import LayerArrays, NetworkArrays
from aster_dse.numerics.network_passes import NetworkPasses
from aster_dse.space import HARDWARE_KNOBS
from aster_dse.space.cell_conditions import CellConditions

__all__ = ["NUMERICS_KNOBS", "Computes", "arrays_of", "computes"]

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


@dataclass(frozen=True)
class Computes:
    """All of an accelerator that changes what it computes; equal for those that share their passes."""

    arrays: NetworkArrays
    conditions: CellConditions
    chips: int
    event_gating: bool
    """True where it makes no difference."""
    calibration_set: int

    def traces(self, passes: NetworkPasses, first_chip: int | None = None) -> list[ActivityTrace]:
        """The trace of the network on each chip.

        Args:
            first_chip: number of the first; None for those that the calibration set goes with: from 0 for
                set 0, and for others those that follow the chips of the sets before.

        Raises:
            PassError: a pass could not be made.
        """
        start = self.calibration_set * self.chips if first_chip is None else first_chip
        numbers = range(start, start + self.chips)
        return passes.under(self.conditions).traces(self.arrays, numbers, event_gating=self.event_gating)


def computes(accelerator: Accelerator, geometry: NetworkGeometry, calibration_set: int) -> Computes:
    """What an accelerator computes with ranges from a calibration set."""
    return Computes(
        arrays_of(accelerator, geometry, calibration_set),
        accelerator.conditions,
        accelerator.chips,
        accelerator.event_gating or not accelerator.conditions.read_noise,
        calibration_set,
    )
