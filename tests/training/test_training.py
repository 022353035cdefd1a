"""What a training promises: the same weights for the same configuration, whatever happens on the way."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from aster_dse.errors import AsterError, InputError, NotFoundError
from aster_dse.space import NetworkConfig, TrainingConfig, WorkloadConfig
from aster_dse.training import (
    EpochRow,
    TrainedNetwork,
    TrainingDiverged,
    load_trained,
    predict_logits,
    train,
)
from aster_dse.training.trained import Feed
from aster_dse.workload import Split, Workload

NETWORK = NetworkConfig(width=8, depth=1, stem="1-1-1-1", pooling="1010", mlp_ratio=1)
RECIPE = TrainingConfig(epochs=3, batch_size=32, warmup_epochs=0.5, shift_pixels=1, ema_decay=0.9)


def bars(count: int, seed: int) -> Split:
    """Frames in which a bar moves down (class 0) or right (class 1), with noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    frames = (rng.random((count, 2, 2, 8, 8)) < 0.05).astype(np.uint8)
    for sample, (label, start) in enumerate(zip(labels, rng.integers(1, 5, count), strict=True)):
        for step in range(2):
            bar = frames[sample, step, 0] if label == 0 else frames[sample, step, 0].T
            bar[start + step] = 1
    return Split(frames, labels)


class Untouchable(Split):
    """Test samples: training must not even look at them."""

    def __init__(self) -> None:
        pass

    def __getattribute__(self, name: str) -> object:
        raise AssertionError(f"training read the test samples' {name}")


@pytest.fixture(scope="module")
def workload() -> Workload:
    config = WorkloadConfig(name="digits-dvs", resolution=8, timesteps=2)
    names = tuple(str(digit) for digit in range(10))
    return Workload(config, bars(96, 0), bars(64, 1), Untouchable(), 10, 2, 1, 1.0, False, names)


@pytest.fixture(scope="module")
def trained(workload: Workload, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainedNetwork, Path]:
    folder = tmp_path_factory.mktemp("trained")
    return train(workload, NETWORK, RECIPE, folder=folder, device="cpu"), folder


def assert_same_weights(one: TrainedNetwork, other: TrainedNetwork) -> None:
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name]), name


def untimed(history: tuple[EpochRow, ...]) -> list[EpochRow]:
    return [replace(row, wall_s=0.0, cpu_s=0.0) for row in history]


def killed_after(epoch: int) -> Callable[[EpochRow], None]:
    def kill(row: EpochRow) -> None:
        if row.epoch == epoch:
            raise KeyboardInterrupt

    return kill


def test_it_learns(workload: Workload, tmp_path: Path) -> None:
    recipe = TrainingConfig(epochs=8, batch_size=16)
    result = train(workload, NETWORK, recipe, folder=tmp_path)
    assert result.history[-1].loss < result.history[0].loss
    assert result.accuracy >= 0.9
    assert not result.model.training


def test_what_it_returns(trained: tuple[TrainedNetwork, Path], workload: Workload) -> None:
    result, _ = trained
    assert [row.epoch for row in result.history] == [1, 2, 3]
    assert (result.epochs, result.resumed_from_epoch) == (3, 0)
    assert result.parameters == sum(p.numel() for p in result.model.parameters())
    assert result.cpu_s == pytest.approx(sum(row.cpu_s for row in result.history))
    logits = predict_logits(result.model, Feed(workload.validation, workload, torch.device("cpu")))
    assert logits.shape == (64, 2, 10)
    assert result.accuracy == (logits.sum(1).argmax(-1) == workload.validation.labels).mean()


