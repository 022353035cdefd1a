"""One process of several that train one network together: RANK WORLD FOLDER EPOCHS STOP_AFTER SEED."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch

from aster_dse.space import NetworkConfig, TrainingConfig, WorkloadConfig
from aster_dse.training import EpochRow, train
from aster_dse.training.group import Group
from aster_dse.workload import Split, Workload


def workload() -> Workload:
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


def main() -> None:
    rank, world, folder, epochs, stop, seed = (
        *map(int, sys.argv[1:3]),
        Path(sys.argv[3]),
        *map(int, sys.argv[4:7]),
    )
    torch.set_num_threads(1)
    group = None
    if world > 1:
        meeting = f"file://{folder}/meeting-{stop}"
        torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world)
        group = Group.joined()

    def on_epoch(row: EpochRow) -> None:
        if row.epoch == stop:
            os._exit(9)  # as a killed process

    training = TrainingConfig(
        epochs=epochs, batch_size=9, learning_rate=0.01, warmup_epochs=0, mixup=0.2, seed=seed,
        event_augmentation=True,
    )  # fmt: skip
    network = NetworkConfig(width=16, depth=1, stem="4-2-1-1", pooling="1001")
    trained = train(
        workload(), network, training, folder=folder, group=group, on_epoch=on_epoch, device="cpu"
    )
    print(trained.accuracy, trained.resumed_from_epoch)
    if group is not None:
        torch.distributed.destroy_process_group()


main()
