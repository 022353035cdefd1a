"""What converters, quantised weights and conditions of the cells are expected to add to a layer's outputs.

A few samples run once through the network with exact read-out, and the events that every layer reads are
kept. For any arrays the column sums of those events say what their converters would miss. That is a
fraction of a pass for all arrays together; it orders what is worth a pass and decides nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from aster_dse.numerics.arrays import LayerArrays, NetworkArrays
from aster_dse.numerics.calibration import array_layers, sample_index
from aster_dse.numerics.cells import Chip, off_level
from aster_dse.numerics.column_sums import Inputs, histogram_of_inputs
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.network import array_network
from aster_dse.numerics.ranges import ONE, codes, multipliers
from aster_dse.numerics.weights import FoldedWeights, quantise
from aster_dse.training import TrainedNetwork
from aster_dse.training.trained import Feed
from aster_dse.workload import Split, Workload

__all__ = ["ForeseenErrors"]

_SAMPLES = 8
"""Training samples looked at: they order classes, and a pass decides."""


class ForeseenErrors:
    """Expected errors of the layers of a network, for any arrays.

    Args:
        samples: training samples to look at.
    """

    @torch.no_grad()
    def __init__(
        self,
        trained: TrainedNetwork,
        workload: Workload,
        folded: Sequence[FoldedWeights],
        chip: Chip,
        *,
        samples: int = _SAMPLES,
    ) -> None:
        self._geometry, self._folded, self._chip = trained.geometry, tuple(folded), chip
        self._inputs: dict[int, Inputs] = {}
        self._counts: dict[int, Tensor] = {}
        self._errors: dict[tuple[int, LayerArrays], float] = {}
        self._histograms: dict[tuple[int, LayerArrays], np.ndarray] = {}
        exact = NetworkArrays.uniform(len(folded), LayerArrays()).exact()
        layers = array_layers(trained.geometry, folded, exact, chip, None)
        network, modules = array_network(trained.model, layers, workload)
        for module in modules:
            module.observer = self
        index = np.unique(sample_index(len(workload.train), 0)[:: max(256 // samples, 1)])
        split = Split(workload.train.frames[index], workload.train.labels[index])
        network(Feed(split, workload, next(trained.model.parameters()).device).frames(slice(None)))

    # --- what the network reports while it runs

    def counts(self, layer: ArrayLayer, counts: Tensor) -> None:
        self._counts[layer.number] = counts

    def inputs(self, layer: ArrayLayer, inputs: Inputs) -> None:
        self._inputs[layer.number] = inputs

    # --- what is asked for

    def of_layer(self, number: int, arrays: LayerArrays) -> float:
        """Mean squared error of an output of a layer in one window, in units of the membrane potential."""
        key = (number, arrays.canonical())
        if key not in self._errors:
            self._errors[key] = self._error(number, key[1])
        return self._errors[key]

    def of_network(self, arrays: NetworkArrays) -> tuple[float, ...]:
        """:meth:`of_layer` of every layer."""
        return tuple(self.of_layer(number, own) for number, own in enumerate(arrays.layers))

    def layers(self, arrays: NetworkArrays) -> tuple[ArrayLayer, ...]:
        """All layers on nominal arrays whose ranges come from the few samples looked at."""
        found = []
        for number, own in enumerate(arrays.layers):
            weights = quantise(self._folded[number], own.weight_bits)
            layer = self._geometry.synaptic[number]
            ready = ArrayLayer(layer, number, own, weights, [ONE] * own.slices, self._chip)
            found.append(replace(ready, multipliers=self._multipliers(ready)))
        return tuple(found)

    def _multipliers(self, ready: ArrayLayer) -> list[int]:
        if ready.exact:
            return [ONE] * ready.arrays.slices
        off = off_level(ready.arrays, self._chip.conditions)
        return multipliers(self._sums(ready), ready.arrays, off_level=off, fine=ready.calibration_fine)

    def _error(self, number: int, arrays: LayerArrays) -> float:
        weights = quantise(self._folded[number], arrays.weight_bits)
        layer = self._geometry.synaptic[number]
        ready = ArrayLayer(layer, number, arrays, weights, [ONE] * arrays.slices, self._chip)
        seen = self._counts[number].sum(0).double()
        windows = len(self._counts[number]) * layer.windows * layer.input_bits
        rows = float(seen[0]) / windows
        missed = self._folded[number].weight - weights.step * weights.q
        error = rows * float((missed * missed).mean())
        if arrays.compute == "digital":
            return error
        if arrays.adc_range != "exact":
            error += self._conversion(ready) / (windows * layer.out_channels)
        return error + self._of_cells(ready, rows)

    def _conversion(self, ready: ArrayLayer) -> float:
        """Summed squares of what converters miss, over all conversions with a spike."""
        histograms = self._sums(ready)
        fine, arrays = ready.calibration_fine, ready.arrays
        total = 0.0
        found = self._multipliers(ready)
        noise = self._chip.conditions.read_noise**2
        for place, (row, m) in enumerate(zip(histograms, found, strict=True)):
            sums = np.flatnonzero(row)
            read = codes(sums, m, arrays.adc_levels, fine, down=arrays.rounds_down) * (ONE / m)
            squares = (sums / (1 << fine) - read) ** 2 + noise * (ONE / m) ** 2
            total += 4.0 ** (arrays.cell_bits * place) * float(row[sums] @ squares)
        return ready.weights.step**2 * total

    def _sums(self, ready: ArrayLayer) -> np.ndarray:
        key = (ready.number, ready.arrays.exact())
        if key not in self._histograms:
            self._histograms[key] = histogram_of_inputs(self._inputs[ready.number], ready).cpu().numpy()
        return self._histograms[key]

    def _of_cells(self, ready: ArrayLayer, rows: float) -> float:
        """What variation, stuck cells and drift add, for a mean number of driven rows."""
        conditions = self._chip.conditions
        if conditions.ideal:
            return 0.0
        level = ready.levels.astype(np.float64)
        full = float(ready.arrays.full_cell)
        relative = level if conditions.variation_of == "level" else np.full_like(level, full)
        squares = (conditions.variation * relative) ** 2
        squares += conditions.stuck_on * (full - level) ** 2 + conditions.stuck_off * level**2
        places = 4.0 ** (ready.arrays.cell_bits * np.arange(len(level)))
        by_slice = squares.sum(axis=1).mean(axis=(1, 2))
        error = rows * ready.weights.step**2 * float(places @ by_slice)
        drifted = 0.0 if conditions.drift_correction else conditions.drift - 1.0
        return error + rows * drifted**2 * float((self._folded[ready.number].weight ** 2).mean())