def test_the_seed_decides_every_bit(
    trained: tuple[TrainedNetwork, Path], workload: Workload, tmp_path: Path
) -> None:
    torch.manual_seed(99)  # the caller's generator has no say
    again = train(workload, NETWORK, RECIPE, folder=tmp_path / "again", device="cpu")
    assert_same_weights(again, trained[0])
    assert untimed(again.history) == untimed(trained[0].history)
    other = train(workload, NETWORK, RECIPE.model_copy(update={"seed": 1}), folder=tmp_path / "other")
    assert not torch.equal(other.model.head.weight, trained[0].model.head.weight)


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_killed_after_any_epoch_and_resumed_it_ends_in_the_same_weights(
    trained: tuple[TrainedNetwork, Path], workload: Workload, tmp_path: Path, epoch: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(workload, NETWORK, RECIPE, folder=tmp_path, on_epoch=killed_after(epoch), device="cpu")
    seen: list[int] = []
    resumed = train(
        workload, NETWORK, RECIPE, folder=tmp_path, on_epoch=lambda row: seen.append(row.epoch), device="cpu"
    )
    assert seen == list(range(epoch + 1, 4))
    assert resumed.resumed_from_epoch == epoch
    assert_same_weights(resumed, trained[0])
    assert untimed(resumed.history) == untimed(trained[0].history)


def test_a_finished_training_is_loaded_not_repeated(
    trained: tuple[TrainedNetwork, Path], workload: Workload
) -> None:
    result, folder = trained
    again = train(workload, NETWORK, RECIPE, folder=folder, on_epoch=killed_after(1), device="cpu")
    assert again.resumed_from_epoch == again.epochs == 3
    assert again.history == result.history
    assert_same_weights(again, result)
    alone = load_trained(folder)
    assert_same_weights(alone, result)
    assert alone.geometry == result.geometry
    assert sorted(file.name for file in folder.iterdir()) == [
        "network.safetensors",
        "network.safetensors.sha256",
    ]


@pytest.mark.parametrize("damage", ["cut", "empty", "foreign"])
@pytest.mark.parametrize("file", ["epoch.safetensors", "network.safetensors"])
def test_a_damaged_file_is_trained_over_and_said_so(
    trained: tuple[TrainedNetwork, Path],
    workload: Workload,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    file: str,
    damage: str,
) -> None:
    whole = (trained[1] / "network.safetensors").read_bytes()
    content = {"cut": whole[: len(whole) // 2], "empty": b"", "foreign": b"weights" * 99}[damage]
    (tmp_path / file).write_bytes(content)
    result = train(workload, NETWORK, RECIPE, folder=tmp_path, device="cpu")
    assert file in caplog.text
    assert result.resumed_from_epoch == 0
    assert_same_weights(result, trained[0])


def test_the_weights_of_another_configuration_are_not_taken(
    trained: tuple[TrainedNetwork, Path], workload: Workload, tmp_path: Path
) -> None:
    (tmp_path / "network.safetensors").write_bytes((trained[1] / "network.safetensors").read_bytes())
    shorter = RECIPE.model_copy(update={"epochs": 1})
    assert train(workload, NETWORK, shorter, folder=tmp_path).resumed_from_epoch == 0
    assert load_trained(tmp_path).epochs == 1


def test_unreadable_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such checkpoint"):
        load_trained(tmp_path)
    (tmp_path / "network.safetensors").write_bytes(b"weights" * 99)
    with pytest.raises(InputError, match=r"network\.safetensors: cannot be read"):
        load_trained(tmp_path)


def test_divergence_is_an_error_that_crosses_processes(workload: Workload, tmp_path: Path) -> None:
    overflow = RECIPE.model_copy(update={"tet_mean": 1e30})  # its square is infinite in float32
    with pytest.raises(TrainingDiverged, match="inf in epoch 1, step 1") as failure:
        train(workload, NETWORK, overflow, folder=tmp_path)
    assert failure.value.epoch == 1
    copy = pickle.loads(pickle.dumps(failure.value))
    assert isinstance(copy, AsterError)
    assert str(copy) == str(failure.value)
    assert list(tmp_path.iterdir()) == []


def test_static_images_are_repeated_over_time(workload: Workload, tmp_path: Path) -> None:
    def still(split: Split) -> Split:
        return Split(split.frames[:, :1, :1] * np.uint8(255), split.labels)

    images = replace(
        workload,
        config=WorkloadConfig(name="digits", resolution=8, timesteps=3),
        train=still(workload.train),
        validation=still(workload.validation),
        in_channels=1,
        static=True,
        scale=1 / 255,
        input_bits=8,
    )
    result = train(images, NETWORK, TrainingConfig(epochs=1, loss="ce"), folder=tmp_path)
    logits = predict_logits(result.model, Feed(images.validation, images, torch.device("cpu")))
    assert logits.shape == (64, 3, 10)
    assert result.geometry.synaptic[0].input_bits == 8


def test_the_learning_rate_warms_up_and_falls(workload: Workload, tmp_path: Path) -> None:
    recipe = TrainingConfig(epochs=6, warmup_epochs=2, learning_rate=0.01, minimum_learning_rate=0.001)
    result = train(workload, NETWORK, recipe, folder=tmp_path)
    rates = [row.learning_rate for row in result.history]
    assert max(rates) == rates[2] == pytest.approx(0.01)
    assert rates[:3] == sorted(rates[:3])
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[-1] > 0.001


def test_averaged_weights_know_a_short_training(workload: Workload, tmp_path: Path) -> None:
    recipe = TrainingConfig(epochs=8, batch_size=16, ema_decay=0.9998)
    assert train(workload, NETWORK, recipe, folder=tmp_path).accuracy >= 0.8


def test_threads_are_given_back(workload: Workload, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    train(workload, NETWORK, TrainingConfig(epochs=1), folder=tmp_path, threads=before + 1)
    assert torch.get_num_threads() == before


def test_a_shift_moves_all_steps_of_a_sample_together(workload: Workload) -> None:
    frames = np.zeros((9, 2, 2, 7, 7), np.uint8)
    frames[:, :, :, 3, 3] = 1
    feed = Feed(Split(frames, np.arange(9)), workload, torch.device("cpu"))
    moves = torch.cartesian_prod(torch.tensor([-1, 0, 1]), torch.tensor([-1, 0, 1]))
    for sample, (down, right) in zip(feed.frames(slice(None), moves).transpose(0, 1), moves, strict=True):
        assert sample.sum() == 4
        assert (sample[..., 3 + down, 3 + right] == 1).all()
