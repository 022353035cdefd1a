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

_RATE = 0.014
"""Share of the accuracy above chance that a summed squared error of 1 costs: 0.8 to 2.5 % in three networks
of the default search (336 classes of arrays), before any class of the network itself has been run."""
_TRUST = 1.0
"""Classes that this rate counts for."""
_LEAST = 0.05
"""Summed squared error below which a loss is luck and says nothing of the rate."""


class ForeseenLosses:
    """Expected losses of one network; each class that is run says more of it.

    Args:
        errors: of the network.
        accuracy: of the plain network.
    """

    def __init__(self, errors: ForeseenErrors, geometry: NetworkGeometry, accuracy: float) -> None:
        self._errors, self._geometry = errors, geometry
        self._above_chance = max(accuracy - 1.0 / geometry.classes, 0.0)
        self._observed: list[tuple[float, float]] = []

    def of(self, arrays: NetworkArrays) -> float:
        """What the network is expected to lose on these arrays."""
        return self._above_chance * -math.expm1(-self.rate * self.error(arrays))

    def of_designs(self, accelerators: Sequence[Accelerator]) -> NDArray[np.float64]:
        """``[designs]``"""
        return np.array([self.of(arrays_of(a, self._geometry)) for a in accelerators])

    def error(self, arrays: NetworkArrays) -> float:
        """Squared errors of the layers' outputs, summed over the layers."""
        return math.fsum(self._errors.of_network(arrays))

    @property
    def rate(self) -> float:
        """Loss for an error of 1, as far as it is small, over the accuracy above chance."""
        weight = _TRUST + math.fsum(error for error, _ in self._observed)
        return (_TRUST * _RATE + math.fsum(cost for _, cost in self._observed)) / weight

    def observe(self, arrays: NetworkArrays, loss: float) -> None:
        """Learn from a class that was run."""
        error = self.error(arrays)
        if error < _LEAST or self._above_chance <= 0.0:
            return
        share = min(max(loss / self._above_chance, 0.0), 0.99)
        self._observed.append((min(error, 4.0), -math.log1p(-share) * min(error, 4.0) / error))
