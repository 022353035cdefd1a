"""Search space: what is searched, and one point of it."""

from aster_dse.space.configuration import (
    ROW_SIZES,
    Candidate,
    HardwareConfig,
    NetworkConfig,
    PolicyConfig,
    TrainingConfig,
    WorkloadConfig,
)

__all__ = [
    "ROW_SIZES",
    "Candidate",
    "HardwareConfig",
    "NetworkConfig",
    "PolicyConfig",
    "TrainingConfig",
    "WorkloadConfig",
]
