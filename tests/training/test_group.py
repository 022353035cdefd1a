"""Several processes that train one network get the network that one process gets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from aster_dse.network.kernels.library import available, kernels_for
from aster_dse.network.layers import BatchNorm

SCRIPT = Path(__file__).with_name("train_in_group.py")


def start(folder: Path, world: int, *, epochs: int = 3, stop: int = 0, seed: int = 1) -> list[str]:
    """What each process printed; they ended with 9 where they were stopped."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    numbers = [str(epochs), str(stop), str(seed)]
    running = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(rank), str(world), str(folder), *numbers],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]
    said = [process.communicate(timeout=120) for process in running]
    for process, (_, errors) in zip(running, said, strict=True):
        assert process.returncode == (9 if stop else 0), errors
    return [out for out, _ in said]


def learnt(folder: Path) -> dict[str, torch.Tensor]:
    """The weights, without biases before a batch norm and the mean that follows them.

    The norm takes such a bias out again; its gradient is rounding alone, of which AdamW makes whole steps.
    """
    weights = load_file(folder / "network.safetensors")
    for name in [name for name in weights if name.endswith(".conv.bias")]:
        del weights[name], weights[name.replace("conv.bias", "bn.running_mean")]
    return weights


def apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """Greatest difference of a weight."""
    assert one.keys() == other.keys()
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


@pytest.mark.skipif(kernels_for(torch.zeros(1)) is None, reason=f"kernels: {available()}")
def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    """With the kernels, which sum in double precision; torch's roundings make other spikes within steps.

    A spike that rounding lifts over the threshold parts two trainings all the same; a wrong sum parts all.
    """
    assert any(learnt_alike(tmp_path / str(seed), seed) for seed in (1, 2, 3, 4))


def learnt_alike(folder: Path, seed: int) -> bool:
    """Whether one process and two came to the same weights."""
    (alone,) = start(folder / "one", 1, epochs=1, seed=seed)
    together = start(folder / "two", 2, epochs=1, seed=seed)
    assert together[0] == together[1]
    return together[0] == alone and apart(learnt(folder / "one"), learnt(folder / "two")) < 1e-4


def test_killed_processes_go_on_from_their_last_epoch(tmp_path: Path) -> None:
    start(tmp_path / "whole", 2)
    start(tmp_path / "killed", 2, stop=2)
    assert not (tmp_path / "killed" / "network.safetensors").exists()
    said = start(tmp_path / "killed", 2)
    assert [line.split()[1] for line in said] == ["2", "2"]
    assert apart(learnt(tmp_path / "whole"), learnt(tmp_path / "killed")) == 0.0


NORM = """
import sys, torch
from aster_dse.network.layers import BatchNorm
rank, folder = int(sys.argv[1]), sys.argv[2]
torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
norm = BatchNorm(5, step_mode="s").double()
norm.reduce = torch.distributed.all_reduce
y, weights = torch.load(f"{folder}/whole.pt", weights_only=True)
part = slice(0, 2) if rank == 0 else slice(2, 5)
own = y[:, part].clone().requires_grad_()
(norm.add(own) * weights[:, part]).sum().backward()
found = [own.grad, norm.weight.grad, norm.bias.grad, norm.running_mean, norm.running_var]
torch.save(found, f"{folder}/{rank}.pt")
torch.distributed.barrier()
torch.distributed.destroy_process_group()
"""


@pytest.mark.parametrize("kernels", ["on", "off"])
def test_a_batch_norm_takes_its_moments_over_all_parts(tmp_path: Path, kernels: str) -> None:
    random = torch.Generator().manual_seed(0)
    y, weights = torch.randn(2, 2, 5, 3, 4, 5, generator=random, dtype=torch.float64)
    torch.save((y, weights), tmp_path / "whole.pt")
    environment = {**os.environ, "ASTER_DSE_KERNELS": kernels}
    running = [
        subprocess.Popen([sys.executable, "-c", NORM, str(rank), str(tmp_path)], env=environment)
        for rank in range(2)
    ]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    norm = BatchNorm(5, step_mode="s").double()
    y.requires_grad_()
    (norm(y) * weights).sum().backward()
    assert torch.allclose(torch.cat([first[0], second[0]], dim=1), y.grad, atol=1e-12)
    assert torch.allclose(first[1] + second[1], norm.weight.grad, atol=1e-12)
    assert torch.allclose(first[2] + second[2], norm.bias.grad, atol=1e-12)
    for mine in (first, second):
        assert torch.allclose(mine[3], norm.running_mean, atol=1e-12)
        assert torch.allclose(mine[4], norm.running_var, atol=1e-12)
