"""One network on our accelerator and on everything it can be compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aster_dse.activity.uniform import uniform_activity
from aster_dse.hardware.architecture import resolve
from aster_dse.hardware.baselines.edge_gpu import ORIN_NANO, gpu_estimate
from aster_dse.hardware.baselines.loihi import loihi_pj
from aster_dse.hardware.baselines.operations import int8_twin_pj, operations_pj
from aster_dse.hardware.baselines.spikesim import spikesim, spikesim_layers
from aster_dse.hardware.cost import estimate
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.space import HardwareConfig

__all__ = ["Alternative", "comparison", "energy_by_rate"]

_KERNEL_US = 10.0
"""Assumed from one kernel to the next, of a program that starts them one by one."""


@dataclass(frozen=True)
class Alternative:
    """What one inference takes there."""

    name: str
    energy_uj: float
    latency_us: float | None
    """None where the estimate has none."""
    assumptions: str


def comparison(
    geometry: NetworkGeometry, hardware: HardwareConfig, firing_rate: float
) -> tuple[Alternative, ...]:
    """Ours first; all with independent spikes of one rate, without early exit or skipped attention.

    Raises:
        InputError: an accelerator that cannot exist.
    """
    accelerator = resolve(hardware)
    activity = uniform_activity(geometry, firing_rate)
    ours = estimate(geometry, activity, accelerator)[0]
    best, usual = gpu_estimate(geometry), gpu_estimate(geometry, kernel_us=_KERNEL_US)
    published = spikesim(spikesim_layers(geometry), timesteps=geometry.timesteps)
    return (
        Alternative(
            "this accelerator",
            ours.energy_uj,
            ours.latency_us,
            f"{accelerator.base}, library {ours.library}: arrays, read-out, neurons, memories, network on "
            "chip, off-chip memory, clock and leakage; no controllers; spikes as if its arrays were ideal",
        ),
        Alternative(
            f"{ORIN_NANO.name}, at its best",
            best.energy_uj,
            best.latency_us,
            "roofline of the data sheet: 32-bit peak and full bandwidth in every layer, all time steps as "
            "one batch, no time to start kernels, full power; a lower bound",
        ),
        Alternative(
            f"{ORIN_NANO.name}, with kernel starts",
            usual.energy_uj,
            usual.latency_us,
            f"the same and {_KERNEL_US:g} us, assumed, to start each of {usual.kernels} kernels, batch 1",
        ),
        Alternative(
            "Loihi",
            float(loihi_pj(geometry, activity)[0]) * 1e-6,
            None,
            "published energy per synaptic operation, neuron update and spike, 14 nm; traffic between tiles "
            "left out; input bits count as spikes; digital, so exact",
        ),
        Alternative(
            "SpikeSim's formula",
            published.energy_uj,
            published.latency_ns * 1e-3,
            "65 nm, crossbars of 64, 250 MHz; knows no firing rate and no attention, and counts the time "
            "steps twice in the latency; arrays taken as ideal",
        ),
        Alternative(
            "operations of the SNN",
            float(operations_pj(geometry, activity)[0]) * 1e-6,
            None,
            "4.6 pJ a multiply-accumulate in the first layer, 0.9 pJ an accumulate per synapse and spike "
            "elsewhere (45 nm); arithmetic alone, no memory",
        ),
        Alternative(
            "operations of an 8-bit ANN",
            int8_twin_pj(geometry) * 1e-6,
            None,
            "the same layers once with dense 8-bit inputs, 0.3 pJ a multiply-accumulate (45 nm); arithmetic "
            "alone, no memory",
        ),
    )


def energy_by_rate(
    geometry: NetworkGeometry, hardware: HardwareConfig, rates: Sequence[float]
) -> dict[str, list[float]]:
    """Energy of one inference in uJ at each firing rate, of ours with and without event gating and of others.

    Raises:
        InputError: an accelerator that cannot exist.
    """
    gated, driven = (
        resolve(hardware.model_copy(update={"event_gating": gating})) for gating in (True, False)
    )
    activities = [uniform_activity(geometry, rate) for rate in rates]
    both = [
        [estimate(geometry, one, design)[0].energy_uj for one in activities] for design in (gated, driven)
    ]
    return {
        "with event gating": both[0],
        "without": both[1],
        "Loihi": [float(loihi_pj(geometry, one)[0]) * 1e-6 for one in activities],
        "operations of the SNN": [float(operations_pj(geometry, one)[0]) * 1e-6 for one in activities],
        "operations of an 8-bit ANN": [int8_twin_pj(geometry) * 1e-6] * len(activities),
    }
