"""A foretaste of a pass: the samples whose answers may change, through the arrays of a class.

Most samples are answered alike on any arrays; those near a decision decide which class is more accurate. A
fifth of the samples, with nothing counted and ranges taken from a few samples, cost a fraction of a pass
with its calibration.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aster_dse.activity import ActivityTrace
from aster_dse.numerics.arrays import NetworkArrays
from aster_dse.numerics.network_passes import NetworkPasses
from aster_dse.policy import exits, log_doubt, skipped_blocks
from aster_dse.space import PolicyConfig

__all__ = ["Probe", "undecided"]

Array = NDArray[np.float64]

_SHARE = 0.2
_MOST = 256


class Probe:
    """Probes of one network.

    Args:
        policies: whose losses are asked for.
    """

    def __init__(self, passes: NetworkPasses, policies: Sequence[PolicyConfig]) -> None:
        self._passes, self._policies = passes, policies
        plain = passes.plain
        self._skips = [len(skipped_blocks(plain.block_activity, p.skip_threshold)) for p in policies]
        self._samples = undecided(plain)
        self._labels = plain.labels[self._samples]
        self._right = self._correct(plain.logits[:, self._samples])

    def losses(self, arrays: NetworkArrays) -> Array:
        """``[K]`` accuracy that each policy loses on these arrays."""
        right = self._correct(self._passes.probe(arrays, self._samples))
        return np.asarray((self._right - right) / len(self._passes.plain.labels))

    def _correct(self, logits: NDArray[np.float32]) -> Array:
        """``[K]`` how many of the samples each policy answers correctly, of ``[S, n, T, classes]``."""
        steps = logits.shape[2]
        found = np.empty(len(self._policies))
        doubts = {
            (skips, metric): log_doubt(said, metric)
            for skips, said in enumerate(logits)
            for metric in ("confidence", "entropy")
        }
        for index, (policy, skips) in enumerate(zip(self._policies, self._skips, strict=True)):
            most = min(policy.timesteps or steps, steps)
            left = exits(
                logits[skips, :, :most],
                policy.exit_threshold,
                metric=policy.exit_metric,
                doubt=doubts[skips, policy.exit_metric][:, :most],
            )
            found[index] = (left.predictions == self._labels).sum()
        return found


def undecided(plain: ActivityTrace) -> NDArray[np.intp]:
    """Samples whose right answer leads, or lags, least after some step, whatever is skipped."""
    summed = np.cumsum(plain.logits.astype(np.float64), axis=2)
    samples = np.arange(summed.shape[1])
    right = summed[:, samples, :, plain.labels].transpose(1, 0, 2)
    others = summed.copy()
    others[:, samples, :, plain.labels] = -np.inf
    lead = np.abs(right - others.max(axis=3)) / np.sqrt(np.arange(1, summed.shape[2] + 1))
    count = min(max(round(_SHARE * len(samples)), 1), _MOST)
    return np.sort(np.argsort(lead.min(axis=(0, 2)), kind="stable")[:count])
