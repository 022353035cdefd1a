"""Many policies of one network at once: what decides about them, without what only a report needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aster_dse.activity import InferenceActivity
from aster_dse.policy.exits import ExitMetric
from aster_dse.policy.table import PolicyTable, skipped_blocks
from aster_dse.space import PolicyConfig

__all__ = ["PolicyBatch", "apply_policies"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PolicyBatch:
    """``K`` policies applied to a trace."""

    accuracy: Array
    """``[K]``"""
    mean_timesteps: Array
    """``[K]``"""
    activity: InferenceActivity

    def __len__(self) -> int:
        return len(self.accuracy)

    @property
    def figures(self) -> Array:
        """``[K, M]`` all that a cost can depend on, accuracy first with its sign turned: less is better."""
        activity = self.activity
        parts = (
            -self.accuracy,
            activity.steps,
            activity.exits_early,
            activity.attention_runs,
            activity.driven_rows,
            activity.active_windows,
            activity.active_accesses,
            activity.spikes,
        )
        return np.concatenate(
            [np.asarray(part, dtype=np.float64).reshape(len(self), -1) for part in parts], axis=1
        )

    def take(self, index: NDArray[np.intp]) -> PolicyBatch:
        """The policies at ``index``."""
        names = self.activity.__dataclass_fields__
        return PolicyBatch(
            self.accuracy[index],
            self.mean_timesteps[index],
            InferenceActivity(**{name: getattr(self.activity, name)[index] for name in names}),
        )


def apply_policies(table: PolicyTable, policies: Sequence[PolicyConfig]) -> PolicyBatch:
    """What :meth:`PolicyTable.outcome` says of each policy, up to the order of summation.

    Policies that differ in their threshold alone share one product of matrices: which sample left after which
    step, times the running sums of the counts.
    """
    trace = table.trace
    samples, most = len(trace.labels), trace.geometry.timesteps
    groups: dict[tuple[int, ExitMetric, int], list[int]] = {}
    for index, policy in enumerate(policies):
        skips = len(skipped_blocks(trace.block_activity, policy.skip_threshold))
        steps = min(policy.timesteps or most, most)
        groups.setdefault((skips, policy.exit_metric, steps), []).append(index)
    count, synaptic = len(policies), len(trace.geometry.synaptic)
    accuracy, mean_steps = np.empty(count), np.empty(count)
    runs = np.ones((count, trace.geometry.depth))
    heights = trace.active_accesses.shape[-1]
    sizes = [synaptic, synaptic, synaptic * heights, len(trace.geometry.neurons)]
    events = [np.empty((count, size)) for size in sizes]
    for (skips, metric, steps), members in groups.items():
        doubt = table.doubt(skips, metric)[:, :steps]
        with np.errstate(divide="ignore"):
            limits = np.log1p(-np.array([policies[index].exit_threshold for index in members]))
        sure = doubt[None] < limits[:, None, None]
        sure[:, :, -1] = True
        last = sure.argmax(axis=2)  # [k, N]
        left = np.zeros((len(members), samples * steps))
        np.put_along_axis(left, last + steps * np.arange(samples)[None], 1.0, axis=1)
        accuracy[members] = left @ table.correct(skips)[:, :steps].reshape(-1) / samples
        mean_steps[members] = last.mean(axis=1) + 1.0
        runs[np.ix_(members, trace.skip_order[:skips])] = 0.0
        for found, sums in zip(events, table.running(skips), strict=True):
            seen = sums[:, :steps].reshape(samples * steps, -1)
            found[members] = left @ seen / samples
    return PolicyBatch(
        accuracy=accuracy,
        mean_timesteps=mean_steps,
        activity=InferenceActivity(
            steps=mean_steps,
            attention_runs=runs,
            driven_rows=events[0],
            active_windows=events[1],
            active_accesses=events[2].reshape(count, synaptic, heights),
            spikes=events[3],
            exits_early=np.array([policy.exit_threshold < 1.0 for policy in policies]),
        ),
    )
