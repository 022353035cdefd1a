"""Operations times a figure of each: the convention of papers on spiking networks, and an ANN of one shape.

Figures at 45 nm, 0.9 V: Horowitz, "Computing's Energy Problem (and what we can do about it)", ISSCC 2014. The
convention counts arithmetic alone, no memory: first layer multiply-accumulate, once; every other layer one
accumulate per synapse and spike.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aster_dse.activity import InferenceActivity
from aster_dse.network.geometry import NetworkGeometry

__all__ = [
    "ACCUMULATE_PJ",
    "INT8_MAC_PJ",
    "MAC_PJ",
    "convention_pj",
    "int8_twin_pj",
    "layer_macs",
    "operations_pj",
    "synaptic_operations",
]

ACCUMULATE_PJ = 0.9
"""32-bit floating-point addition."""
MAC_PJ = 4.6
"""The same and a multiplication, 3.7 pJ."""
INT8_MAC_PJ = 0.2 + 0.1
"""8-bit multiplication and 32-bit addition, integers."""


def layer_macs(geometry: NetworkGeometry) -> dict[str, int]:
    """Multiply-accumulates of a layer with dense inputs, in one time step."""
    return {layer.name: layer.fan_in * layer.out_channels * layer.windows for layer in geometry.synaptic}


def convention_pj(
    geometry: NetworkGeometry, rates: Mapping[str, float], *, steps: float | None = None
) -> float:
    """``E = MAC FL_1 + AC T sum(R_l FL_l)``, as the papers estimate it from mean firing rates.

    Args:
        rates: of a layer's input, by the layer's name; the first layer has none.
        steps: executed time steps; None for all.
    """
    macs = layer_macs(geometry)
    first, *others = macs
    steps = float(geometry.timesteps if steps is None else steps)
    return macs[first] * MAC_PJ + ACCUMULATE_PJ * steps * sum(macs[name] * rates[name] for name in others)


def synaptic_operations(geometry: NetworkGeometry, activity: InferenceActivity) -> np.ndarray:
    """``[K]`` accumulates that spikes cause, counted: each driven row meets every output of its layer."""
    outputs = np.array([layer.out_channels for layer in geometry.synaptic])
    spiking = np.array([layer.input_lif is not None for layer in geometry.synaptic])
    operations: np.ndarray = (activity.driven_rows * outputs * spiking).sum(axis=1)
    return operations


def operations_pj(geometry: NetworkGeometry, activity: InferenceActivity) -> np.ndarray:
    """``[K]`` energy by the convention, from counted spikes; an image is convolved once, events each step."""
    first = next(iter(layer_macs(geometry).values()))
    entry = geometry.synaptic[0]
    if entry.input_bits == 1:
        driven = activity.driven_rows[:, 0] * entry.out_channels * ACCUMULATE_PJ
    else:
        driven = np.full(len(activity), first * MAC_PJ)
    energy: np.ndarray = driven + synaptic_operations(geometry, activity) * ACCUMULATE_PJ
    return energy


def int8_twin_pj(geometry: NetworkGeometry) -> float:
    """An eight-bit ANN of the same layers, run once with dense inputs, its attention's products included."""
    attention = sum(2 * part.tokens * part.channels for part in geometry.attention)
    return (sum(layer_macs(geometry).values()) + attention) * INT8_MAC_PJ
