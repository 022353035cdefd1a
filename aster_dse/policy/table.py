"""Answers every skip and exit policy of a traced network exactly, without the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aster_dse.activity import ActivityTrace, InferenceActivity
from aster_dse.policy.exits import ExitMetric, exits, log_doubt
from aster_dse.space import PolicyConfig

__all__ = ["PolicyOutcome", "PolicyTable", "skipped_blocks", "stack_activity"]


def skipped_blocks(block_activity: NDArray[np.float64], threshold: float | None) -> tuple[int, ...]:
    """Blocks whose attention is skipped, least active first: activity at most ``threshold``; None: none."""
    if threshold is None:
        return ()
    order = np.argsort(block_activity, kind="stable")
    return tuple(int(block) for block in order if block_activity[block] <= threshold)


@dataclass(frozen=True)
class PolicyOutcome:
    """What a policy makes of the traced samples."""

    accuracy: float
    mean_timesteps: float
    exit_steps: NDArray[np.int64]
    """``[N]``"""
    predictions: NDArray[np.int64]
    """``[N]``"""
    exit_histogram: tuple[float, ...]
    """Share of the samples that left after 1, 2, ... T steps of the network."""
    skipped_blocks: tuple[int, ...]
    activity: InferenceActivity
    """K = 1."""


class PolicyTable:
    """The trace of one network, with its running sums made once per skip set that is asked for."""

    def __init__(self, trace: ActivityTrace) -> None:
        self.trace = trace
        self._sums: dict[int, tuple[NDArray[np.int64], ...]] = {}
        self._doubts: dict[tuple[int, ExitMetric], NDArray[np.float64]] = {}
        self._correct: dict[int, NDArray[np.bool_]] = {}

    def outcome(self, policy: PolicyConfig) -> PolicyOutcome:
        """Apply ``policy``; steps beyond the network's T do not exist and are not counted."""
        trace = self.trace
        skipped = skipped_blocks(trace.block_activity, policy.skip_threshold)
        skips = len(skipped)
        steps = min(policy.timesteps or trace.geometry.timesteps, trace.geometry.timesteps)
        left = exits(
            trace.logits[skips, :, :steps],
            policy.exit_threshold,
            metric=policy.exit_metric,
            doubt=self.doubt(skips, policy.exit_metric)[:, :steps],
        )
        samples = np.arange(len(trace.labels))
        driven, windows, accesses, spikes = (
            sums[samples, left.steps - 1].mean(axis=0)[None] for sums in self.running(skips)
        )
        runs = np.ones((1, trace.geometry.depth))
        runs[0, list(skipped)] = 0.0
        mean_steps = float(left.steps.mean())
        histogram = np.bincount(left.steps, minlength=trace.geometry.timesteps + 1)[1:] / len(samples)
        return PolicyOutcome(
            accuracy=float((left.predictions == trace.labels).mean()),
            mean_timesteps=mean_steps,
            exit_steps=left.steps,
            predictions=left.predictions,
            exit_histogram=tuple(float(share) for share in histogram),
            skipped_blocks=tuple(sorted(skipped)),
            activity=InferenceActivity(
                steps=np.array([mean_steps]),
                attention_runs=runs,
                driven_rows=driven,
                active_windows=windows,
                active_accesses=accesses.reshape(1, -1, trace.active_accesses.shape[-1]),
                spikes=spikes,
                exits_early=np.array([policy.exit_threshold < 1.0]),
            ),
        )

    def doubt(self, skips: int, metric: ExitMetric) -> NDArray[np.float64]:
        """``[N, T]`` :func:`~aster_dse.policy.exits.log_doubt` of a skip set."""
        key = (skips, metric)
        if key not in self._doubts:
            self._doubts[key] = log_doubt(self.trace.logits[skips], metric)
        return self._doubts[key]

    def correct(self, skips: int) -> NDArray[np.bool_]:
        """``[N, T]`` whether a sample that left after a step was classified correctly."""
        if skips not in self._correct:
            summed = np.cumsum(np.asarray(self.trace.logits[skips], dtype=np.float64), axis=1)
            self._correct[skips] = summed.argmax(axis=-1) == self.trace.labels[:, None]
        return self._correct[skips]

    def running(self, skips: int) -> tuple[NDArray[np.int64], ...]:
        """Driven rows, windows, accesses and spikes up to and with each step, ``[N, T, ...]``."""
        if skips not in self._sums:
            trace = self.trace
            self._sums[skips] = tuple(
                np.cumsum(counts[skips], axis=1, dtype=np.int64)
                for counts in (trace.driven_rows, trace.active_windows, trace.active_accesses, trace.spikes)
            )
        return self._sums[skips]


def stack_activity(parts: Sequence[InferenceActivity]) -> InferenceActivity:
    """Several activities as one, along K."""
    return InferenceActivity(
        steps=np.concatenate([part.steps for part in parts]),
        attention_runs=np.concatenate([part.attention_runs for part in parts]),
        driven_rows=np.concatenate([part.driven_rows for part in parts]),
        active_windows=np.concatenate([part.active_windows for part in parts]),
        active_accesses=np.concatenate([part.active_accesses for part in parts]),
        spikes=np.concatenate([part.spikes for part in parts]),
        exits_early=np.concatenate([part.exits_early for part in parts]),
    )
