"""Measures a firing log: one pass over samples, every neuron layer watched at every step."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aster_dse.activity.firing_log import FiringLog
from aster_dse.network.model import SpikeDrivenTransformer
from aster_dse.training.trained import Feed, predict_logits

__all__ = ["BATCH", "measure_firing"]

BATCH = 64
"""Samples per forward pass."""


def measure_firing(model: SpikeDrivenTransformer, feed: Feed) -> FiringLog:
    """Mean firing rate and share of non-zero outputs of every neuron layer, over all samples of ``feed``."""
    meter = _Meter()
    predict_logits(model, feed, batch_size=BATCH, recorder=meter)
    samples = len(feed)
    return FiringLog(
        firing_rate={name: total / samples for name, total in meter.rates.items()},
        non_zero={name: total / samples for name, total in meter.non_zero.items()},
        samples=samples,
    )


class _Meter:
    def __init__(self) -> None:
        self.rates: dict[str, NDArray[np.float64]] = {}
        self.non_zero: dict[str, NDArray[np.float64]] = {}

    def spikes(self, name: str, values: Tensor) -> None:
        neurons = values[0, 0].numel()
        flat = values.flatten(1)
        for totals, counted in (
            (self.rates, flat.sum(1, dtype=torch.float64)),
            (self.non_zero, torch.count_nonzero(flat, dim=1)),
        ):
            totals[name] = totals.get(name, 0.0) + counted.cpu().numpy() / neurons

    def synapse(self, name: str, inputs: Tensor) -> None:
        pass
