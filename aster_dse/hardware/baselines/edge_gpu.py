"""An edge GPU under a roofline: what NVIDIA's Jetson Orin Nano could do at best with the same network.

A layer takes the longer of its arithmetic at the peak and its traffic at the full bandwidth. Real programs
come nowhere near for networks of this size at batch 1, where starting a kernel takes longer than running it:
a time per kernel can be added.

Source of the figures: NVIDIA Jetson Orin Nano Series data sheet (8 GB module): 1,024 CUDA cores at 625 MHz,
128-bit LPDDR5 with 68 GB/s, 7 to 15 W.
"""

from __future__ import annotations

from dataclasses import dataclass

from aster_dse.network.geometry import NetworkGeometry

__all__ = ["ORIN_NANO", "EdgeGpu", "GpuEstimate", "gpu_estimate"]


@dataclass(frozen=True)
class EdgeGpu:
    """A GPU by its data sheet."""

    name: str
    peak_gmac_s: float
    """Multiply-accumulates per nanosecond at the peak, 32-bit floating point."""
    bandwidth_gb_s: float
    power_w: float
    bytes_per_value: int = 4


ORIN_NANO = EdgeGpu("Jetson Orin Nano 8 GB, 15 W", 1024 * 0.625, 68.0, 15.0)


@dataclass(frozen=True)
class GpuEstimate:
    """Of one inference at batch 1."""

    latency_us: float
    energy_uj: float
    kernels: int
    """Kernels started: a convolution with its norm, or the neurons of all steps."""


def gpu_estimate(
    geometry: NetworkGeometry, gpu: EdgeGpu = ORIN_NANO, *, kernel_us: float = 0.0
) -> GpuEstimate:
    """Time and energy of all time steps as one batch: weights are read once, activations written and read.

    Spikes are dense numbers there, so neither firing rates nor early exits save anything.

    Args:
        kernel_us: added for each kernel.
    """
    size, steps = gpu.bytes_per_value, geometry.timesteps
    time_us = 0.0
    for layer in geometry.synaptic:
        macs = steps * layer.fan_in * layer.out_channels * layer.windows
        read = steps * layer.in_channels * layer.height * layer.width
        written = steps * layer.out_channels * layer.windows
        traffic = size * (layer.fan_in * layer.out_channels + read + written)
        time_us += max(macs / gpu.peak_gmac_s, traffic / gpu.bandwidth_gb_s) * 1e-3
    for neuron in geometry.neurons:
        time_us += 2 * size * steps * neuron.neurons / gpu.bandwidth_gb_s * 1e-3
    kernels = len(geometry.synaptic) + len(geometry.neurons)
    time_us += kernels * kernel_us
    return GpuEstimate(latency_us=time_us, energy_uj=time_us * gpu.power_w, kernels=kernels)
