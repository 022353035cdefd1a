"""What a workload is to the rest of the package: frames, labels and how to read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from aster_dse.space import WorkloadConfig

__all__ = ["FrameSource", "ImageSource", "Split", "Workload", "WorkloadShape", "stays_on_disk"]


class FrameSource(Protocol):
    """Frames read by sample: an array in memory, or files that are decoded when they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(samples, time steps, channels, height, width)``."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: slice | NDArray[np.int64], /) -> NDArray[np.uint8]: ...


@runtime_checkable
class ImageSource(FrameSource, Protocol):
    """Still images in sizes of their own, of which training can take parts before they are reduced."""

    def aspects(self, index: NDArray[np.int64], /) -> list[float]:
        """Width over height of the images."""
        ...

    def crops(self, index: NDArray[np.int64], boxes: NDArray[np.float32], /) -> NDArray[np.uint8]:
        """Frames ``[n, 1, channels, height, width]`` of parts of the images.

        Args:
            boxes: ``[n, 4]``: left, top, right and bottom as shares of width and height.
        """
        ...


@dataclass(frozen=True)
class Split:
    """Samples that are used for one purpose only."""

    frames: FrameSource
    """``[samples, time steps, channels, height, width]`` of bytes."""
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
    """The network's input is ``frames * scale``, normalised by ``mean`` and ``std`` where they are given."""
    static: bool
    """The frames have one time step, which the network repeats (direct coding)."""
    class_names: tuple[str, ...]
    mean: tuple[float, ...] = ()
    """By channel, of ``frames * scale``; empty where the input is not normalised."""
    std: tuple[float, ...] = ()


def stays_on_disk(workload: Workload | None) -> bool:
    """Whether batches are read from files when they are asked for; else all frames are in memory."""
    if workload is None:
        return False
    parts = (workload.train, workload.validation, workload.test)
    return not all(isinstance(part.frames, np.ndarray) for part in parts)
