"""Our network is the same function as the published Spike-Driven Transformer."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from official import NAMES, Official, load_official
from safetensors.torch import load_file, save_file
from torch import Tensor

from aster_dse.errors import InputError, NotFoundError
from aster_dse.network.geometry import network_geometry
from aster_dse.network.model import SpikeDrivenTransformer
from aster_dse.network.published import load_published

pytestmark = pytest.mark.parametrize("name", NAMES)


@functools.cache
def official(name: str) -> Official:
    return load_official(name)


@functools.cache
def network(name: str) -> SpikeDrivenTransformer:
    reference = official(name)
    model = SpikeDrivenTransformer(reference.config, reference.geometry)
    load_published(model, reference.weights)
    return model.eval()


@torch.no_grad()
def test_logits_of_every_step_with_and_without_skipped_attention(name: str) -> None:
    reference = official(name)
    for skipped, expected in reference.logits.items():
        logits = network(name)(reference.frames, skipped=skipped).numpy()
        assert np.abs(logits - expected).mean() <= 1e-3, skipped
        assert (logits.sum(0).argmax(-1) == expected.sum(0).argmax(-1)).all(), skipped


@torch.no_grad()
def test_firing_log(name: str) -> None:
    class Rates:
        def __init__(self) -> None:
            self.log: dict[str, dict[str, float]] = {}

        def spikes(self, layer: str, values: Tensor) -> None:
            for step, value in enumerate(values):
                self.log.setdefault(f"t{step}", {})[layer] = value.mean().item()

        def synapse(self, layer: str, inputs: Tensor) -> None:
            pass

    reference, recorder = official(name), Rates()
    network(name)(reference.frames, recorder=recorder)
    assert recorder.log.keys() == reference.firing_rate.keys()
    for step, rates in reference.firing_rate.items():
        assert recorder.log[step] == pytest.approx(rates, abs=1e-4)


@torch.no_grad()
def test_early_exits_at_every_threshold_of_both_metrics(name: str) -> None:
    reference = official(name)
    logits = network(name)(reference.frames).double().cumsum(0)
    log_p = logits.log_softmax(-1)
    entropy = -(log_p.exp() * log_p).sum(-1) / np.log(logits.shape[-1])
    metrics = {"confidence": log_p.exp().amax(-1), "entropy": 1 - entropy}
    for key, expected in reference.early_exit.items():
        metric, threshold = key.split(":")
        leaves = metrics[metric] > float(threshold)
        leaves[-1] = True
        step = leaves.int().argmax(0)
        assert (step + 1).tolist() == expected["steps"], key
        at_exit = logits[step, torch.arange(logits.shape[1])]
        assert at_exit.argmax(-1).tolist() == expected["predictions"], key


@torch.no_grad()
def test_running_it_step_by_step_is_the_same_execution(name: str) -> None:
    reference, model = official(name), network(name)
    whole = model(reference.frames)
    model.reset()
    steps = [model(frame[None], keep_state=True) for frame in reference.frames]
    assert torch.equal(torch.cat(steps), whole)
    model.reset()


def test_weights_load_with_the_prefix_of_parallel_training(name: str, tmp_path: Path) -> None:
    reference = official(name)
    saved = {f"module.{key}": value for key, value in load_file(reference.weights).items()}
    torch.save({"state_dict": saved, "epoch": 3}, tmp_path / "checkpoint.pth.tar")
    model = SpikeDrivenTransformer(reference.config, reference.geometry)
    load_published(model, tmp_path / "checkpoint.pth.tar")
    for key, value in network(name).state_dict().items():
        assert torch.equal(model.state_dict()[key], value), key


def test_weights_of_another_network_are_refused_in_one_line(name: str, tmp_path: Path) -> None:
    reference = official(name)
    deeper = reference.config.model_copy(update={"depth": 4})
    geometry = network_geometry(deeper, in_channels=2, resolution=32, classes=10, timesteps=4)
    with pytest.raises(InputError, match=r"no blocks\.\d\..* and \d+ more \(depth") as refusal:
        load_published(SpikeDrivenTransformer(deeper, geometry), reference.weights)
    assert "\n" not in str(refusal.value)

    model = SpikeDrivenTransformer(reference.config, reference.geometry)
    with pytest.raises(NotFoundError, match="no such file"):
        load_published(model, tmp_path / "absent.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(reference.weights.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"cut\.safetensors: cannot be read"):
        load_published(model, tmp_path / "cut.safetensors")
    wrong = load_file(reference.weights)
    wrong["head.weight"] = wrong["head.weight"][:, :8].clone()
    save_file(wrong, tmp_path / "narrow.safetensors")
    with pytest.raises(InputError, match=r"head\.weight"):
        load_published(model, tmp_path / "narrow.safetensors")
