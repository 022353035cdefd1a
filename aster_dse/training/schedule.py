"""The learning rate over a training: a linear rise, half a cosine, a level end."""

from __future__ import annotations

import math

from aster_dse.space import TrainingConfig

__all__ = ["learning_rate"]

_START = 0.05
"""Share of the peak at which the rise begins, where the configuration does not say."""


def learning_rate(config: TrainingConfig, epochs_done: float) -> float:
    """The learning rate after ``epochs_done`` epochs, fractions of one included."""
    peak, warm = config.learning_rate, config.warmup_epochs
    if epochs_done < warm:
        start = _START * peak if config.warmup_learning_rate is None else config.warmup_learning_rate
        return start + (peak - start) * epochs_done / warm
    low = min(config.minimum_learning_rate, peak)
    share = (epochs_done - warm) / max(config.epochs - config.cooldown_epochs - warm, 1e-9)
    return low + (peak - low) * 0.5 * (1.0 + math.cos(math.pi * min(share, 1.0)))
