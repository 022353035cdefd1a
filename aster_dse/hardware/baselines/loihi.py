"""A digital neuromorphic chip: Intel's Loihi by its published energies per event.

Source: Davies et al., "Loihi: A Neuromorphic Manycore Processor with On-Chip Learning", IEEE Micro 38(1),
2018, table 1 (14 nm, 0.75 V): 23.6 pJ per synaptic operation, 81 pJ per update of an active and 52 pJ of an
inactive neuron, 1.7 pJ per spike within a tile. Traffic between tiles is left out, which favours Loihi.
SANA-FE (Boyle et al., 2023) uses the same figures.
"""

from __future__ import annotations

import numpy as np

from aster_dse.activity import InferenceActivity
from aster_dse.hardware.baselines.operations import synaptic_operations
from aster_dse.network.geometry import NetworkGeometry

__all__ = ["loihi_pj"]

_SYNAPSE_PJ, _ACTIVE_PJ, _INACTIVE_PJ, _SPIKE_PJ = 23.6, 81.0, 52.0, 1.7


def loihi_pj(geometry: NetworkGeometry, activity: InferenceActivity) -> np.ndarray:
    """``[K]`` energy of the spiking layers; the first layer's input bits count as spikes."""
    entry = geometry.synaptic[0]
    synapses = synaptic_operations(geometry, activity)
    if entry.input_lif is None:
        synapses = synapses + activity.driven_rows[:, 0] * entry.out_channels
    stateful = np.array([neuron.stateful for neuron in geometry.neurons])
    sizes = np.array([neuron.neurons for neuron in geometry.neurons])
    updates = activity.steps * float((sizes * stateful).sum())
    spikes = (activity.spikes * stateful).sum(axis=1)
    energy: np.ndarray = (
        synapses * _SYNAPSE_PJ
        + spikes * (_ACTIVE_PJ + _SPIKE_PJ)
        + np.maximum(updates - spikes, 0.0) * _INACTIVE_PJ
    )
    return energy
