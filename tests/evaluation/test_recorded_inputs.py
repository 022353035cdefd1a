"""Published checkpoints beside their recorded inputs: what they answered before, they answer here."""

from __future__ import annotations

import argparse
import functools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from aster_dse.activity.firing_log import read_firing_log
from aster_dse.errors import AsterError, InputError
from aster_dse.evaluation.checkpoint import Checkpoint, Wishes, load_checkpoint
from aster_dse.evaluation.recorded import Agreement, RecordedInputs, agreement, beside, load_recorded
from aster_dse.evaluation.subject import recorded_subject
from aster_dse.space import NetworkConfig
from aster_dse.space.presets import preset

DATA = Path(__file__).parents[1] / "network" / "data"
NAMES = ("sdt_static_lif", "sdt_event_erode_lif", "sdt_event_plif")
SHAPED_LIKE = {
    "sdt_static_lif": "cifar10-2-256",
    "sdt_event_erode_lif": "cifar10-dvs-2-256-t10",
    "sdt_event_plif": "dvs-gesture-2-256-t10",
}
"""Presets whose pooling and mode are those of the recorded networks."""
NOTHING = Wishes(knobs={})


def held(found: Checkpoint, recorded: RecordedInputs) -> Agreement:
    subject = recorded_subject(found.trained, recorded)
    result = agreement(recorded, functools.cache(subject.logits), subject.firing_log().firing_rate)
    assert result is not None
    return result


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A folder with the recorded files, to be damaged."""
    return Path(shutil.copytree(DATA, tmp_path / "data"))


@pytest.mark.parametrize("name", NAMES)
def test_every_skip_exit_and_rate_agrees(name: str) -> None:
    recorded = load_recorded(DATA / f"{name}.npz")
    found = load_checkpoint(DATA / f"{name}.safetensors", NOTHING, recorded=recorded)
    result = held(found, recorded)
    assert result.agrees
    assert len(result.logits) == len(recorded.logits) >= 4
    assert len(result.exits) == 12
    assert result.firing_rate is not None
    assert found.assumed == {}


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_of_timm_says_the_same_by_its_command_line(name: str, tmp_path: Path) -> None:
    stated = load_checkpoint(DATA / f"{name}.safetensors", NOTHING).network
    recorded = load_recorded(DATA / f"{name}.npz")
    arguments = argparse.Namespace(
        pooling_stat=stated.pooling,
        time_steps=recorded.timesteps,
        dvs_mode=stated.event_mode,
        dim=32,
        img_size=32,
        num_heads=8,
        spike_mode=stated.neuron,
    )
    weights = {f"module.{key}": value for key, value in load_file(DATA / f"{name}.safetensors").items()}
    torch.save({"state_dict": weights, "args": arguments}, tmp_path / "x.pth.tar")
    found = load_checkpoint(tmp_path / "x.pth.tar", NOTHING)
    assert found.network == stated
    assert found.assumed == {}
    assert held(found, recorded).agrees


@pytest.mark.parametrize("name", NAMES)
def test_bare_weights_take_the_rest_from_the_inputs_and_a_named_preset(name: str, tmp_path: Path) -> None:
    torch.save(load_file(DATA / f"{name}.safetensors"), tmp_path / "x.pth")
    recorded = load_recorded(DATA / f"{name}.npz")
    wanted = Wishes(knobs={}, preset=preset(SHAPED_LIKE[name]))
    found = load_checkpoint(tmp_path / "x.pth", wanted, recorded=recorded)
    assert held(found, recorded).agrees
    assert found.trained.geometry.timesteps == recorded.timesteps


@pytest.mark.parametrize("name", NAMES)
def test_bare_weights_beside_nothing_assume_the_most_similar_preset_and_say_so(
    name: str, tmp_path: Path
) -> None:
    torch.save(load_file(DATA / f"{name}.safetensors"), tmp_path / "x.pth")
    recorded = load_recorded(DATA / f"{name}.npz")
    found = load_checkpoint(tmp_path / "x.pth", NOTHING, recorded=recorded)
    assert found.assumed_from == SHAPED_LIKE[name]
    assert set(found.assumed) == {"network.pooling", "network.event_mode"}
    assert held(found, recorded).agrees


def test_what_is_set_by_hand_goes_first(tmp_path: Path) -> None:
    torch.save(load_file(DATA / "sdt_static_lif.safetensors"), tmp_path / "x.pth")
    knobs = {
        "network.pooling": "1100",
        "network.event_mode": False,
        "workload.resolution": 64,
        "workload.timesteps": 2,
    }
    found = load_checkpoint(tmp_path / "x.pth", Wishes(knobs=knobs))
    assert found.network.pooling == "1100"
    assert (found.trained.geometry.timesteps, found.trained.geometry.synaptic[0].height) == (2, 64)
    assert found.assumed == {}
    with pytest.raises(InputError, match=r"--set network\.width: 64, but the weights of .* say 32"):
        load_checkpoint(tmp_path / "x.pth", Wishes(knobs={"network.width": 64}))
    stated = Wishes(knobs={"network.pooling": "0001"})
    assert load_checkpoint(DATA / "sdt_static_lif.safetensors", stated).network.pooling == "0001"


def test_missing_and_unknown_weights_are_named_and_counted(tmp_path: Path) -> None:
    weights = load_file(DATA / "sdt_static_lif.safetensors")
    lacking = {key: value for key, value in weights.items() if "block.1.mlp" not in key}
    lacking["decoder.weight"] = torch.zeros(1)
    torch.save(lacking, tmp_path / "x.pth")
    with pytest.raises(InputError) as refusal:
        load_checkpoint(tmp_path / "x.pth", NOTHING, recorded=load_recorded(DATA / "sdt_static_lif.npz"))
    text = str(refusal.value)
    assert text.startswith(f"{tmp_path / 'x.pth'}: no blocks.1.mlp.fc1.bn.bias, ")
    assert "and 9 more; unknown decoder.weight" in text
    assert "\n" not in text


def test_other_weights_do_not_agree(copied: Path) -> None:
    weights = load_file(copied / "sdt_static_lif.safetensors")
    weights["head.weight"] = weights["head.weight"].flip(0).contiguous()
    torch.save(weights, copied / "sdt_static_lif.pth")
    recorded = load_recorded(copied / "sdt_static_lif.npz")
    found = load_checkpoint(copied / "sdt_static_lif.pth", NOTHING, recorded=recorded)
    result = held(found, recorded)
    assert not result.agrees
    assert not result.logits["none"]["predictions_equal"]
    assert result.firing_rate is not None
    assert result.firing_rate <= 1e-4, "the head does not change what fires"


@pytest.mark.parametrize(
    "name", ["x.safetensors", "x.pth", "x.pth.tar"], ids=["safetensors", "pth", "pth.tar"]
)
def test_inputs_beside_a_checkpoint_bear_its_name(name: str, tmp_path: Path) -> None:
    assert beside(tmp_path / name) is None
    np.savez(tmp_path / "x.npz", firing_rate=np.zeros(3))
    assert beside(tmp_path / name) is None, "that file holds something else"
    np.savez(tmp_path / "x.npz", input=np.zeros((1, 3, 8, 8)))
    assert beside(tmp_path / name) == tmp_path / "x.npz"
    (tmp_path / "x.npz").write_bytes(b"PK damaged")
    assert beside(tmp_path / name) is None


def test_the_companion_log_is_a_firing_log() -> None:
    log = read_firing_log(DATA / "sdt_event_plif.json")
    assert log.timesteps == 5
    assert len(log.block_activity(3, "x")) == 3


def _objects(path: Path) -> None:
    np.savez(path, input=np.array([{"a": 1}], dtype=object))


def _no_input(path: Path) -> None:
    np.savez(path, frames=np.zeros(3))


def _flat(path: Path) -> None:
    np.savez(path, input=np.zeros((3, 3)))


def _oblong(path: Path) -> None:
    np.savez(path, input=np.zeros((1, 3, 8, 4)))


def _labels(path: Path) -> None:
    np.savez(path, input=np.zeros((2, 3, 8, 8)), labels=np.zeros(3))


def _logits(path: Path) -> None:
    np.savez(path, input=np.zeros((2, 5, 2, 8, 8)), logits=np.zeros((4, 2, 10)))


def _garbage(path: Path) -> None:
    path.write_bytes(b"PK no archive")


@pytest.mark.parametrize("make", [_objects, _no_input, _flat, _oblong, _labels, _logits, _garbage])
def test_damaged_inputs_are_one_line(make: object, tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    make(path)  # type: ignore[operator]
    with pytest.raises(AsterError, match=r"x\.npz") as refusal:
        load_recorded(path)
    assert "\n" not in str(refusal.value)


def test_damaged_exits_are_one_line(copied: Path) -> None:
    path = copied / "sdt_static_lif.json"
    document = json.loads(path.read_text())
    document["early_exit"]["confidence:0.9"]["steps"].pop()
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"early_exit\.confidence:0\.9: 31 samples"):
        load_recorded(copied / "sdt_static_lif.npz")


def test_inputs_that_the_network_cannot_read() -> None:
    found = load_checkpoint(DATA / "sdt_static_lif.safetensors", NOTHING)
    with pytest.raises(InputError, match="holds frames of 2 x 32 x 32, the network reads 3 x 32 x 32"):
        recorded_subject(found.trained, load_recorded(DATA / "sdt_event_plif.npz"))


def test_a_setting_in_a_file_that_no_network_can_have(tmp_path: Path) -> None:
    config = {"T": 4, "size": 32, "pooling_stat": "12", "event_mode": False}
    path = tmp_path / "x.safetensors"
    save_file(load_file(DATA / "sdt_static_lif.safetensors"), path, metadata={"config": json.dumps(config)})
    with pytest.raises(InputError, match=r'x\.safetensors: pooling: "12"'):
        load_checkpoint(path, NOTHING)
    assert NetworkConfig().pooling != "12"
