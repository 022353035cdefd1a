"""What the memories beside the arrays hold, and what does not fit into the global buffers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aster_dse.hardware.dataflow import Dataflow
from aster_dse.hardware.designs import DesignTable
from aster_dse.hardware.placement import Placement

__all__ = ["membrane_kib", "spilled_bits"]

Array = NDArray[np.float64]


def membrane_kib(flow: Dataflow, designs: DesignTable, placement: Placement) -> Array:
    """``[K, L]`` membrane memory of one subarray of the layer: its share of the layer's neurons."""
    return np.asarray(flow.membranes * designs.membrane_bits[:, None] / (8192.0 * placement.memories))


def spilled_bits(flow: Dataflow, designs: DesignTable, placement: Placement) -> tuple[Array, Array]:
    """Bits per executed step that the global buffers of all tiles cannot hold.

    Alive at once are a layer's input spikes and the residual stream; an attention holds q, k and v. Where
    layers run at once all of this is alive at once, and each layer has its part of what does not fit.

    Returns:
        ``[K, L]`` of the synaptic layers, ``[K, depth]`` of the attentions.
    """
    capacity = (placement.tiles * designs.buffer_kib * 8192)[:, None]
    stream = flow.live_values * designs.membrane_bits[:, None]
    alive = flow.input_values + stream
    attention = 3 * flow.tokens * flow.channels + stream[:, flow.query]
    pipelined = designs.pipelining[:, None] > 0
    together = (flow.input_values.sum() + stream.max(axis=1) + 3 * (flow.tokens * flow.channels).sum())[
        :, None
    ]
    excess = np.maximum(together - capacity, 0) / np.maximum(together, 1)
    return (
        np.where(pipelined, flow.input_values * excess, np.maximum(alive - capacity, 0)),
        np.where(pipelined, 3 * flow.tokens * flow.channels * excess, np.maximum(attention - capacity, 0)),
    )
