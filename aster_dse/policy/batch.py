"""Many policies of one network at once: what decides about them, without what only a report needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aster_dse.activity import InferenceActivity
from aster_dse.policy.exits import ExitMetric
from aster_dse.policy.table import PolicyTable, skipped_blocks
from aster_dse.space import PolicyConfig

__all__ = ["PolicyBatch", "apply_policies", "policy_accuracy"]

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


def policy_accuracy(table: PolicyTable, policies: Sequence[PolicyConfig]) -> Array:
    """``[K]`` the accuracy that :func:`apply_policies` gives, alone."""
    found = np.empty(len(policies))
    samples = np.arange(len(table.trace.labels))
    for skips, members, last in _exits(table, policies):
        found[members] = table.correct(skips)[samples, last].mean(axis=1)
    return found


def _exits(
    table: PolicyTable, policies: Sequence[PolicyConfig]
) -> Iterator[tuple[int, NDArray[np.intp], NDArray[np.intp]]]:
    """Policies that differ in their threshold alone: how many blocks they skip, the places of these ``k``
    policies from the one that exits first on, and ``[k, N]`` the last step of each sample, from 0."""
    trace = table.trace
    most = trace.geometry.timesteps
    groups: dict[tuple[int, ExitMetric, int], list[int]] = {}
    for index, policy in enumerate(policies):
        skips = len(skipped_blocks(trace.block_activity, policy.skip_threshold))
        steps = min(policy.timesteps or most, most)
        groups.setdefault((skips, policy.exit_metric, steps), []).append(index)
    for (skips, metric, steps), places in groups.items():
        doubt = table.doubt(skips, metric)[:, :steps]
        thresholds = np.array([policies[index].exit_threshold for index in places])
        order = np.argsort(thresholds, kind="stable")
        with np.errstate(divide="ignore"):
            limits = np.log1p(-thresholds[order])
        sure = doubt[None] < limits[:, None, None]
        sure[:, :, -1] = True
        yield skips, np.array(places)[order], sure.argmax(axis=2)


def _summed(running: NDArray[np.int64], last: NDArray[np.intp]) -> NDArray[np.int64]:
    """``[k, M]`` of running sums ``[N, T, M]``, each sample's at its last step ``[k, N]``, which grows
    with k."""
    later, sample = np.nonzero(np.diff(last, axis=0))
    added = running[sample, last[later + 1, sample]] - running[sample, last[later, sample]]
    total = np.zeros((len(added) + 1, running.shape[2]), dtype=np.int64)
    np.cumsum(added, axis=0, out=total[1:])
    first = running[np.arange(running.shape[0]), last[0]].sum(axis=0)
    return np.asarray(first + total[np.searchsorted(later, np.arange(len(last)))])


def apply_policies(table: PolicyTable, policies: Sequence[PolicyConfig]) -> PolicyBatch:
    """What :meth:`PolicyTable.outcome` says of each policy, up to the order of summation.

    Policies that differ in their threshold alone are gone through from the one that exits first on: what a
    sample adds that stays longer is added.
    """
    trace = table.trace
    samples = len(trace.labels)
    count, synaptic = len(policies), len(trace.geometry.synaptic)
    accuracy, mean_steps = np.empty(count), np.empty(count)
    runs = np.ones((count, trace.geometry.depth))
    heights = trace.active_accesses.shape[-1]
    sizes = [synaptic, synaptic, synaptic * heights, len(trace.geometry.neurons)]
    events = [np.empty((count, size)) for size in sizes]
    for skips, members, last in _exits(table, policies):
        accuracy[members] = table.correct(skips)[np.arange(samples), last].mean(axis=1)
        mean_steps[members] = last.mean(axis=1) + 1.0
        runs[np.ix_(members, np.array(trace.skip_order[:skips], dtype=np.intp))] = 0.0
        for found, sums in zip(events, table.running(skips), strict=True):
            found[members] = _summed(sums.reshape(*sums.shape[:2], -1), last) / samples
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
