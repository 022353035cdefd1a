"""Latency of one inference, for every synaptic layer and attention.

Layers run one after the other within a time step, and a step starts when the one before it has ended: whether
it runs at all depends on the exit decision. Layers that read the same spikes (q, k and v) run at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aster_dse.hardware.dataflow import Dataflow
from aster_dse.hardware.designs import DesignTable
from aster_dse.hardware.events import Events
from aster_dse.hardware.memory import spilled_bits
from aster_dse.hardware.placement import Placement
from aster_dse.hardware.readout import ReadOut

__all__ = ["latency_by_layer"]

Array = NDArray[np.float64]


def latency_by_layer(
    flow: Dataflow, designs: DesignTable, placement: Placement, events: Events, converter: ReadOut
) -> tuple[Array, Array]:
    """Time in ns.

    Returns:
        ``[K, L]`` of the synaptic layers, ``[K, depth]`` of the attentions.
    """
    period, bit_ns = converter.period_ns, designs.gather("dram_bit_ns")
    flit, lanes = designs.flit_bits[:, None], designs.digital_lanes[:, None]
    router = designs.router_cycles[:, None]
    spill, attention_spill = spilled_bits(flow, designs, placement)

    conversions = events.windows * placement.passes * designs.column_mux[:, None] * converter.slot_ns
    travel = -(-flow.input_values // flit) + (placement.hops + placement.span - 1) * router
    per_step = (travel + flow.neuron_cycles) * period
    pool_bits = flow.pool_channels * np.where(flow.pool_on_spikes, 1, designs.membrane_bits[:, None])
    pool_windows = flow.pool_outputs // np.maximum(flow.pool_channels, 1)
    pools = pool_windows * -(-pool_bits // lanes) * period
    share = placement.streamed / placement.subarrays
    reload_bits = flow.fan_in * flow.outputs * designs.weight_bits[:, None] * share
    loads = np.where(placement.streamed > 0, placement.passes, 0)
    reload = reload_bits * bit_ns + loads * designs.rows[:, None] * designs.gather("cell_write_ns")
    off_chip = (np.where(flow.from_memory, flow.input_values, 0) + 2.0 * spill) * bit_ns
    synaptic = (conversions + events.runs * per_step) * placement.overlap
    synaptic = synaptic + events.runs * (pools + reload + off_chip)

    # A pass over the tokens for k AND v with its count, and one for q AND kv.
    passes = 2 * flow.tokens * -(-flow.channels // lanes)
    travel_attention = 2 * -(-flow.tokens * flow.channels // flit) + placement.hops_to_attention * router
    attention = events.attention_runs * (
        (passes + travel_attention) * period + 2.0 * attention_spill * bit_ns
    )
    return synaptic, attention
