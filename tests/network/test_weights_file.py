"""Checkpoints of others: which weights are read, what the file says of them, and what is never run."""

from __future__ import annotations

import argparse
import os
import pickle
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from official import NAMES, load_official
from safetensors.torch import load_file, save_file

from aster_dse.errors import AsterError, InputError
from aster_dse.network.model import SpikeDrivenTransformer
from aster_dse.network.published import load_published, published_shape, stated_shape, translate
from aster_dse.network.weights_file import plain_names, read_weights


def _weights(scale: float = 1.0) -> dict[str, torch.Tensor]:
    weights = load_file(load_official("sdt_static_lif").weights)
    return {name: tensor * scale if tensor.ndim else tensor for name, tensor in weights.items()}


def _prefixed(weights: dict[str, torch.Tensor]) -> OrderedDict[str, torch.Tensor]:
    return OrderedDict((f"module.{name}", tensor) for name, tensor in weights.items())


@pytest.mark.parametrize("name", NAMES)
def test_the_shape_is_read_off_the_weights(name: str) -> None:
    reference = load_official(name)
    shape = published_shape(load_file(reference.weights), name)
    stated = reference.config.model_dump()
    assert shape.knobs == {knob: stated[knob] for knob in shape.knobs}
    assert shape.num_heads == 8
    assert shape.classes == reference.geometry.classes
    assert shape.in_channels == reference.geometry.synaptic[0].in_channels


def test_metadata_of_safetensors_says_the_rest() -> None:
    file = read_weights(load_official("sdt_event_erode_lif").weights)
    assert stated_shape(file.stated) == {
        "pooling": "0011",
        "event_mode": True,
        "num_heads": 8,
        "timesteps": 6,
        "resolution": 32,
    }
    assert file.copies == ()


def test_a_checkpoint_of_timm_with_both_copies_and_its_command_line(tmp_path: Path) -> None:
    arguments = argparse.Namespace(
        dataset="cifar10-dvs-tet", img_size=64, time_steps=16, pooling_stat="0011", num_heads=8, mean=None
    )
    content = {
        "epoch": 3,
        "arch": "sdt",
        "state_dict": _prefixed(_weights()),
        "state_dict_ema": _weights(2.0),
        "optimizer": {"state": {}, "param_groups": []},
        "args": arguments,
        "metric": np.float64(77.5),
    }
    torch.save(content, tmp_path / "model_best.pth.tar")
    trained = read_weights(tmp_path / "model_best.pth.tar")
    averaged = read_weights(tmp_path / "model_best.pth.tar", "ema")
    assert (trained.copy, averaged.copy, trained.copies) == ("model", "ema", ("model", "ema"))
    assert torch.equal(averaged.weights["head.weight"], 2 * trained.weights["head.weight"])
    assert trained.weights.keys() == averaged.weights.keys() == _weights().keys()
    assert stated_shape(trained.stated) == {
        "pooling": "0011",
        "num_heads": 8,
        "timesteps": 16,
        "resolution": 64,
        "dataset": "cifar10-dvs",
        "event_mode": True,
    }


@pytest.mark.parametrize(
    ("content", "copy"),
    [
        ({"model": _weights()}, "model"),
        ({"state_dict_ema": _weights()}, "ema"),
        (_weights(), None),
        (_prefixed(_weights()), None),
    ],
    ids=["model", "only averaged", "bare", "bare and parallel"],
)
def test_other_ways_to_save(content: Any, copy: str | None, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "x.pth")
    file = read_weights(tmp_path / "x.pth")
    assert file.copy == copy
    assert file.weights.keys() == _weights().keys()


def test_a_copy_that_is_not_there(tmp_path: Path) -> None:
    torch.save({"state_dict": _weights()}, tmp_path / "x.pth")
    with pytest.raises(InputError, match=r"x\.pth: holds no ema weights \(--weights model\)"):
        read_weights(tmp_path / "x.pth", "ema")


class _Malice:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_refused_in_one_line_and_not_run(zipped: bool, tmp_path: Path) -> None:
    marker = tmp_path / "it ran"
    torch.save(
        {"state_dict": _weights(), "args": _Malice(marker)},
        tmp_path / "bad.pth.tar",
        _use_new_zipfile_serialization=zipped,
    )
    with pytest.raises(InputError, match=r"bad\.pth\.tar: would run \S*system when loaded") as refusal:
        read_weights(tmp_path / "bad.pth.tar")
    assert "\n" not in str(refusal.value)
    assert not marker.exists()


def _garbage(path: Path) -> None:
    path.write_bytes(b"not a checkpoint")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    torch.save({"state_dict": _weights()}, path)
    path.write_bytes(path.read_bytes()[:5000])


def _plain_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"weights": [1, 2, 3]}))


def _number(path: Path) -> None:
    torch.save(3, path)


def _no_tensors(path: Path) -> None:
    torch.save({"state_dict": {"epoch": 3}}, path)


