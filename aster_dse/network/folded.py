"""Layers that apply the batch norm after them themselves: what stands in a network in place of the two."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from aster_dse.network.kernels.convolution import Events
from aster_dse.network.sequences import pool

__all__ = ["FoldedConvolution", "FoldedNorm"]


class FoldedNorm(nn.Module):
    """Stands where a batch norm was that the convolution before it applies."""

    def add(self, y: Tensor, stream: Tensor | None = None) -> Tensor:
        """``stream + y``, or ``y`` alone."""
        return y if stream is None else stream + y

    def pooled(self, y: Tensor) -> Tensor:
        """The 3x3 stride-2 max-pool of ``y`` ``[T, B, H, W, C]``."""
        return pool(y)


class FoldedConvolution(nn.Module, ABC):
    """A convolution that also applies the batch norm after it, and can read events in place of spikes."""

    @abstractmethod
    def of_events(self, events: Events, steps: int) -> Tensor:
        """``[T, B, H, W, outputs]`` of the events of ``[T * B, H, W, inputs]``."""
