"""Ranges of converters from training samples: one run with exact read-out serves all levels and rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aster_dse.activity.record import CALIBRATION_SAMPLES
from aster_dse.errors import InputError
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.network.synapses import synaptic_modules
from aster_dse.numerics.arrays import LayerArrays, NetworkArrays
from aster_dse.numerics.cells import Chip, off_level
from aster_dse.numerics.column_sums import ExactInputs, Inputs, histogram_of_inputs
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.network import array_network
from aster_dse.numerics.ranges import ONE, multipliers
from aster_dse.numerics.weights import FoldedWeights, fold, quantise
from aster_dse.training import TrainedNetwork
from aster_dse.training.trained import Feed
from aster_dse.workload import Split, Workload

__all__ = [
    "Calibration",
    "array_layers",
    "calibrate",
    "check_sample_count",
    "check_samples",
    "folded_layers",
    "layer_multipliers",
    "sample_index",
]

Ints = NDArray[np.int64]

_BATCH = 64
FEWEST = 2 * CALIBRATION_SAMPLES
"""Training samples from which two neighbouring calibration sets have at most one in common, the first."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """Column sums of a network on training samples."""

    histograms: tuple[Ints, ...]
    """By layer, ``[slices, sums]``: how often each column sum occurred in a (window, tile) with a spike."""
    fine: tuple[int, ...]
    """Fractional bits of each layer's sums."""

    def of(self, layer: int) -> tuple[Ints, int]:
        """Histograms and fractional bits of a layer."""
        return self.histograms[layer], self.fine[layer]


def sample_index(samples: int, number: int) -> NDArray[np.int64]:
    """The training samples of a calibration set: ``(round(i (n - 1) / 255) + k) mod n``, i = 0 .. 255."""
    spread = np.linspace(0, samples - 1, CALIBRATION_SAMPLES).round().astype(np.int64)
    return np.asarray((spread + number) % samples)


def check_samples(workload: Workload) -> None:
    """Make sure that selection and verification can use samples of their own.

    Raises:
        InputError: too few training samples.
    """
    check_sample_count(len(workload.train))


def check_sample_count(found: int) -> None:
    """:func:`check_samples` by their number alone.

    Raises:
        InputError: too few training samples.
    """
    if found < FEWEST:
        raise InputError(
            "hardware.arrays",
            f"two calibration sets of {CALIBRATION_SAMPLES} training samples are needed; there are {found}",
            f"give at least {FEWEST} training samples, or take `arrays: ideal`",
        )


def folded_layers(trained: TrainedNetwork, workload: Workload) -> tuple[FoldedWeights, ...]:
    """Weights with batch norm folded in, of all layers in the order of ``geometry.synaptic``."""
    geometry = trained.geometry
    found = []
    synapses = [synapse for module in synaptic_modules(trained.model) for synapse in module.synapses]
    for synapse, layer in zip(synapses, geometry.synaptic, strict=True):
        reads_input = layer.input_lif is None
        found.append(fold(synapse, workload if reads_input else None, size=(layer.height, layer.width)))
    return tuple(found)


def array_layers(
    geometry: NetworkGeometry,
    folded: Sequence[FoldedWeights],
    arrays: NetworkArrays,
    chip: Chip,
    calibration: Calibration | None,
    *,
    event_gating: bool = True,
) -> tuple[ArrayLayer, ...]:
    """All layers on their arrays.

    Args:
        calibration: None for arrays whose ranges need none.
    """
    found = []
    for number, (layer, weights, own) in enumerate(
        zip(geometry.synaptic, folded, arrays.layers, strict=True)
    ):
        found.append(
            ArrayLayer(
                layer=layer,
                number=number,
                arrays=own,
                weights=quantise(weights, own.weight_bits),
                multipliers=layer_multipliers(
                    own, chip, *(calibration.of(number) if calibration else (None, 0))
                ),
                chip=chip,
                event_gating=event_gating,
            )
        )
    return tuple(found)


