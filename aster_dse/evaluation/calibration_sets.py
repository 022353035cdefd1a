"""Which calibration samples and which chips serve what: figures come from others than chose them."""

from __future__ import annotations

__all__ = ["SELECTION", "VERIFICATION", "first_chip_of"]

SELECTION, VERIFICATION = 0, 1
"""Calibration sets: what configurations are chosen on, and what their figures are measured on."""


def first_chip_of(chips: int, calibration_set: int) -> int:
    """Number of the first chip that goes with a calibration set: each set has chips of its own."""
    return calibration_set * chips
