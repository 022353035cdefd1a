"""Batch norms whose statistics are estimated anew on a chip.

Calibration samples run through the chip. Each layer's outputs are brought to the mean and the deviation
that its norm was trained to give, as adaptive batch normalisation does between domains (Li et al., Pattern
Recognition 80 (2018) 109), before later layers see them. What is left on the chip is a gain and a shift of
each output, applied digitally.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aster_dse.network.geometry import NetworkGeometry
from aster_dse.numerics.calibration import sample_index
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.network import array_network
from aster_dse.numerics.weights import FoldedWeights, TrainedNorm
from aster_dse.training import TrainedNetwork
from aster_dse.training.trained import Feed
from aster_dse.workload import Split, Workload

__all__ = ["reestimated"]

Doubles = NDArray[np.float64]

_VALUES = 1 << 26
"""Outputs of a layer that are looked at at once; large networks use fewer samples."""
_BITS = 18
"""Of an output, so that the sums over all of them are exact."""


@torch.no_grad()
def reestimated(
    trained: TrainedNetwork,
    workload: Workload,
    folded: Sequence[FoldedWeights],
    layers: Sequence[ArrayLayer],
    calibration_set: int,
) -> tuple[ArrayLayer, ...]:
    """The same layers with the norms of this chip; those that no norm follows stay as they are.

    No block is skipped: one estimate serves all skip sets.
    """
    network, modules = array_network(trained.model, layers, workload)
    norms = _Norms(folded)
    for module in modules:
        module.adjust = norms
    index = np.sort(sample_index(len(workload.train), calibration_set))
    index = index[:: math.ceil(len(index) / max(_VALUES // _largest(trained.geometry), 1))]
    split = Split(workload.train.frames[index], workload.train.labels[index])
    network(Feed(split, workload, next(trained.model.parameters()).device).frames(slice(None)))
    return tuple(norms.layers.get(layer.number, layer) for layer in layers)


def _largest(geometry: NetworkGeometry) -> int:
    """Outputs of a layer for one sample, at most."""
    return max(layer.windows * layer.out_channels for layer in geometry.synaptic) * geometry.timesteps


class _Norms:
    """Brings outputs to what the norms were trained to give, and keeps what that takes."""

    def __init__(self, folded: Sequence[FoldedWeights]) -> None:
        self.layers: dict[int, ArrayLayer] = {}
        self._folded = folded

    def __call__(self, layers: Sequence[ArrayLayer], outputs: Tensor) -> None:
        at = 0
        for layer in layers:
            part = outputs[..., at : at + layer.layer.out_channels]
            at += layer.layer.out_channels
            norm = self._folded[layer.number].norm
            if norm is None:
                continue
            gain, shift = _correction(part.flatten(0, -2), norm)
            bias = self._folded[layer.number].bias * gain + shift
            weights = replace(layer.weights, bias=bias.astype(np.float32))
            self.layers[layer.number] = replace(layer, weights=weights, gain=gain)
            part.mul_(torch.from_numpy(gain).to(part)).add_(torch.from_numpy(shift).to(part))


def _correction(values: Tensor, norm: TrainedNorm) -> tuple[Doubles, Doubles]:
    """Gain and shift that bring outputs ``[n, outputs]`` to the trained deviation and mean."""
    mean, variance = _moments(values)
    gain = norm.deviation / np.sqrt(variance + norm.least_variance)
    # An output that never changes says nothing of its norm.
    changes = variance > 0.0
    return np.where(changes, gain, 1.0), np.where(changes, norm.mean - mean * gain, 0.0)


def _moments(values: Tensor) -> tuple[Doubles, Doubles]:
    """Mean and variance of each column, the same on every machine: of whole numbers, summed exactly."""
    largest = float(values.abs().max())
    shift = _BITS - math.frexp(largest)[1]
    whole = (values.double() * 2.0**shift).round().long()
    count, sums = len(whole), whole.sum(0).tolist()
    squares = (whole * whole).sum(0).tolist()
    mean = np.array([total / count for total in sums])
    variance = np.array([(count * q - s * s) / count**2 for s, q in zip(sums, squares, strict=True)])
    return mean * 2.0**-shift, variance * 4.0**-shift
