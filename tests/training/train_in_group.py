"""One process of several that train one network together: RANK WORLD FOLDER EPOCHS STOP_AFTER SEED."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from bars import bars

from aster_dse.space import NetworkConfig, TrainingConfig
from aster_dse.training import EpochRow, train
from aster_dse.training.group import Group


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
    trained = train(bars(), network, training, folder=folder, group=group, on_epoch=on_epoch, device="cpu")
    print(trained.accuracy, trained.resumed_from_epoch)
    if group is not None:
        torch.distributed.destroy_process_group()


main()
