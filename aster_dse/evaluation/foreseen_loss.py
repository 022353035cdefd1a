"""The accuracy that a network is expected to lose on arrays, from what they add to its layers' outputs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aster_dse.evaluation.array_classes import arrays_of
from aster_dse.hardware import Accelerator
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.numerics.arrays import NetworkArrays
from aster_dse.numerics.foreseen import ForeseenErrors

__all__ = ["ForeseenLosses"]

Array = NDArray[np.float64]

_RATE = 0.014
"""Share of the accuracy above chance that a summed squared error of 1 costs: 0.8 to 2.5 % in three networks
of the default search (336 classes of arrays), before any class of the network itself has been run."""
_TRUST = 0.5
"""Summed squared error that this rate counts for."""
_MOST = 4.0
"""Summed squared error up to which a class says how fast accuracy falls."""


class ForeseenLosses:
    """Expected losses of one network under some policies; each class that is run says more of them.

    Args:
        errors: of the network.
        accuracy: ``[K]`` of the plain network under each policy.
    """

    def __init__(self, errors: ForeseenErrors, geometry: NetworkGeometry, accuracy: Array) -> None:
        self._errors, self._geometry = errors, geometry
        self._above_chance = np.maximum(accuracy - 1.0 / geometry.classes, 0.0)
        self._weight = _TRUST
        self._cost = np.full(len(accuracy), _TRUST * _RATE)

    def of(self, arrays: NetworkArrays) -> Array:
        """``[K]`` what the network is expected to lose on these arrays under each policy."""
        return np.asarray(self._above_chance * -np.expm1(-self.error(arrays) * self._cost / self._weight))

    def of_designs(self, accelerators: Sequence[Accelerator]) -> Array:
        """``[designs]`` under the most accurate policy."""
        best = int(np.argmax(self._above_chance))
        return np.array([self.of(arrays_of(a, self._geometry))[best] for a in accelerators])

    def error(self, arrays: NetworkArrays) -> float:
        """Squared errors of the layers' outputs, summed over the layers."""
        return math.fsum(self._errors.of_network(arrays))

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
