"""Weights as cells hold them: batch norm folded in, quantised, cut into slices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aster_dse.network.synapses import Synapse
from aster_dse.numerics.arrays import LayerArrays
from aster_dse.workload import Workload

__all__ = ["FoldedWeights", "QuantisedWeights", "TrainedNorm", "cell_levels", "fold", "quantise"]

Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class TrainedNorm:
    """What a batch norm was trained to make of a layer's outputs; each ``[outputs]``."""

    deviation: Doubles
    """``|gamma|``, their standard deviation."""
    mean: Doubles
    """``beta``"""
    least_variance: Doubles
    """``eps g^2``, which is added to the variance."""


@dataclass(frozen=True, eq=False)
class FoldedWeights:
    """A layer's weights with the batch norm after it, and the input's normalisation before it, folded in."""

    weight: Doubles
    """``[outputs, fan-in]``, fan-in ordered (channel, kernel row, kernel column); per unit of an input."""
    bias: Doubles
    """``[outputs]``, or ``[H * W, outputs]`` where the mean of normalised images is taken off."""
    norm: TrainedNorm | None = None
    """None where none follows."""


@dataclass(frozen=True, eq=False)
class QuantisedWeights:
    """Integers of a layer."""

    q: Ints
    """``[outputs, fan-in]``"""
    step: float
    """Weight of one."""
    bias: NDArray[np.float32]
    """As of :class:`FoldedWeights`; added digitally."""


def fold(
    synapse: Synapse, workload: Workload | None = None, *, size: tuple[int, int] = (1, 1)
) -> FoldedWeights:
    """``W'[o] = W[o] g[o]``, ``g = gamma / sqrt(var + eps)``, ``bias' = beta + (bias - mean) g``, in float64.

    Args:
        workload: of a layer that reads the network's input: its bytes are scaled and normalised there.
            Padding is silent, since images are padded after they are normalised.
        size: height and width of that layer's maps.
    """
    weight, bias, norm = _normed(synapse)
    if workload is None:
        return FoldedWeights(weight, bias, norm)
    channels = synapse.in_channels
    taps = weight.shape[1] // channels
    scale = np.full(channels, float(workload.scale))
    if workload.std:
        scale = scale / np.asarray(workload.std, dtype=np.float64)
    if workload.mean:
        silent = np.asarray(workload.mean, dtype=np.float64) / np.asarray(workload.std, dtype=np.float64)
        bias = bias - _border(weight.reshape(-1, channels, taps), silent, size)
    return FoldedWeights(weight * np.repeat(scale, taps), bias, norm)


def _normed(synapse: Synapse) -> tuple[Doubles, Doubles, TrainedNorm | None]:
    weight = synapse.weight.detach().cpu().double().flatten(1).numpy()
    bias = np.zeros(len(weight)) if synapse.bias is None else synapse.bias.detach().cpu().double().numpy()
    norm = synapse.norm
    if norm is None:
        return weight, bias, None
    part = synapse.outputs
    gamma, beta, mean, variance = (
        values.detach().cpu().double().numpy()[part]
        for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    )
    gain = gamma / np.sqrt(variance + norm.eps)
    trained = TrainedNorm(np.abs(gamma), beta, norm.eps * gain**2)
    return weight * gain[:, None], beta + (bias - mean) * gain, trained


def _border(weight: Doubles, silent: Doubles, size: tuple[int, int]) -> Doubles:
    """``[H * W, outputs]`` what the means add up to under the taps that lie inside the map."""
    height, width = size
    kernel = round(weight.shape[2] ** 0.5)
    reach = kernel // 2
    by_tap = np.einsum("oct,c->to", weight, silent).reshape(kernel, kernel, -1)
    total = np.zeros((height, width, weight.shape[0]))
    for y in range(kernel):
        for x in range(kernel):
            rows = slice(max(reach - y, 0), height - max(y - reach, 0))
            columns = slice(max(reach - x, 0), width - max(x - reach, 0))
            total[rows, columns] += by_tap[y, x]
    return total.reshape(height * width, -1)


def quantise(folded: FoldedWeights, weight_bits: int) -> QuantisedWeights:
    """Symmetric, one scale a layer, rounded half to even; an all-zero layer has step 1."""
    largest = float(np.abs(folded.weight).max(initial=0.0))
    step = largest / ((1 << (weight_bits - 1)) - 1) if largest > 0.0 else 1.0
    q = np.rint(folded.weight / step).astype(np.int32)
    return QuantisedWeights(q, step, folded.bias.astype(np.float32))


def cell_levels(q: Ints, arrays: LayerArrays) -> Ints:
    """Levels of the cells, ``[slices, sides, outputs, fan-in]``: plus and minus side of a pair, or one side.

    Slice ``s`` holds ``(q >> c s) and (2^c - 1)`` of the magnitude on its side, or of ``q + 2^(w-1)``.
    """
    sides = q[None] + arrays.offset if arrays.offset else np.stack([np.maximum(q, 0), np.maximum(-q, 0)])
    shifts = arrays.cell_bits * np.arange(arrays.slices)
    return np.asarray((sides[None] >> shifts[:, None, None, None]) & arrays.full_cell, dtype=np.int32)
