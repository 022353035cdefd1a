from __future__ import annotations

import pytest

from aster_dse.network.geometry import NetworkGeometry, network_geometry
from aster_dse.space import NetworkConfig


@pytest.fixture(scope="session")
def small() -> NetworkGeometry:
    """The default network: width 32, depth 2, 32 x 32 event frames, T = 4."""
    return network_geometry(NetworkConfig(), in_channels=2, resolution=32, classes=10, timesteps=4)


@pytest.fixture(scope="session")
def tiny() -> NetworkGeometry:
    return network_geometry(
        NetworkConfig(width=16, depth=2), in_channels=2, resolution=16, classes=4, timesteps=3
    )
