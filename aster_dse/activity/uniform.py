"""Expected activity of a network that nobody has trained: independent spikes of one firing rate."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from aster_dse.activity.inference import InferenceActivity
from aster_dse.network.geometry import NetworkGeometry, SynapticLayer
from aster_dse.space import ROW_SIZES

__all__ = ["uniform_activity"]

Array = NDArray[np.float64]


def uniform_activity(
    geometry: NetworkGeometry,
    firing_rate: float,
    steps: float | None = None,
    *,
    input_rate: float | None = None,
) -> InferenceActivity:
    """Expected counts where each LIF neuron fires with probability ``firing_rate`` per step, independently.

    Products of spikes (k AND v, q AND kv) fire at the squared rate; max-pooled maps fire where any pixel
    under the pool does. Padding is silent. Nothing is skipped.

    Args:
        steps: executed time steps; None for all of the network's.
        input_rate: probability that an input bit is set; None for ``firing_rate``.

    Returns:
        One policy (K = 1).

    Raises:
        ValueError: a rate outside [0, 1] or negative steps.
    """
    steps = float(geometry.timesteps if steps is None else steps)
    entry = firing_rate if input_rate is None else input_rate
    if not (0.0 <= firing_rate <= 1.0 and 0.0 <= entry <= 1.0):
        raise ValueError(f"rates must lie in [0, 1], got {firing_rate} and {entry}")
    if not (math.isfinite(steps) and steps >= 0.0):
        raise ValueError(f"steps must be finite and not negative, got {steps}")
    sizes = {neuron.name: neuron.neurons for neuron in geometry.neurons}
    rates = {neuron.name: firing_rate if neuron.stateful else firing_rate**2 for neuron in geometry.neurons}
    layers = len(geometry.synaptic)
    driven, windows, accesses = np.zeros(layers), np.zeros(layers), np.zeros((layers, len(ROW_SIZES)))
    for i, layer in enumerate(geometry.synaptic):
        rate, size = entry, layer.height
        if layer.input_lif is not None:
            rate = rates[layer.input_lif]
            size = math.isqrt(sizes[layer.input_lif] // layer.in_channels)
        driven[i], windows[i], accesses[i] = _layer_counts(layer, rate, size)
        for array in (driven, windows, accesses):
            array[i] *= layer.input_bits * steps
    spikes = np.array([sizes[n.name] * rates[n.name] for n in geometry.neurons]) * steps
    return InferenceActivity(
        steps=np.array([steps]),
        attention_runs=np.ones((1, geometry.depth)),
        driven_rows=driven[None],
        active_windows=windows[None],
        active_accesses=accesses[None],
        spikes=spikes[None],
        exits_early=np.array([steps != round(steps)]),
    )


def _layer_counts(layer: SynapticLayer, rate: float, source: int) -> tuple[float, float, Array]:
    """Driven rows, active windows and active accesses by array height, of one step and bit plane.

    Args:
        source: height and width of the spike map that the LIF emits; larger than the layer's where a 3x3
            stride-2 max-pool lies between.
    """
    patterns = _patterns(layer.kernel_size, layer.height, source)
    driven = windows = 0.0
    accesses = np.zeros(len(ROW_SIZES))
    for rows, row_count in patterns:
        for columns, column_count in patterns:
            count = row_count * column_count
            # [tap, pixel]: which spikes can set each row of one channel.
            reach = (rows[:, None, :, None] & columns[None, :, None, :]).reshape(layer.kernel_size**2, -1)
            driven += count * layer.in_channels * float(np.sum(1.0 - (1.0 - rate) ** reach.sum(axis=1)))
            windows += count * float(1.0 - (1.0 - rate) ** (layer.in_channels * reach.any(axis=0).sum()))
            spans = _pixels_by_span(reach)
            for i, height in enumerate(ROW_SIZES):
                pixels = _pixels_by_tile(layer.fan_in, spans, height)
                accesses[i] += count * float(np.sum(1.0 - (1.0 - rate) ** pixels))
    return driven, windows, accesses


def _patterns(kernel: int, size: int, source: int) -> list[tuple[NDArray[np.bool_], int]]:
    """Along one axis, the distinct ``[tap, pixel]`` reaches of a window, each with its number of windows."""
    pooled = source > size
    span = 2 * (kernel - 1) + 3 if pooled else kernel
    found: dict[bytes, tuple[NDArray[np.bool_], int]] = {}
    for position in range(size):
        reach = np.zeros((kernel, span), dtype=bool)
        for tap in range(kernel):
            at = position + tap - kernel // 2
            if not 0 <= at < size:
                continue
            if not pooled:
                reach[tap, tap] = True
                continue
            for offset in range(3):
                reach[tap, 2 * tap + offset] = 0 <= 2 * at - 1 + offset < source
        key = reach.tobytes()
        found[key] = (reach, found[key][1] + 1 if key in found else 1)
    return list(found.values())


def _pixels_by_span(reach: NDArray[np.bool_]) -> NDArray[np.int64]:
    """``[first, stop]`` distinct pixels under the taps ``first..stop-1`` of one channel."""
    taps = len(reach)
    spans = np.zeros((taps + 1, taps + 1), dtype=np.int64)
    for first in range(taps):
        spans[first, first + 1 :] = np.logical_or.accumulate(reach[first:], axis=0).sum(axis=1)
    return spans


def _pixels_by_tile(fan_in: int, spans: NDArray[np.int64], height: int) -> NDArray[np.int64]:
    """Distinct spikes that can drive each row tile; rows are ordered (channel, kernel row, kernel column)."""
    taps = len(spans) - 1
    starts = np.arange(0, fan_in, height)
    stops = np.minimum(starts + height, fan_in)
    first, last = starts // taps, (stops - 1) // taps
    head, tail = starts - first * taps, stops - last * taps
    several = spans[head, taps] + spans[0, tail] + (last - first - 1) * spans[0, taps]
    return np.asarray(np.where(first == last, spans[head, tail], several))
