"""Where each layer lies under the ceilings of its accelerator: arrays, network on chip, off-chip memory.

Operations are dense, two to a synapse and time step, whether it carries a spike or not; bytes are those of
the input map, which reaches a layer as one bit for each value. A layer far below the roof waits: for the
converters that share its columns, for transfers, or, where layers run one after the other, for the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aster_dse.activity import InferenceActivity
from aster_dse.hardware.architecture import Accelerator
from aster_dse.hardware.cost import HardwareCost
from aster_dse.hardware.dataflow import dataflow
from aster_dse.hardware.designs import DesignTable
from aster_dse.hardware.placement import place
from aster_dse.hardware.readout import read_out
from aster_dse.network.geometry import NetworkGeometry

__all__ = ["Roofline", "RooflineLayer", "roofline"]


@dataclass(frozen=True)
class RooflineLayer:
    """One layer with stationary weights, per inference."""

    name: str
    operations_per_byte: float
    """Of its input."""
    tops: float
    """Reached in the time that it takes."""
    peak_tops: float
    """Of the arrays that hold its weights, all copies."""


@dataclass(frozen=True)
class Roofline:
    """Ceilings of a chip, and the layers of a network under them."""

    peak_tops: float
    """All arrays of the network at once."""
    network_gbyte_s: float
    """What a router passes on."""
    memory_gbyte_s: float
    """Off-chip memory."""
    layers: tuple[RooflineLayer, ...]


def roofline(
    geometry: NetworkGeometry, activity: InferenceActivity, accelerator: Accelerator, cost: HardwareCost
) -> Roofline:
    """Ceilings of ``accelerator`` and the layers of ``geometry`` as ``cost`` prices them."""
    names = [layer.name for layer in geometry.synaptic]
    designs = DesignTable.stack([accelerator], names)
    converter, flow = read_out(designs), dataflow(geometry)
    placement = place(flow, designs, converter)
    operations = 2.0 * np.array([layer.macs for layer in geometry.synaptic])
    access_ns = np.broadcast_to(converter.slots * converter.slot_ns, placement.replicas.shape)[0]
    windows_ns = flow.windows * access_ns * placement.passes[0] / placement.replicas[0]
    peaks = operations / windows_ns * 1e-3
    steps = float(activity.steps[0])
    layers = tuple(
        RooflineLayer(
            name=name,
            operations_per_byte=float(operations[i] / (flow.input_values[i] / 8.0)),
            tops=float(operations[i] * steps / cost.latency_ns_by_layer[name] * 1e-3),
            peak_tops=float(peaks[i]),
        )
        for i, name in enumerate(names)
        if cost.latency_ns_by_layer[name] > 0.0
    )
    return Roofline(
        peak_tops=float(peaks.sum()),
        network_gbyte_s=accelerator.flit_bits / 8.0 * accelerator.clock_mhz * 1e-3,
        memory_gbyte_s=accelerator.library.dram.bandwidth_gbit_s / 8.0,
        layers=layers,
    )
