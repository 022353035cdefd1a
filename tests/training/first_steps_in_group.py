"""One process of several that take the first step of many trainings together: RANK WORLD FOLDER CASES.

CASES is JSON, a list of [samples, batch size, seed, training settings]. Writes, by case, the gradients of the
first step and the running moments after it, to FOLDER/WORLD-RANK.pt.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from bars import bars

from aster_dse.space import NetworkConfig, TrainingConfig
from aster_dse.training.group import Group
from aster_dse.training.trainer import _Run
from aster_dse.workload import Split

NETWORK = NetworkConfig(width=16, depth=1, stem="4-2-1-1", pooling="1001")


def first_step(
    group: Group, samples: int, batch_size: int, seed: int, settings: dict[str, Any]
) -> dict[str, torch.Tensor]:
    whole = bars()
    workload = replace(whole, train=Split(whole.train.frames[:samples], whole.train.labels[:samples]))
    training = TrainingConfig(
        epochs=1, batch_size=batch_size, learning_rate=0.01, warmup_epochs=0, seed=seed, **settings
    )
    run = _Run(workload, NETWORK, training, torch.device("cpu"), None, group)
    run.model.train()
    loss = run.learn(next(run.batches.epoch(1)))
    found = {name: p.grad.clone() for name, p in run.model.named_parameters() if p.grad is not None}
    found |= {name: t.clone() for name, t in run.model.named_buffers() if "running" in name}
    return {**found, "loss": torch.tensor(loss)}


def main() -> None:
    rank, world, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(1)
    group = Group()
    if world > 1:
        meeting = f"file://{folder}/meeting-{world}"
        torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world)
        group = Group.joined()
    cases = json.loads(sys.argv[4])
    torch.save([first_step(group, *case) for case in cases], folder / f"{world}-{rank}.pt")
    if world > 1:
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


main()
