"""The activity trace: per sample and step, what a trained network said and how often its neurons fired.

One pass per skip set suffices: blocks are skipped in the order of their activity, so only ``depth + 1`` skip
sets exist, and set ``k`` skips the ``k`` least active blocks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aster_dse.network.geometry import NetworkGeometry

__all__ = ["ActivityTrace"]


@dataclass(frozen=True)
class ActivityTrace:
    """``S = depth + 1`` skip sets, ``N`` samples, ``T`` steps.

    Counts are per sample and step, not accumulated. A skipped block's layers count 0.
    """

    geometry: NetworkGeometry
    labels: NDArray[np.int64]
    """``[N]``"""
    block_activity: NDArray[np.float64]
    """``[depth]`` firing rate of q AND kv, mean over steps, calibrated on training data without skipping."""
    firing_rate: dict[str, NDArray[np.float64]]
    """By published layer name, ``[T]`` mean firing rate on the calibration (training) samples."""
    logits: NDArray[np.float32]
    """``[S, N, T, classes]`` of each step alone."""
    spikes: NDArray[np.int32]
    """``[S, N, T, neurons]`` spikes of every layer of ``geometry.neurons``."""
    driven_rows: NDArray[np.int32]
    """``[S, N, T, synaptic]``"""
    active_windows: NDArray[np.int32]
    """``[S, N, T, synaptic]``"""
    active_accesses: NDArray[np.int32]
    """``[S, N, T, synaptic, len(ROW_SIZES)]``, or ``[S, N, T, synaptic, 1]`` where the network ran on arrays:
    for their own rows alone."""

    def of_samples(self, index: NDArray[np.int64]) -> ActivityTrace:
        """The trace of some of its samples."""
        counts = ("logits", "spikes", "driven_rows", "active_windows", "active_accesses")
        parts = {name: getattr(self, name)[:, index] for name in counts}
        return replace(self, labels=self.labels[index], **parts)

    @property
    def skip_order(self) -> tuple[int, ...]:
        """Blocks from the least active to the most; ties by index."""
        return tuple(int(i) for i in np.argsort(self.block_activity, kind="stable"))

    @property
    def skip_sets(self) -> tuple[frozenset[int], ...]:
        """Blocks that each skip set leaves out."""
        return tuple(frozenset(self.skip_order[:skips]) for skips in range(self.geometry.depth + 1))
