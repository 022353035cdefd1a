"""What a workload is to the rest of the package: frames, labels and how to read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aster_dse.space import WorkloadConfig

__all__ = ["Split", "Workload", "WorkloadShape"]


@dataclass(frozen=True)
class Split:
    """Samples that are used for one purpose only."""

    frames: NDArray[np.uint8]
    """``[samples, time steps, channels, height, width]``."""
    labels: NDArray[np.int64]
    """``[samples]``, class indices."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class WorkloadShape:
    """What the network's and the accelerator's shape depend on; known without making the data."""

    in_channels: int
    classes: int
    input_bits: int
    """Bits of one input value: 1 for binary event frames, 8 for images."""
    static: bool
    """The frames have one time step, which the network repeats (direct coding)."""


@dataclass(frozen=True)
class Workload:
    """A data set, ready to train and to measure a network."""

    config: WorkloadConfig
    train: Split
    validation: Split
    test: Split
    classes: int
    in_channels: int
    input_bits: int
    """Bits of one input value: 1 for binary event frames, 8 for images."""
    scale: float
    """The network's input is ``frames * scale``."""
    static: bool
    """The frames have one time step, which the network repeats (direct coding)."""
    class_names: tuple[str, ...]