def layer_multipliers(arrays: LayerArrays, chip: Chip, histograms: Ints | None, fine: int = 0) -> list[int]:
    """``m`` of each slice of a layer.

    Args:
        histograms: of its column sums in calibration, ``[slices, sums]``, with ``fine`` fractional bits; None
            for ranges that need none. That of ``worst`` is the same with and without them: whether other
            layers are calibrated must not change a layer.
    """
    if arrays.compute == "digital" or arrays.adc_range in ("exact", "unit"):
        return [ONE] * arrays.slices
    off = off_level(arrays, chip.conditions)
    if arrays.adc_range == "worst":
        return multipliers(np.ones((arrays.slices, 2), dtype=np.int64), arrays, off_level=off)
    if histograms is None:
        raise ValueError(f"a range by {arrays.adc_range} needs a calibration")
    return multipliers(histograms, arrays, off_level=off, fine=fine)


class _Sums:
    """Adds up the column sums of every layer over batches.

    Args:
        kept: takes what the layers read.
    """

    def __init__(self, kept: ExactInputs | None) -> None:
        self.histograms: dict[int, Tensor] = {}
        self._kept = kept

    def counts(self, layer: ArrayLayer, counts: Tensor) -> None:
        pass

    def inputs(self, layer: ArrayLayer, inputs: Inputs) -> None:
        self.add(layer, inputs)
        if self._kept is not None:
            self._kept.keep(layer.number, inputs)

    def add(self, layer: ArrayLayer, inputs: Inputs) -> None:
        histogram, known = histogram_of_inputs(inputs, layer), self.histograms.get(layer.number)
        if known is not None:
            length = max(known.shape[1], histogram.shape[1])
            histogram = _longer(known, length) + _longer(histogram, length)
        self.histograms[layer.number] = histogram


def _longer(histogram: Tensor, length: int) -> Tensor:
    return torch.nn.functional.pad(histogram, (0, length - histogram.shape[1]))


@torch.no_grad()
def calibrate(
    trained: TrainedNetwork,
    workload: Workload,
    folded: Sequence[FoldedWeights],
    arrays: NetworkArrays,
    chip: Chip,
    kept: ExactInputs | None = None,
) -> Calibration:
    """Run the network with quantised weights and exact read-out, no block skipped, on a calibration set.

    Ranges come from nominal cells, those that are off included; one set of ranges serves all skip sets.

    Args:
        kept: what the layers read in a run on arrays that differ in their rows alone, which is the same; else
            it takes what they read now.
    """
    exact = array_layers(trained.geometry, folded, arrays.exact(), chip, None)
    if kept is not None and kept.complete:
        sums = _Sums(None)
        for number, inputs in kept:
            sums.add(exact[number], inputs)
    else:
        sums = _Sums(kept)
        _run(trained, workload, exact, arrays.calibration_set, sums)
        if kept is not None:
            kept.finish()
    return Calibration(
        tuple(_trimmed(sums.histograms[layer.number].cpu().numpy()) for layer in exact),
        tuple(layer.calibration_fine for layer in exact),
    )


def _run(
    trained: TrainedNetwork, workload: Workload, exact: Sequence[ArrayLayer], number: int, sums: _Sums
) -> None:
    """Run the network over a calibration set."""
    network, modules = array_network(trained.model, exact, workload)
    for module in modules:
        module.observer = sums
    index = sample_index(len(workload.train), number)
    split = Split(workload.train.frames[np.sort(index)], workload.train.labels[np.sort(index)])
    feed = Feed(split, workload, next(trained.model.parameters()).device)
    for start in range(0, len(feed), _BATCH):
        network(feed.frames(slice(start, start + _BATCH)))


def _trimmed(histogram: Ints) -> Ints:
    seen = np.flatnonzero(histogram.any(axis=0))
    return np.ascontiguousarray(histogram[:, : int(seen[-1]) + 1 if len(seen) else 1])
