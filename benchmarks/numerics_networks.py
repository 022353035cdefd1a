"""The networks that ``numerics.py`` measures: three of the search space ``digits_dvs``, or given ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aster_dse.space import NetworkConfig, TrainingConfig, WorkloadConfig
from aster_dse.training import TrainedNetwork, load_trained, train
from aster_dse.training.checkpoint import NETWORK_FILE, read
from aster_dse.workload import Workload, load_workload

NETWORKS = {"w48-lif": (48, "lif"), "w24-plif": (24, "plif"), "w16-plif": (16, "plif")}
"""Width and neurons."""
TRAINING = TrainingConfig(epochs=12, learning_rate=0.01, bn_weight_init=2.0, shift_pixels=1)
"""As in the default search: with few epochs the narrowest network is less accurate than it asks for."""


@dataclass(frozen=True)
class Subject:
    """A trained network and its data."""

    name: str
    trained: TrainedNetwork
    workload: Workload


def subjects(folder: Path, checkpoints: Sequence[Path]) -> Iterator[Subject]:
    """The networks of the checkpoints; without any, ours, which are trained where the folder lacks them."""
    for path in checkpoints:
        file = path / NETWORK_FILE if path.is_dir() else path
        config = WorkloadConfig.model_validate(read(file)[1]["workload"])
        yield Subject(path.stem, load_trained(path), load_workload(config))
    if checkpoints:
        return
    workload = load_workload(WorkloadConfig(name="digits-dvs", resolution=32, timesteps=4))
    for name, (width, neuron) in NETWORKS.items():
        network = NetworkConfig(width=width, depth=1, neuron=neuron, stem="4-2-1-1", pooling="1101")
        trained = train(workload, network, TRAINING, folder=folder / name, device="cpu", threads=1)
        yield Subject(name, trained, workload)
