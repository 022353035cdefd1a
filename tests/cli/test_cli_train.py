"""Training and fine-tuning from the command line: checkpoints that are gone on from, and refusals."""

from __future__ import annotations

import shlex
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch
from command_line import aster, start
from network_commands import OFFICIAL, SMALL, small_training
from safetensors.torch import load_file

from aster_dse.training import load_trained


def test_training_ends_in_a_checkpoint_and_says_how_good_it_is(tmp_path: Path) -> None:
    ran = small_training(tmp_path / "x", "--test", epochs=2)
    assert ran.code == 0, ran.err
    document = ran.document
    assert document["checkpoint"] == str(tmp_path / "x" / "network.safetensors")
    trained = load_trained(tmp_path / "x")
    assert document["accuracy"] == trained.accuracy
    assert document["epochs"] == 2
    low, high = document["interval"]
    assert low <= document["accuracy"] <= high
    assert document["test"]["samples"] == 299
    assert trained.model.config.pooling == "1010"
    assert "epoch 2 of 2" in ran.err


def test_test_samples_stay_unseen_unless_asked_for(trained: Path) -> None:
    again = small_training(trained)
    assert "test" not in again.document
    assert "reused the trained network in" in again.err


def test_the_folder_is_named_after_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    key = small_training(trained).document["training_key"]
    shutil.copytree(trained, tmp_path / f"digits-dvs-{key}")
    ran = aster("train", "digits-dvs", *SMALL, "--set", "training.epochs=4", "--json")
    assert "reused the trained network in" in ran.err
    assert ran.document["checkpoint"] == f"digits-dvs-{key}/network.safetensors"


def test_a_folder_of_another_training_is_refused_with_the_difference(trained: Path) -> None:
    before = (trained / "network.safetensors").read_bytes()
    ran = small_training(trained, "--set", "training.batch_size=32")
    assert (ran.code, ran.out) == (3, "")
    assert "training.batch_size is 64, not 32" in ran.complaint
    assert (trained / "network.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["imagenet-21k"], "there is no data set 'imagenet-21k'"),
        (["digits-dvs", "--preset", "sdt"], "sdt"),
        (
            ["digits-dvs", "--preset", "digits"],
            "reads images of 1 channels, digits-dvs has event frames of 2",
        ),
        (["digits-dvs", "--set", "hardware.rows=64"], "there is no knob hardware.rows"),
        (["digits-dvs", "--set", "training.epochs=none"], "training.epochs=none"),
        (["digits-dvs", "--set", "workload.resolution=256"], "workload.resolution: 256"),
        (["digits-dvs", "--set", "network.event_mode=true", "--set", "network.num_heads=5"], "num_heads"),
        (["digits-dvs", "-o", "/dev/null/x"], "/dev/null/x cannot be made"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_words_are_one_line(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = aster("train", *words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.complaint


def test_an_interrupted_training_names_the_command_that_goes_on(tmp_path: Path) -> None:
    words = ["train", "digits-dvs", *SMALL, "--set", "training.epochs=40", "-o", tmp_path / "x"]
    running = start(*words, folder=tmp_path)
    epoch = tmp_path / "x" / "epoch.safetensors"
    while not epoch.exists() and running.poll() is None:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert epoch.exists()
    line = err.splitlines()[-1]
    assert "of 40 epochs are kept; resume with: " in line
    command = line.split("resume with: ")[1]
    assert f"train digits-dvs --set workload.resolution=16 {' '.join(SMALL[2:])}" in command
    kept = int(line.split(" of 40 epochs")[0].rsplit(" ", 1)[1])

    assert command.split()[0].endswith("aster-dse")
    going_on = start(*shlex.split(command)[1:], folder=tmp_path)
    assert going_on.stderr is not None
    first = next(line for line in going_on.stderr if "epoch " in line)
    going_on.kill()
    going_on.communicate()
    assert f"epoch {kept + 1} of 40" in first


def test_fine_tuning_begins_with_the_weights_of_the_checkpoint(trained: Path, tmp_path: Path) -> None:
    words = [
        "--set",
        "training.epochs=1",
        "--set",
        "training.learning_rate=1e-9",
        "--set",
        "training.ema_decay=0",
    ]
    ran = aster("finetune", trained, *words, "-o", tmp_path / "x", "--json")
    assert ran.code == 0, ran.err
    before, after = load_trained(trained), load_trained(tmp_path / "x")
    assert after.model.config == before.model.config
    for name, weight in before.model.named_parameters():
        assert torch.allclose(weight, dict(after.model.named_parameters())[name], atol=1e-6), name
    assert ran.document["initial"]
    again = aster("finetune", trained, *words, "-o", tmp_path / "x", "--json")
    assert "reused the trained network in" in again.err


def test_fine_tuning_a_published_checkpoint_on_other_classes_gives_it_a_new_head(tmp_path: Path) -> None:
    weights = load_file(OFFICIAL / "sdt_event_plif.safetensors")
    torch.save({"state_dict": weights}, tmp_path / "sdt.pth.tar")
    knobs = ("network.pooling=1111", "network.event_mode=false", "workload.resolution=16")
    words = [
        word for knob in (*knobs, "workload.timesteps=2", "training.epochs=1") for word in ("--set", knob)
    ]
    ran = aster("finetune", tmp_path / "sdt.pth.tar", "digits-dvs", *words, "-o", tmp_path / "x", "--json")
    assert ran.code == 0, ran.err
    assert "the head for 11 classes is replaced by a new one for the 10 of digits-dvs" in ran.err
    tuned = load_trained(tmp_path / "x")
    assert (tuned.geometry.depth, tuned.geometry.classes) == (3, 10)
    assert tuned.model.config.neuron == "plif"


def test_channels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    ran = aster("finetune", OFFICIAL / "sdt_static_lif.safetensors", "digits-dvs", "-o", tmp_path / "x")
    assert ran.code == 2
    assert "reads 3 channels, digits-dvs has 2" in ran.complaint
