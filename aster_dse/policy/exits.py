"""Early exit over time (SEENN-I): leave at the first step that is sure enough.

The logits are summed over the steps so far. Confidence is the greatest softmax of that sum, entropy one minus
the entropy of the softmax over its greatest value. Thresholds of interest lie within 1e-7 of 1, where a
float32 softmax has saturated: both metrics are therefore held as the logarithm of their distance to 1.

Source: Li et al., "SEENN: Towards Temporal Spiking Early-Exit Neural Networks", NeurIPS 2023.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["ExitMetric", "Exits", "exits", "log_doubt"]

ExitMetric = Literal["confidence", "entropy"]


@dataclass(frozen=True)
class Exits:
    """Where each of ``N`` samples left, and with what answer."""

    steps: NDArray[np.int64]
    """``[N]`` executed time steps, 1..T."""
    predictions: NDArray[np.int64]
    """``[N]``"""


def log_doubt(logits: NDArray[np.floating], metric: ExitMetric) -> NDArray[np.float64]:
    """``log(1 - metric)`` after each step.

    Args:
        logits: ``[..., T, classes]`` of each step alone.

    Returns:
        ``[..., T]``, minus infinity where the metric is 1 to the last bit.
    """
    summed = np.cumsum(np.asarray(logits, dtype=np.float64), axis=-2)
    shifted = summed - summed.max(axis=-1, keepdims=True)
    with np.errstate(divide="ignore"):
        if metric == "confidence":
            # 1 - p_max is the probability of all other classes.
            others = np.exp(np.sort(shifted, axis=-1)[..., :-1]).sum(axis=-1)
            return np.asarray(np.log(others) - np.log1p(others))
        weights = np.exp(shifted)
        total = weights.sum(axis=-1)
        entropy = np.log(total) - (weights * shifted).sum(axis=-1) / total
        return np.asarray(np.log(np.maximum(entropy, 0.0) / np.log(logits.shape[-1])))


def exits(
    logits: NDArray[np.floating],
    threshold: float,
    *,
    metric: ExitMetric = "confidence",
    doubt: NDArray[np.float64] | None = None,
) -> Exits:
    """Exit of every sample: the first step whose metric is strictly above ``threshold``, else the last.

    Args:
        logits: ``[N, T, classes]`` of each step alone; all T may be used.
        doubt: ``log_doubt(logits, metric)`` where it is known already.
    """
    doubt = log_doubt(logits, metric) if doubt is None else doubt
    with np.errstate(divide="ignore"):
        sure = doubt < np.log1p(-threshold)
    sure[:, -1] = True
    last = sure.argmax(axis=1)
    summed = np.cumsum(np.asarray(logits, dtype=np.float64), axis=1)
    answers = summed[np.arange(len(summed)), last].argmax(axis=-1)
    return Exits(steps=last.astype(np.int64) + 1, predictions=answers.astype(np.int64))
