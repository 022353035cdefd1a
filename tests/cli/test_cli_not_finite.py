"""Values that are no numbers are refused in one line with their place, whatever file of a user holds them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.torch
from command_line import aster
from network_commands import OFFICIAL, SMALL

from aster_dse.hardware.documents import shipped_text
from aster_dse.stored_files import keep
from aster_dse.training.checkpoint import EPOCH_FILE, NETWORK_FILE

COMMANDS: dict[str, tuple[object, ...]] = {
    "evaluate": ("evaluate", "FILE"),
    "profile": ("profile", "FILE"),
    "sweep": ("sweep", "FILE"),
    "finetune": ("finetune", "FILE", "digits"),
    "hardware estimate": ("hardware", "estimate", "--network", "FILE"),
    "hardware sweep": ("hardware", "sweep", "FILE", "--over", "hardware.rows=32,64"),
}


def spoilt(path: Path, target: Path, name: str, value: float = float("nan")) -> Path:
    """A copy of a file of weights in which one of a tensor's is no number, with a digest that is right."""
    with safetensors.safe_open(path, framework="pt") as file:
        metadata, tensors = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    tensors[name].view(-1)[0] = value
    target.parent.mkdir(parents=True, exist_ok=True)
    keep(target, safetensors.torch.save(tensors, metadata))
    return target


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("whose", ["published", "ours"])
def test_a_checkpoint_with_a_weight_that_is_no_number(command: str, whose: str, tmp_path: Path) -> None:
    if whose == "published":
        path = spoilt(OFFICIAL / "sdt_static_lif.safetensors", tmp_path / "w.safetensors", "head.weight")
    else:
        source = Path(__file__).parents[1] / "trained" / NETWORK_FILE
        path = spoilt(source, tmp_path / NETWORK_FILE, "head.weight", float("-inf"))
    ran = aster(*(path if word == "FILE" else word for word in COMMANDS[command]))
    assert ran.code == 2
    assert str(path) in ran.complaint
    assert "1 of the" in ran.complaint
    assert "values of head.weight is NaN or infinite" in ran.complaint
    assert ran.out == ""


@pytest.mark.parametrize("name", [NETWORK_FILE, EPOCH_FILE])
def test_a_training_is_not_resumed_from_values_that_are_no_numbers(name: str, tmp_path: Path) -> None:
    words = ("train", "digits-dvs", *SMALL, "--set", "training.epochs=1", "-o", tmp_path / "run")
    assert aster(*words).code == 0
    network = tmp_path / "run" / NETWORK_FILE
    tensor = "head.weight"
    content = network.read_bytes()
    if name == EPOCH_FILE:
        network.unlink()
    with (tmp_path / "whole").open("wb") as file:
        file.write(content)
    path = spoilt(tmp_path / "whole", tmp_path / "run" / name, tensor)
    for _ in range(2):
        ran = aster(*words)
        assert ran.code == 2
        assert str(path) in ran.complaint
        assert f"values of {tensor} is NaN or infinite" in ran.complaint
        # Also where the file is damaged besides.
        path.write_bytes(path.read_bytes()[:-1] + b"\1")


@pytest.mark.parametrize("array", ["input", "logits"])
def test_recorded_inputs_that_are_no_numbers(array: str, tmp_path: Path) -> None:
    arrays = dict(np.load(OFFICIAL / "sdt_static_lif.npz"))
    arrays[array] = arrays[array].astype(np.float32)
    arrays[array].reshape(-1)[:3] = np.nan
    np.savez(tmp_path / "inputs.npz", **arrays)
    weights = OFFICIAL / "sdt_static_lif.safetensors"
    ran = aster("evaluate", weights, "--inputs", tmp_path / "inputs.npz")
    assert ran.code == 2
    assert f"inputs.npz: {array}: 3 of its" in ran.complaint


def _log(value: Any) -> dict[str, Any]:
    return {"t0": {"MS_SPS_lif": value}}


@pytest.mark.parametrize(
    "document",
    [
        _log(float("nan")),
        _log(float("inf")),
        {"firing_rate": _log(0.1), "non_zero": _log(float("nan"))},
    ],
)
def test_a_firing_log_with_a_rate_that_is_no_number(document: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text(json.dumps(document))
    weights = OFFICIAL / "sdt_static_lif.safetensors"
    ran = aster("evaluate", weights, "--inputs", OFFICIAL / "sdt_static_lif.npz", "--skip-threshold", "0.1",
                "--firing-log", tmp_path / "log.json")  # fmt: skip
    assert ran.code == 2
    assert "t0.MS_SPS_lif" in ran.complaint


def _figure(library: dict[str, Any]) -> None:
    library["adder_energy"]["at_nm"] = {key: float("nan") for key in library["adder_energy"]["at_nm"]}


def _intercept(library: dict[str, Any]) -> None:
    library["flash"]["area"]["intercept"] = float("inf")


@pytest.mark.parametrize("change", [_figure, _intercept])
def test_a_component_file_with_a_figure_that_is_no_number(
    change: Callable[[dict[str, Any]], None], tmp_path: Path
) -> None:
    import yaml

    library = yaml.safe_load(shipped_text("libraries", "aster-mixed"))
    change(library)
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(library))
    ran = aster("hardware", "estimate", "--set", f"hardware.library={tmp_path / 'own.yaml'}")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()
    for line in ran.err.splitlines():
        assert line.startswith("aster-dse: error: ")
        assert "own.yaml" in line
        assert "finite number" in line


def test_a_variance_below_zero_whose_root_is_no_number_is_refused_too(tmp_path: Path) -> None:
    variance = "block.0.attn.proj_bn.running_var"
    path = spoilt(OFFICIAL / "sdt_static_lif.safetensors", tmp_path / "w.safetensors", variance, -9.0)
    ran = aster("evaluate", path, "--inputs", OFFICIAL / "sdt_static_lif.npz")
    assert ran.code == 2
    assert re.search(rf"1 of the \d+ variances {re.escape(variance)} are negative", ran.complaint)
    assert ran.out == ""
