"""What passes of a network took."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["PassLog"]


@dataclass
class PassLog:
    """What was asked for and done."""

    made: int = 0
    """Passes made, not found."""
    alike: int = 0
    """Passes that another one of the same ranges stands for."""
    calibrations_made: int = 0
    probes: int = 0
    seconds: float = 0.0
    """That passes, calibrations and probes took."""
    files: list[str] = field(default_factory=list)
    """Names of the passes asked for and of the calibrations that they took, in the network's folder."""
