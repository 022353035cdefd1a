"""Any number of samples, batch size and number of processes: the same order, and the same first step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from bars import bars
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aster_dse.errors import InputError
from aster_dse.space import NetworkConfig, TrainingConfig
from aster_dse.training import train
from aster_dse.training.batches import Batches, Share
from aster_dse.training.trained import Feed
from aster_dse.workload import Split, Workload

SCRIPT = Path(__file__).with_name("first_steps_in_group.py")


def of_samples(samples: int) -> Workload:
    whole = bars()
    return replace(whole, train=Split(whole.train.frames[:samples], whole.train.labels[:samples]))


@given(
    samples=st.integers(1, 45),
    batch_size=st.integers(1, 50),
    world=st.integers(1, 6),
    mixup=st.sampled_from([0.0, 0.4]),
    repeats=st.integers(1, 3),
)
@example(samples=14, batch_size=4, world=3, mixup=0.4, repeats=1)
@example(samples=5, batch_size=1, world=3, mixup=0.0, repeats=1)
@example(samples=1, batch_size=8, world=2, mixup=0.4, repeats=1)
@settings(max_examples=40, deadline=None)
def test_the_parts_of_a_batch_are_the_batch(
    samples: int, batch_size: int, world: int, mixup: float, repeats: int
) -> None:
    workload = of_samples(samples)
    config = TrainingConfig(
        batch_size=batch_size, mixup=mixup, repeats=repeats, shift_pixels=1, event_augmentation=True
    )
    feed = Feed(workload.train, workload, torch.device("cpu"))
    alone = list(Batches(feed, workload, config).epoch(2))
    parts = [list(Batches(feed, workload, config, Share(rank, world)).epoch(2)) for rank in range(world)]
    assert len(alone) == Batches(feed, workload, config).steps() > 0
    single = samples % batch_size == 1 and samples > batch_size > 1
    assert sum(batch.samples for batch in alone) == samples - single
    for step, batch in enumerate(alone):
        steps = [part[step] for part in parts]
        assert all(part.samples == batch.samples for part in steps)
        assert all(len(part.labels) for part in steps)
        together = steps if steps[0].divided else steps[:1]
        assert torch.equal(torch.cat([part.labels for part in together]), batch.labels)
        assert torch.equal(torch.cat([part.inputs for part in together], dim=1), batch.inputs)
        assert steps[0].divided or all(torch.equal(part.inputs, batch.inputs) for part in steps)


CASES: list[list[Any]] = [
    [45, 9, 1, {}],
    [2, 9, 2, {}],
    [1, 9, 3, {}],
    [45, 1, 4, {"mixup": 0.4}],
    [45, 2, 5, {"cutmix": 0.5}],
    [45, 3, 6, {}],
    [30, 30, 7, {"loss": "ce", "label_smoothing": 0.1}],
    [40, 7, 8, {"mixup": 0.4, "event_augmentation": True}],
    [29, 64, 9, {"shift_pixels": 2}],
]


def first_steps(folder: Path, world: int) -> list[subprocess.Popen[str]]:
    """Processes that take the first step of each case together."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(rank), str(world), str(folder), json.dumps(CASES)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]


def whole(step: dict[str, torch.Tensor]) -> torch.Tensor:
    """The gradient of all weights: a bias before a batch norm has rounding alone for its part."""
    parts = [tensor for name, tensor in step.items() if name != "loss" and "running" not in name]
    return torch.cat([tensor.flatten().double() for tensor in parts])


def test_three_processes_take_the_first_step_of_one(tmp_path: Path) -> None:
    for process in [*first_steps(tmp_path, 1), *first_steps(tmp_path, 3)]:
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
    alone = torch.load(tmp_path / "1-0.pt", weights_only=True)
    for rank in range(3):
        together = torch.load(tmp_path / f"3-{rank}.pt", weights_only=True)
        for case, wanted, found in zip(CASES, alone, together, strict=True):
            assert found.keys() == wanted.keys()
            apart = torch.linalg.vector_norm(whole(found) - whole(wanted))
            assert apart <= 1e-5 * torch.linalg.vector_norm(whole(wanted)), case
            for name in ("loss", *(name for name in wanted if "running" in name)):
                assert torch.allclose(found[name], wanted[name], rtol=1e-5, atol=1e-5), (case, name)


@pytest.mark.parametrize(
    ("samples", "batch_size"), [(5, 1), (1, 1), (1, 8), (5, 4), (3, 8)], ids=lambda number: str(number)
)
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("kernels", ["on", "off"])
def test_any_number_of_samples_trains(
    samples: int, batch_size: int, steps: int, kernels: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Down to one value of a channel, where a batch norm gives its bias."""
    monkeypatch.setenv("ASTER_DSE_KERNELS", kernels)
    whole = of_samples(samples)
    parts = {
        name: Split(getattr(whole, name).frames[:, :steps], getattr(whole, name).labels)
        for name in ("train", "validation", "test")
    }
    workload = replace(whole, config=whole.config.model_copy(update={"timesteps": steps}), **parts)
    trained = train(
        workload,
        NetworkConfig(width=16, depth=1, stem="4-2-1-1", pooling="1111"),
        TrainingConfig(epochs=2, batch_size=batch_size, warmup_epochs=0),
        folder=tmp_path,
        device="cpu",
    )
    assert len(trained.history) == 2
    assert all(torch.isfinite(tensor).all() for tensor in trained.model.state_dict().values())


def test_no_sample_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no training sample"):
        train(
            of_samples(0),
            NetworkConfig(width=16, depth=1),
            TrainingConfig(epochs=1),
            folder=tmp_path,
            device="cpu",
        )
