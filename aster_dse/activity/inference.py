"""What one inference makes the hardware do, on average: the numbers every cost is linear in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["InferenceActivity"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class InferenceActivity:
    """Mean events per inference, each sample counted up to its own exit, skipped blocks counting nothing.

    Layers are in the order of :class:`~aster_dse.network.geometry.NetworkGeometry`; ``K`` policies at once.
    Costs that are linear in these counts have as their mean over samples the cost of the mean counts.
    """

    steps: Array
    """``[K]`` executed time steps."""
    attention_runs: Array
    """``[K, depth]`` 1 where the block's attention runs, 0 where it is skipped."""
    driven_rows: Array
    """``[K, synaptic]`` word-line activations, spikes (or set input bits) in each window."""
    active_windows: Array
    """``[K, synaptic]`` windows (times bit planes) in which at least one row is driven."""
    active_accesses: Array
    """``[K, synaptic, len(ROW_SIZES)]`` (window, bit plane, row tile) triples with at least one driven row,
    by array height; ``[K, synaptic, 1]`` where they were counted for one design's rows alone."""
    spikes: Array
    """``[K, neurons]`` spikes emitted by each LIF (or product) layer."""
    exits_early: NDArray[np.bool_]
    """``[K]`` whether samples may leave before the last step, so that each step waits for a decision."""

    def __len__(self) -> int:
        return len(self.steps)
