"""The published recipes: optimisers, schedule, augmentation, mixing, precision, given weights, going on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from aster_dse.errors import InputError
from aster_dse.space import NetworkConfig, TrainingConfig, WorkloadConfig, preset, preset_names
from aster_dse.space.presets import in_epochs
from aster_dse.training import EpochRow, InitialWeights, train
from aster_dse.training.augmentation import (
    augment_events,
    augment_images,
    crop_boxes,
    cut_out,
    erase,
    sample_generator,
)
from aster_dse.training.batches import Batches
from aster_dse.training.loss import tet_loss
from aster_dse.training.mixing import Mix, draw_mix, mixed_inputs, mixed_labels
from aster_dse.training.optimiser import Lamb, optimiser_for
from aster_dse.training.schedule import learning_rate
from aster_dse.training.trained import Feed
from aster_dse.workload import Split, Workload

NETWORK = NetworkConfig(width=8, depth=1, stem="4-2-1-1", pooling="1101")
CPU = torch.device("cpu")
EVERYTHING = {"mixup": 0.4, "cutmix": 1.0, "random_erasing": 0.5, "cutout_pixels": 4, "repeats": 2}


@dataclass(frozen=True)
class Files:
    """Frames that are read when they are asked for, as those of files."""

    frames: NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.frames.shape

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: slice | NDArray[np.int64]) -> NDArray[np.uint8]:
        return self.frames[index]


def workload(
    *, static: bool, samples: int = 22, size: int = 16, steps: int = 2, classes: int = 10
) -> Workload:
    random = np.random.default_rng(1)
    shape = (samples, 1, 3, size, size) if static else (samples, steps, 2, size, size)
    frames = random.integers(0, 256 if static else 2, shape, dtype=np.uint8)
    split = Split(frames, (np.arange(samples) % classes).astype(np.int64))
    return Workload(
        config=WorkloadConfig(name="cifar10" if static else "digits-dvs", resolution=size, timesteps=steps),
        train=split,
        validation=split,
        test=split,
        classes=classes,
        in_channels=shape[2],
        input_bits=8 if static else 1,
        scale=1 / 255 if static else 1.0,
        static=static,
        class_names=tuple(map(str, range(classes))),
        mean=(0.5, 0.4, 0.3) if static else (),
        std=(0.2, 0.2, 0.2) if static else (),
    )


def recipe(static: bool, **changed: Any) -> TrainingConfig:
    own: dict[str, Any] = {"rand_augment": 9, "color_jitter": 0.4, "crop_area": 0.5} if static else {}
    own |= {"event_augmentation": not static, "horizontal_flip": 0.5}
    return TrainingConfig(**{"epochs": 2, "batch_size": 5, **EVERYTHING, **own, **changed})


def _random(count: int, epoch: int = 1) -> list[np.random.Generator]:
    return [sample_generator(3, epoch, place) for place in range(count)]


def test_one_step_of_lamb_is_that_of_the_paper() -> None:
    torch.manual_seed(0)
    matrix, vector = nn.Parameter(torch.randn(4, 3)), nn.Parameter(torch.randn(4))
    before = [parameter.detach().clone() for parameter in (matrix, vector)]
    matrix.grad, vector.grad = torch.randn(4, 3), torch.randn(4)
    norm = math.sqrt(float(matrix.grad.square().sum() + vector.grad.square().sum()))
    assert norm > 1
    groups = [{"params": [matrix], "weight_decay": 0.1}, {"params": [vector], "weight_decay": 0.0}]
    Lamb(groups, lr=0.01).step()
    for parameter, old, decay in ((matrix, before[0], 0.1), (vector, before[1], 0.0)):
        gradient = parameter.grad / norm
        # With the biases corrected, the first moments are the gradient and its square.
        update = gradient / (gradient.abs() + 1e-6) + decay * old
        trust = float(old.norm() / update.norm()) if decay else 1.0
        assert torch.allclose(parameter, old - 0.01 * trust * update, atol=1e-6)


def test_the_optimiser_decays_no_vectors() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    for name in ("adamw", "lamb"):
        config = TrainingConfig(optimiser=name, weight_decay=0.3)  # type: ignore[arg-type]
        groups = optimiser_for(model, config).param_groups
        assert [(group["weight_decay"], len(group["params"])) for group in groups] == [(0.3, 1), (0.0, 3)]


def test_the_schedule_at_its_corners() -> None:
    config = TrainingConfig(
        epochs=20, learning_rate=1e-2, warmup_epochs=4, warmup_learning_rate=1e-4, minimum_learning_rate=1e-3,
        cooldown_epochs=6,
    )  # fmt: skip
    expected = {0: 1e-4, 2: (1e-4 + 1e-2) / 2, 4: 1e-2, 9: (1e-3 + 1e-2) / 2, 14: 1e-3, 19.9: 1e-3}
    for done, rate in expected.items():
        assert learning_rate(config, done) == pytest.approx(rate)
    assert learning_rate(TrainingConfig(learning_rate=0.2), 0.0) == pytest.approx(0.01)


def test_nothing_asked_changes_nothing() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 12, 12), dtype=np.uint8)
    assert (augment_images(images, TrainingConfig(), _random(3)) == images).all()
    whole = np.tile(np.float32([0, 0, 1, 1]), (3, 1))
    assert (augment_images(images, TrainingConfig(), _random(3), boxes=whole) == images).all()
    frames = torch.randint(0, 2, (3, 2, 2, 12, 12))
    assert torch.equal(augment_events(frames, TrainingConfig(), _random(3)), frames)
    assert torch.equal(erase(frames.float(), 0.0, _random(3)), frames.float())


@pytest.mark.parametrize("channels", [1, 3])
def test_a_mirror_is_its_own_inverse(channels: int) -> None:
    config = TrainingConfig(horizontal_flip=1.0)
    images = np.random.default_rng(0).integers(0, 256, (4, channels, 8, 10), dtype=np.uint8)
    once = augment_images(images, config, _random(4))
    assert (once == images[..., ::-1]).all()
    frames = torch.randint(0, 2, (4, 3, 2, 8, 10), dtype=torch.uint8)
    assert torch.equal(augment_events(frames, config, _random(4)), frames.flip(-1))


@pytest.mark.parametrize("static", [True, False])
def test_a_sample_is_augmented_by_its_own_draws(static: bool) -> None:
    """Not by its neighbours, and differently in every epoch."""
    config = recipe(static)
    data = workload(static=static)
    frames = np.asarray(data.train.frames)

    def augmented(rows: slice, epoch: int = 1) -> NDArray[Any]:
        random = _random(len(frames), epoch)[rows]
        if static:
            boxes = crop_boxes(config.crop_area, random)
            return augment_images(frames[rows, 0], config, random, boxes=boxes)
        return augment_events(torch.from_numpy(frames[rows]), config, random).numpy()

    everything = augmented(slice(None))
    assert everything.dtype == np.uint8
    assert (augmented(slice(4, 9)) == everything[4:9]).all()
    assert (augmented(slice(None), 2) != everything).any()
    assert (everything != (frames[:, 0] if static else frames)).any()


def test_event_frames_move_alike_at_every_step() -> None:
    frames = torch.randint(0, 2, (16, 1, 2, 20, 20), dtype=torch.uint8).expand(-1, 4, -1, -1, -1)
    moved = augment_events(frames, TrainingConfig(event_augmentation=True), _random(16))
    assert torch.equal(moved[:, :1].expand_as(moved), moved)
    assert not torch.equal(moved, frames)


@given(area=st.floats(0.05, 1.0), aspect=st.floats(0.5, 2.0))
def test_crops_lie_inside_the_image(area: float, aspect: float) -> None:
    boxes = crop_boxes(area, _random(20), [aspect] * 20)
    assert (boxes >= -1e-6).all()
    assert (boxes <= 1 + 1e-6).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_cut_out_and_erased_areas() -> None:
    ones = torch.ones(40, 2, 3, 20, 20)
    holes = (cut_out(ones, 6, _random(40))[:, 0, 0] == 0).sum((1, 2))
    assert holes.max() == 36
    assert holes.min() >= 9
    gone = (erase(ones, 1.0, _random(40))[:, 0, 0] == 0).sum((1, 2)) / 400
    assert gone.min() > 0.01
    assert gone.max() < 0.4


@given(
    height=st.integers(4, 40), width=st.integers(4, 40), step=st.integers(0, 500), own=st.floats(0.01, 0.99)
)
def test_labels_are_mixed_as_pixels_are(height: int, width: int, step: int, own: float) -> None:
    mix = draw_mix(TrainingConfig(cutmix=1.0), 1, step, height, width)
    assert mix is not None
    zeros = torch.zeros(2, 3, 1, height, width)
    mixed = mixed_inputs(zeros, zeros + 1, mix)
    assert float(1 - mixed.mean()) == pytest.approx(mix.own, abs=1e-5)
    labels = mixed_labels(torch.tensor([0, 1, 2]), torch.tensor([2, 1, 0]), 4, Mix(own, None))
    assert torch.allclose(labels.sum(1), torch.ones(3))
    assert labels[1].tolist() == pytest.approx([0, 1, 0, 0])


def test_mixing_ends_and_takes_both_kinds() -> None:
    config = TrainingConfig(mixup=0.2, cutmix=1.0, mix_probability=0.7, mix_epochs=3)
    drawn = [draw_mix(config, 3, step, 8, 8) for step in range(400)]
    assert 0.6 < sum(mix is not None for mix in drawn) / 400 < 0.8
    cut = [mix.box is not None for mix in drawn if mix is not None]
    assert 0.4 < sum(cut) / len(cut) < 0.6
    assert draw_mix(config, 4, 0, 8, 8) is None
    assert draw_mix(TrainingConfig(), 1, 0, 8, 8) is None


def test_probabilities_are_labels_too() -> None:
    logits, labels = torch.randn(3, 5, 4), torch.tensor([0, 1, 2, 3, 0])
    sure = torch.nn.functional.one_hot(labels, 4).float()
    one, other = (
        tet_loss(logits, kind, weight=0.1, mean=1.0, label_smoothing=0.1) for kind in (labels, sure)
    )
    assert torch.allclose(one, other)


def test_repeated_augmentation_keeps_the_length_of_an_epoch() -> None:
    data = workload(static=False)
    batches = Batches(
        Feed(data.train, data, CPU), data, TrainingConfig(batch_size=6, repeats=3, shift_pixels=0)
    )
    epoch = list(batches.epoch(1))
    assert len(epoch) == batches.steps()
    assert sum(batch.samples for batch in epoch) == len(data.train)
    assert torch.equal(epoch[0].inputs[:, 0], epoch[0].inputs[:, 2])


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize("optimiser", ["adamw", "lamb"])
def test_a_training_that_goes_on_is_one_that_never_stopped(
    tmp_path: Path, static: bool, optimiser: str
) -> None:
    data, training = workload(static=static), recipe(static, optimiser=optimiser, epochs=3)

    def stop(row: EpochRow) -> None:
        if row.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(data, NETWORK, training, folder=tmp_path / "a", on_epoch=stop, device="cpu")
    on = train(data, NETWORK, training, folder=tmp_path / "a", device="cpu")
    whole = train(data, NETWORK, training, folder=tmp_path / "b", device="cpu")
    assert (on.resumed_from_epoch, whole.resumed_from_epoch) == (2, 0)
    for name, weights in whole.model.state_dict().items():
        assert torch.equal(on.model.state_dict()[name], weights), name


@pytest.mark.parametrize("static", [True, False])
def test_frames_of_files_train_as_frames_in_memory(tmp_path: Path, static: bool) -> None:
    data = workload(static=static)
    frames = np.asarray(data.train.frames)
    files = replace(data, train=Split(Files(frames), data.train.labels))
    trained = [
        train(kind, NETWORK, recipe(static), folder=tmp_path / name, device="cpu")
        for name, kind in (("memory", data), ("files", files))
    ]
    for name, weights in trained[0].model.state_dict().items():
        assert torch.equal(trained[1].model.state_dict()[name], weights), name


def test_sixteen_bits(tmp_path: Path) -> None:
    data = workload(static=False)
    training = TrainingConfig(epochs=1, batch_size=8, amp="bf16")
    trained = train(data, NETWORK, training, folder=tmp_path, device="cpu")
    assert all(t.dtype != torch.bfloat16 for t in trained.model.state_dict().values())
    with pytest.raises(InputError, match=r"training\.amp: fp16 needs a GPU"):
        train(data, NETWORK, TrainingConfig(amp="fp16"), folder=tmp_path / "other", device="cpu")


def test_given_weights_are_where_it_starts(tmp_path: Path) -> None:
    data = workload(static=False)
    still = TrainingConfig(epochs=1, learning_rate=1e-9, warmup_epochs=0, ema_decay=0.0)
    first = train(data, NETWORK, TrainingConfig(epochs=1, seed=5), folder=tmp_path / "first", device="cpu")
    state = {name: t for name, t in first.model.state_dict().items() if name.endswith("conv.weight")}
    given = InitialWeights(state, "abc")
    on = train(data, NETWORK, still, folder=tmp_path / "on", initial=given, device="cpu")
    for name, weights in state.items():
        assert torch.allclose(on.model.state_dict()[name], weights, atol=1e-6)
    other = InitialWeights({}, "another")
    again = train(data, NETWORK, still, folder=tmp_path / "on", initial=other, device="cpu")
    assert again.resumed_from_epoch == 0
    wrong = InitialWeights({"head.weight": torch.zeros(3, 3)}, "x")
    with pytest.raises(InputError, match=r"head\.weight does not fit"):
        train(data, NETWORK, still, folder=tmp_path / "no", initial=wrong, device="cpu")


@pytest.mark.parametrize(
    ("static", "changed"),
    [(False, {"rand_augment": 3}), (False, {"color_jitter": 0.1}), (True, {"event_augmentation": True})],
)
def test_an_augmentation_of_other_frames_is_one_line(
    static: bool, changed: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=rf"training\.{next(iter(changed))}: is an augmentation of"):
        train(workload(static=static), NETWORK, TrainingConfig(**changed), folder=tmp_path, device="cpu")


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_trains(name: str, tmp_path: Path) -> None:
    """Its recipe on a small network and few samples of its kind."""
    chosen = preset(name)
    static = chosen.workload.name in ("digits", "cifar10", "cifar100", "imagenet")
    data = workload(static=static, samples=6)
    network = chosen.network.model_copy(update={"width": 8, "depth": 1, "num_heads": 2, "pooling": "1101"})
    training = in_epochs(chosen.training, 1).model_copy(update={"batch_size": 3, "amp": "off"})
    trained = train(data, network, training, folder=tmp_path, device="cpu")
    assert math.isfinite(trained.history[0].loss)
    assert chosen.source


def test_a_recipe_in_other_epochs_keeps_its_shares() -> None:
    short = in_epochs(preset("cifar10-2-256").training, 31)
    assert (short.epochs, short.warmup_epochs, short.cooldown_epochs, short.mix_epochs) == (31, 2.0, 1, 20)
    with pytest.raises(InputError, match=r"there is no preset 'cifar10-2-257'.*did you mean"):
        preset("cifar10-2-257")
