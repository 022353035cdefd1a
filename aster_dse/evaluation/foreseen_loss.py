"""The accuracy that a network is expected to lose on arrays, from what they add to its layers' outputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from aster_dse.evaluation.array_classes import NUMERICS_KNOBS, KnownArrays, layer_arrays
from aster_dse.evaluation.layer_vectors import OptionErrors
from aster_dse.hardware import Accelerator
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.numerics.arrays import NetworkArrays
from aster_dse.numerics.foreseen import ForeseenErrors
from aster_dse.space import LayerRanges

__all__ = ["ForeseenLosses"]

Array = NDArray[np.float64]

_RATE = 0.014
"""Share of the accuracy above chance that a summed squared error of 1 costs: 0.8 to 2.5 % in three networks
of the default search (336 classes of arrays), before any class of the network itself has been run."""
_TRUST = 0.5
"""Summed squared error that this rate counts for."""
_LUCK = (-0.01, 0.0, 0.01)
"""Spikes at the threshold flip, which moves the accuracy of any class by 0.4 to 1.0 points (standard
deviation)."""
_LUCK_OF_PROBED = (-0.003, 0.0, 0.003)
"""A probe leaves the luck of the samples that it does not look at."""
_MOST = 4.0
"""Summed squared error up to which a class says how fast accuracy falls."""


class ForeseenLosses:
    """Expected losses of one network under some policies; each class that is run says more of them.

    Args:
        errors: of the network.
        accuracy: ``[K]`` of the plain network under each policy.
    """

    def __init__(self, errors: ForeseenErrors, geometry: NetworkGeometry, accuracy: Array) -> None:
        self.known_arrays = KnownArrays(geometry)
        self._errors, self._geometry = errors, geometry
        self._above_chance = np.maximum(accuracy - 1.0 / geometry.classes, 0.0)
        self._weight = _TRUST
        self._cost = np.full(len(accuracy), _TRUST * _RATE)
        self._probed: dict[NetworkArrays, Array] = {}

    def of(self, arrays: NetworkArrays) -> Array:
        """``[K]`` what the network is expected to lose on these arrays under each policy."""
        if arrays in self._probed:
            return self._probed[arrays]
        return np.asarray(self._above_chance * -np.expm1(-self.error(arrays) * self._cost / self._weight))

    def of_designs(self, accelerators: Sequence[Accelerator]) -> Array:
        """``[designs]`` under the most accurate policy."""
        return np.array([self.of(self.known_arrays.of(a))[self._best] for a in accelerators])

    def of_options(self, chip: Accelerator, ranges: LayerRanges) -> OptionErrors | None:
        """Errors of what layers of this accelerator can be, and what they cost under the most accurate
        policy; None where all of them compute alike."""
        searched = {name for family in ranges.families for name, values in family.knobs if len(values) > 1}
        if searched.isdisjoint(NUMERICS_KNOBS):
            return None
        views = chip.of_layers([layer.name for layer in self._geometry.synaptic])

        def of_layer(number: int, view: Accelerator) -> float:
            return self._errors.of_layer(number, layer_arrays(view))

        def of_option(place: int, number: int) -> float:
            slot = ranges.slots[place]
            option = ranges.families[slot.family].options[number]
            return math.fsum(of_layer(n, replace(views[n], **option)) for n in slot.layers)

        def loss(errors: Array) -> Array:
            rate = self._cost[self._best] / self._weight
            return np.asarray(self._above_chance[self._best] * -np.expm1(-errors * rate))

        inside = {number for slot in ranges.slots for number in slot.layers}
        rest = math.fsum(of_layer(n, view) for n, view in enumerate(views) if n not in inside)
        return OptionErrors(of_option, rest, loss)

    @property
    def _best(self) -> int:
        """The most accurate policy."""
        return int(np.argmax(self._above_chance))

    def error(self, arrays: NetworkArrays) -> float:
        """Squared errors of the layers' outputs, summed over the layers."""
        return math.fsum(self._errors.of_network(arrays))

    def luck(self, arrays: NetworkArrays) -> tuple[float, ...]:
        """Accuracies by which a class may do better than that, or worse."""
        return _LUCK_OF_PROBED if arrays in self._probed else _LUCK

    def probed(self, arrays: NetworkArrays, loss: Array) -> None:
        """What a probe found, ``[K]``."""
        self._probed[arrays] = loss

    def observe(self, arrays: NetworkArrays, accuracy: Array) -> None:
        """Learn from a class that was run.

        Args:
            accuracy: ``[K]`` on its arrays under each policy.
        """
        error = self.error(arrays)
        if error <= 0.0:
            return
        left = (accuracy - 1.0 / self._geometry.classes) / np.maximum(self._above_chance, 1e-12)
        scale = min(error, _MOST) / error
        self._weight += error * scale
        self._cost = np.maximum(self._cost - np.log(np.clip(left, 0.05, 1.1)) * scale, 0.0)
