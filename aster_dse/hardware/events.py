"""How often each thing happens in one inference: activity, put on the arrays of each design."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aster_dse.activity import InferenceActivity
from aster_dse.hardware.dataflow import Dataflow
from aster_dse.hardware.designs import DesignTable
from aster_dse.hardware.placement import Placement

__all__ = ["Events", "count_events"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Events:
    """Means per inference, linear in the activity.

    ``[K, L]`` per synaptic layer, ``[K, depth]`` per attention.
    """

    runs: Array
    """Executed time steps of the layer: none of a skipped attention's."""
    row_drives: Array
    """Word lines driven, for one column tile."""
    conducting_rows: Array
    """Word lines with a spike: their cells conduct. Equal to ``row_drives`` where rows are gated."""
    windows: Array
    """Windows (times bit planes) that run."""
    accesses: Array
    """Windows times row tiles that run, for one column tile."""
    searched: Array
    """Windows that are searched for spikes: all that there are where rows are gated, else none."""
    attention_runs: Array
    mask_operations: Array
    """ANDs of the attention: k with v, and q with the thresholded count."""
    count_operations: Array
    """Increments of the count over the tokens."""


def count_events(
    flow: Dataflow, activity: InferenceActivity, designs: DesignTable, placement: Placement
) -> Events:
    """With event gating what is silent costs nothing; without, every row of every window is driven."""
    gated = designs.event_gating[:, None]
    steps = activity.steps[:, None]
    attention_runs = steps * activity.attention_runs
    skippable = flow.block >= 0
    runs = np.where(skippable, attention_runs[:, np.where(skippable, flow.block, 0)], steps)
    every_window = flow.windows * runs
    count, layers = len(designs), len(flow.fan_in)
    policy = np.arange(count) if len(activity) > 1 else np.zeros(count, dtype=np.int64)
    height = designs.row_size_index if activity.active_accesses.shape[2] > 1 else 0
    accesses = activity.active_accesses[policy[:, None], np.arange(layers), height]
    dense = flow.tokens * flow.channels * attention_runs
    spikes = activity.spikes
    return Events(
        runs=runs,
        row_drives=np.where(gated, activity.driven_rows, flow.fan_in * every_window),
        conducting_rows=activity.driven_rows,
        windows=np.where(gated, activity.active_windows, every_window),
        accesses=np.where(gated, accesses, placement.row_tiles * every_window),
        searched=np.where(gated, every_window, 0.0),
        attention_runs=attention_runs,
        mask_operations=np.where(
            gated, spikes[:, flow.spikes_of_k] + spikes[:, flow.spikes_of_q], 2.0 * dense
        ),
        count_operations=np.where(gated, spikes[:, flow.spikes_of_kv], dense),
    )
