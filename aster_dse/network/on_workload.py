"""The shape of a network on the frames of a workload, without data and without torch."""

from __future__ import annotations

from aster_dse.network.geometry import NetworkGeometry, network_geometry
from aster_dse.space import NetworkConfig, WorkloadConfig
from aster_dse.workload import workload_shape

__all__ = ["geometry_for"]


def geometry_for(workload: WorkloadConfig, network: NetworkConfig) -> NetworkGeometry:
    """Shape of ``network`` on the frames of ``workload``; makes no data."""
    shape = workload_shape(workload)
    return network_geometry(
        network,
        in_channels=shape.in_channels,
        resolution=workload.resolution,
        classes=shape.classes,
        timesteps=workload.timesteps,
        input_bits=shape.input_bits,
    )
