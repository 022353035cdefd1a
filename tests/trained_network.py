"""A small trained network: digits on event data, 16 pixels, 2 steps, one block, 91 % correct.

``trained/network.safetensors`` is what ``train`` left of
``NetworkConfig(width=16, depth=1, mlp_ratio=2, stem="2-2-1-1", pooling="1001")`` after 20 epochs with
``TrainingConfig(epochs=20, warmup_epochs=2, bn_weight_init=2.0)``.
"""

from __future__ import annotations

import functools
from pathlib import Path

from aster_dse.activity import ActivityTrace
from aster_dse.activity.record import record_trace
from aster_dse.numerics.network_passes import NetworkPasses
from aster_dse.space import WorkloadConfig
from aster_dse.space.cell_conditions import CellConditions, parse_conditions
from aster_dse.training import TrainedNetwork, load_trained
from aster_dse.workload import Workload, load_workload

FOLDER = Path(__file__).parent / "trained"
WORKLOAD = WorkloadConfig(name="digits-dvs", resolution=16, timesteps=2)


@functools.cache
def subject() -> tuple[TrainedNetwork, Workload, ActivityTrace]:
    trained, workload = load_trained(FOLDER), load_workload(WORKLOAD)
    return trained, workload, record_trace(trained, workload)


def passes(folder: Path, conditions: str = "none") -> NetworkPasses:
    trained, workload, plain = subject()
    known: CellConditions = parse_conditions(conditions)
    return NetworkPasses(trained, workload, folder, plain, known)
