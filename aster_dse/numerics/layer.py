"""A layer with weights, ready to be computed by its arrays on one chip."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from aster_dse.network.geometry import SynapticLayer
from aster_dse.numerics.arrays import EXACT, LayerArrays
from aster_dse.numerics.cells import Chip, conductances, noise_table, off_level
from aster_dse.numerics.ranges import FINE, ONE
from aster_dse.numerics.weights import QuantisedWeights, cell_levels

__all__ = ["DIGITAL_BITS", "ArrayLayer"]

DIGITAL_BITS = 4
"""Bits of the parts in which the kernels sum a digital array's weights; their sum is whole again."""


@dataclass(frozen=True, eq=False)
class ArrayLayer:
    """Cells, read-out and digital side of one layer of the geometry."""

    layer: SynapticLayer
    number: int
    """In the order of ``geometry.synaptic``."""
    arrays: LayerArrays
    weights: QuantisedWeights
    multipliers: Sequence[int]
    """``m`` of each slice."""
    chip: Chip
    event_gating: bool = True
    """Whether silent tiles are left unread; it matters where reading is noisy."""
    gain: NDArray[np.float64] | None = None
    """``[outputs]`` factors on the sums where the norm was estimated anew, whose shift the bias then has."""

    @cached_property
    def fine(self) -> int:
        """Fractional bits of a cell: 0 where all conductances are whole levels."""
        ideal = self.exact or not (self.chip.varied or self.chip.conditions.on_off or self.noisy)
        return 0 if ideal else FINE

    @property
    def exact(self) -> bool:
        """Read without a converter, as digital arrays always are."""
        return self.arrays.adc_range == EXACT or self.arrays.compute == "digital"

    @property
    def content(self) -> Hashable:
        """Equal for layers of one network that compute the same, however their ranges were found."""
        arrays = self.arrays.canonical()
        ruled = replace(arrays, adc_range="unit", adc_range_per="slice")
        # Norms that were estimated anew are numbers of their own.
        own = None if self.gain is None else (self.gain.tobytes(), self.weights.bias.tobytes())
        reading = (self.exact, arrays.rounds_down, self.event_gating or not self.noisy)
        return (ruled, reading, tuple(self.multipliers), self.chip, own)

    @property
    def noisy(self) -> bool:
        """Something is added to a column's sum where it is read: noise, or what makes the code round down."""
        return not self.exact and (self.arrays.rounds_down or self.chip.conditions.read_noise > 0.0)

    @cached_property
    def noise(self) -> NDArray[np.int32]:
        """65,536 equally likely amounts that are added to ``x m`` of a :attr:`noisy` layer."""
        half = 1 << (14 + FINE) if self.arrays.rounds_down else 0
        return noise_table(self.chip.conditions, less=half)

    @cached_property
    def levels(self) -> NDArray[np.int32]:
        """``[slices, sides, outputs, fan-in]`` as written; a digital array's weights in parts of 4 bits."""
        if self.arrays.compute == "digital":
            return cell_levels(
                self.weights.q, LayerArrays(weight_bits=self.arrays.weight_bits, cell_bits=DIGITAL_BITS)
            )
        return cell_levels(self.weights.q, self.arrays)

    @cached_property
    def cells(self) -> NDArray[np.int64]:
        """``[slices, sides, outputs, fan-in]`` conductances of this chip, with ``fine`` fractional bits."""
        if not self.fine:
            return self.levels.astype(np.int64)
        return conductances(self.levels, self.arrays, self.number, self.chip)

    @cached_property
    def whole_weights(self) -> NDArray[np.int64]:
        """``[outputs, fan-in]`` quantised weights, which a digital array sums whole."""
        return self.weights.q.astype(np.int64)

    @cached_property
    def on_devices(self) -> dict[str, Tensor]:
        """Copies of cells on other devices, made by the reference."""
        return {}

    @cached_property
    def calibration_cells(self) -> NDArray[np.int64]:
        """Nominal conductances, with fractional bits where cells that are off conduct."""
        if not self.chip.conditions.on_off:
            return self.levels.astype(np.int64)
        return conductances(self.levels, self.arrays, self.number, self.chip, nominal=True)

    @property
    def calibration_fine(self) -> int:
        """Fractional bits of :attr:`calibration_cells`."""
        return FINE if self.chip.conditions.on_off else 0

    @cached_property
    def scales(self) -> NDArray[np.float32]:
        """``[slices, 1]`` what a digital sum of one is worth: ``step 2^(c s) 2^15 / m``, over the drift where
        that is corrected; ``[slices, outputs]`` where outputs have gains."""
        steps = [
            self.weights.step * 2.0 ** (self.arrays.cell_bits * s) * ONE / m / self.drifted
            for s, m in enumerate(self.multipliers)
        ]
        return self._of_outputs(steps)

    @cached_property
    def drifted(self) -> float:
        """Summed conductance of the chip's cells over what it was when they were programmed; 1 where nobody
        corrects the drift (Joshi et al., Nature Communications 11 (2020) 2473)."""
        conditions = self.chip.conditions
        if not (self.fine and conditions.drift_correction and conditions.drift != 1.0):
            return 1.0
        programmed = replace(self.chip, conditions=replace(conditions, drift=1.0))
        before = int(conductances(self.levels, self.arrays, self.number, programmed).sum())
        now = int(self.cells.sum())
        # Without any conductance there is nothing to measure.
        return now / before if now else 1.0

    @cached_property
    def row_offsets(self) -> NDArray[np.float32] | None:
        """``[2, 1]``, or ``[2, outputs]`` where outputs have gains: what each driven row takes off, the
        weights' offset, and what all its cells conduct when off."""
        if not self.arrays.offset:
            return None
        off = 0.0
        if self.fine:
            rounded = float(np.rint(off_level(self.arrays, self.chip.conditions) * (1 << FINE))) / (1 << FINE)
            places = sum(2.0 ** (self.arrays.cell_bits * s) for s in range(self.arrays.slices))
            off = self.weights.step * rounded * places
        return self._of_outputs([self.weights.step * self.arrays.offset, off])

    def _of_outputs(self, values: Sequence[float]) -> NDArray[np.float32]:
        column = np.array(values, dtype=np.float64)[:, None]
        return (column if self.gain is None else column * self.gain).astype(np.float32)

    @property
    def highest_code(self) -> int:
        """Of the converter."""
        return self.arrays.adc_levels - 1