@pytest.mark.parametrize("make", [_garbage, _empty, _cut, _plain_pickle, _number, _no_tensors])
def test_damage_is_one_line(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    make(path)
    with pytest.raises(AsterError, match=r"x\.pth: ") as refusal:
        read_weights(path)
    assert "\n" not in str(refusal.value)


def test_damaged_metadata_is_one_line(tmp_path: Path) -> None:
    save_file(_weights(), tmp_path / "x.safetensors", metadata={"config": "{"})
    with pytest.raises(InputError, match=r"x\.safetensors: config: is not JSON"):
        read_weights(tmp_path / "x.safetensors")


def test_weights_of_another_kind_of_network() -> None:
    with pytest.raises(InputError, match=r"x: no head\.weight: not a Spike-Driven Transformer"):
        published_shape({"layer.weight": torch.zeros(2, 2)}, "x")
    weights = _weights()
    weights["block.0.mlp.fc1_conv.weight"] = torch.zeros(100, 32, 1, 1)
    with pytest.raises(InputError, match="hidden width 100"):
        published_shape(weights, "x")


def test_a_part_of_q_k_and_v_that_is_missing_is_named() -> None:
    weights = _weights()
    del weights["block.1.attn.k_bn.weight"]
    with pytest.raises(InputError, match=r"x: no block\.1\.attn\.k_bn\.weight"):
        translate(weights, "x")


WRAPPED = (
    "module.",
    "_orig_mod.",
    "module._orig_mod.",
    "_orig_mod.module.",
    "module.module._orig_mod.",
    "_fsdp_wrapped_module._orig_mod.",
)


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
@pytest.mark.parametrize("wrapped", WRAPPED)
def test_names_that_wrappers_of_the_model_made_are_understood(
    wrapped: str, ending: str, tmp_path: Path
) -> None:
    """torch.compile, DataParallel and FSDP, in whatever order, and each part of the network alone."""
    weights = _weights()
    named = {f"{wrapped}{name}": tensor for name, tensor in weights.items()}
    inside = {name.replace("block.0.", f"block.0.{wrapped}"): tensor for name, tensor in weights.items()}
    for position, content in enumerate((named, inside)):
        path = tmp_path / f"{position}.{ending}"
        if ending == "pth":
            torch.save({"state_dict": content}, path)
        else:
            save_file(content, path)
        read = read_weights(path).weights
        assert read.keys() == weights.keys()
        assert all(torch.equal(read[name], tensor) for name, tensor in weights.items())
    assert translate(named, "here").keys() == translate(weights, "here").keys()


def test_an_averaged_model_is_read_without_its_count_of_models() -> None:
    weights = {"n_averaged": torch.tensor(3), **_prefixed(_weights())}
    assert plain_names(weights, "here").keys() == _weights().keys()


def test_two_different_weights_of_one_name_are_refused() -> None:
    weights = {"head.bias": torch.zeros(2), "module.head.bias": torch.ones(2)}
    with pytest.raises(InputError, match=r"holds head\.bias twice, once as module\.head\.bias"):
        plain_names(weights, "here")


@pytest.mark.parametrize("missing", ["all", "those of q"])
def test_weights_without_the_counts_of_batches_are_loaded(missing: str) -> None:
    """Old versions of PyTorch and converters leave ``num_batches_tracked`` out."""
    reference = load_official("sdt_static_lif")
    part = "num_batches_tracked" if missing == "all" else "q_bn.num_batches_tracked"
    weights = {name: tensor for name, tensor in _weights().items() if not name.endswith(part)}
    assert len(weights) < len(_weights())
    models = [SpikeDrivenTransformer(reference.config, reference.geometry) for _ in range(2)]
    load_published(models[0], _weights())
    load_published(models[1], weights)
    ours, theirs = (model.state_dict() for model in models)
    names = [name for name in ours if not name.endswith("num_batches_tracked")]
    assert all(torch.equal(ours[name], theirs[name]) for name in names)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e39])
def test_weights_that_are_no_numbers_are_refused_with_their_name_and_count(value: float) -> None:
    """1e39 is a number in double precision, and none in the network's."""
    weights = {name: tensor.double() if tensor.ndim else tensor for name, tensor in _weights().items()}
    weights["block.0.mlp.fc1_bn.running_var"][1:3] = value
    weights["head.weight"][0, 0] = value
    with pytest.raises(InputError) as caught:
        translate(_prefixed(weights), "w.pth")
    (line,) = str(caught.value).splitlines()
    assert re.search(r"w\.pth: 2 of the \d+ values of block\.0\.mlp\.fc1_bn\.running_var", line)
    assert re.search(r"1 of the [\d,]+ values of head\.weight are NaN or infinite", line)


def test_a_weight_that_the_network_does_not_use_may_be_anything() -> None:
    weights = _weights()
    weights["block.0.attn.talking_heads.weight"] = torch.full((8, 8, 1, 1), float("nan"))
    assert "head.weight" in translate(weights, "here")
