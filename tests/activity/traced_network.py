"""A small network that really was trained, and its trace."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import replace
from pathlib import Path

from aster_dse.activity import ActivityTrace
from aster_dse.activity.record import record_trace
from aster_dse.space import NetworkConfig, TrainingConfig, WorkloadConfig
from aster_dse.training import TrainedNetwork, train
from aster_dse.workload import Split, Workload, load_workload

CONFIG = WorkloadConfig(name="digits-dvs", resolution=16, timesteps=4)
NETWORK = NetworkConfig(width=16, depth=3, pooling="1010", stem="4-2-1-1")
TRAINING = TrainingConfig(epochs=8, batch_size=32, warmup_epochs=0.5, bn_weight_init=2.5)
STATIC = WorkloadConfig(name="digits", resolution=16, timesteps=3)


@functools.cache
def workload(static: bool = False) -> Workload:
    whole = load_workload(STATIC if static else CONFIG)
    return replace(
        whole,
        train=_first(whole.train, 384),
        validation=_first(whole.validation, 40),
        test=_first(whole.test, 8),
    )


def _first(split: Split, samples: int) -> Split:
    return Split(split.frames[:samples], split.labels[:samples])


@functools.cache
def trained(static: bool = False) -> TrainedNetwork:
    with tempfile.TemporaryDirectory() as folder:
        return train(workload(static), NETWORK, TRAINING, folder=Path(folder))


@functools.cache
def trace(static: bool = False) -> ActivityTrace:
    return record_trace(trained(static), workload(static))
