"""A workload that a small network learns in a moment."""

from __future__ import annotations

import numpy as np

from aster_dse.space import WorkloadConfig
from aster_dse.workload import Split, Workload


def bars() -> Workload:
    """Three kinds of moving bars, which a small network tells apart."""
    random = np.random.default_rng(0)

    def split(samples: int) -> Split:
        labels = np.arange(samples) % 3
        frames = (random.random((samples, 2, 2, 16, 16)) < 0.05).astype(np.uint8)
        for frame, label in zip(frames, labels, strict=True):
            frame[:, 0, 5 * label : 5 * label + 4, :] = 1
        return Split(frames, labels.astype(np.int64))

    return Workload(
        config=WorkloadConfig(name="digits-dvs", resolution=16, timesteps=2),
        train=split(45),
        validation=split(12),
        test=split(12),
        classes=10,
        in_channels=2,
        input_bits=1,
        scale=1.0,
        static=False,
        class_names=tuple("0123456789"),
    )
