"""Latency of one inference, for every synaptic layer and attention.

Layers run one after the other within a time step, and a step starts when the one before it has ended: whether
it runs at all depends on the exit decision. Layers that read the same spikes (q, k and v) run at once.

With pipelining, layers between two attentions run at once within a step: each begins when the one before it
has filled its first windows, and the one that takes longest sets the pace. An attention needs all tokens and
ends such a segment. With pipelining over steps too, a step follows as soon as the layer that takes longest is
free; where inferences may leave early, a step still waits for the decision on the one before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aster_dse.activity import InferenceActivity
from aster_dse.hardware.dataflow import Dataflow
from aster_dse.hardware.designs import DesignTable
from aster_dse.hardware.events import Events
from aster_dse.hardware.memory import spilled_bits
from aster_dse.hardware.placement import Placement
from aster_dse.hardware.readout import ReadOut
from aster_dse.space.hardware_knobs import PIPELINING

__all__ = ["LayerTimes", "latency_by_layer"]

Array = NDArray[np.float64]

_STEPS = PIPELINING.index("steps")


@dataclass(frozen=True, eq=False)
class LayerTimes:
    """Means per inference; the parts of all rows add up to the latency."""

    synaptic_ns: Array
    """``[K, L]``"""
    attention_ns: Array
    """``[K, depth]``"""
    interval_ns: Array
    """``[K]`` from one inference to the next while they follow one another."""
    cycles: Array
    """``[K, L]`` clock cycles in which one copy of the layer would be at work."""


def latency_by_layer(
    flow: Dataflow,
    activity: InferenceActivity,
    designs: DesignTable,
    placement: Placement,
    events: Events,
    converter: ReadOut,
) -> LayerTimes:
    """Time of each layer, and what of it shows."""
    period, bit_ns = converter.period_ns, designs.gather("dram_bit_ns")
    flit, lanes = designs.flit_bits[:, None], designs.digital_lanes[:, None]
    router = designs.router_cycles[:, None]
    spill, attention_spill = spilled_bits(flow, designs, placement)

    conversions = events.windows * placement.passes * converter.slots * converter.slot_ns
    travel = -(-flow.input_values // flit) + (placement.hops + placement.span - 1) * router
    updates = events.runs * flow.neuron_cycles * period
    pool_bits = flow.pool_channels * np.where(flow.pool_on_spikes, 1, designs.membrane_bits[:, None])
    pool_windows = flow.pool_outputs // np.maximum(flow.pool_channels, 1)
    pools = pool_windows * -(-pool_bits // lanes) * period
    share = placement.streamed / placement.subarrays
    reload_bits = flow.fan_in * flow.outputs * designs.weight_bits * share
    loads = np.where(placement.streamed > 0, placement.passes, 0)
    digital = designs.compute == 1
    write_ns = np.where(digital, designs.gather("digital_write_ns"), designs.gather("cell_write_ns"))
    reload = reload_bits * bit_ns + loads * designs.rows * write_ns
    off_chip = (np.where(flow.from_memory, flow.input_values, 0) + 2.0 * spill) * bit_ns
    at_arrays = (conversions + updates) / placement.replicas + events.runs * travel * period
    elsewhere = events.runs * (pools + reload + off_chip)

    # A pass over the tokens for k AND v with its count, and one for q AND kv.
    passes = 2 * flow.tokens * -(-flow.channels // lanes)
    travel_attention = 2 * -(-flow.tokens * flow.channels // flit) + placement.hops_to_attention * router
    attention = events.attention_runs * (
        (passes + travel_attention) * period + 2.0 * attention_spill * bit_ns
    )
    synaptic = at_arrays * placement.overlap + elsewhere
    interval = synaptic.sum(axis=1) + attention.sum(axis=1)
    pipelined = designs.pipelining > 0
    if pipelined.any():
        at_once = _pipelined(flow, activity, designs, at_arrays + elsewhere, synaptic, attention)
        row = pipelined[:, None]
        synaptic = np.where(row, at_once.synaptic_ns, synaptic)
        attention = np.where(row, at_once.attention_ns, attention)
        interval = np.where(pipelined, at_once.interval_ns, interval)
    return LayerTimes(synaptic, attention, interval, (conversions + updates) / period)


def _pipelined(
    flow: Dataflow,
    activity: InferenceActivity,
    designs: DesignTable,
    busy: Array,
    alone: Array,
    attention: Array,
) -> LayerTimes:
    """With each layer's own time ``busy``, and what of it shows where layers follow one another."""
    shown = alone * flow.startup
    waiting = busy * (1.0 - flow.startup)
    rows = np.arange(len(busy))
    for segment in range(int(flow.segment.max()) + 1):
        layers = np.flatnonzero(flow.segment == segment)
        slowest = layers[np.argmax(waiting[:, layers], axis=1)]
        shown[rows, slowest] += waiting[rows, slowest]
    interval = shown.sum(axis=1) + attention.sum(axis=1)
    overlapping = (designs.pipelining == _STEPS) & ~activity.exits_early
    if overlapping.any():
        # The first step shows whole, each further one as long as the layer that takes longest.
        steps = np.maximum(activity.steps, 1.0)
        everything = np.concatenate([busy, attention], axis=1)
        slowest = np.argmax(everything, axis=1)
        longest = everything[rows, slowest]
        whole = np.concatenate([shown, attention], axis=1) / steps[:, None]
        whole[rows, slowest] += longest * (1.0 - 1.0 / steps)
        whole = np.where(overlapping[:, None], whole, np.concatenate([shown, attention], axis=1))
        shown, attention = whole[:, : busy.shape[1]], whole[:, busy.shape[1] :]
        interval = np.where(overlapping, longest, interval)
    return LayerTimes(shown, attention, interval, np.zeros((0, 0)))
