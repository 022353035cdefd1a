"""A data set too small to be parted is refused in one line that says what would be enough."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from event_trees_made import CIFAR10, small, write_npz
from PIL import Image

from aster_dse.errors import InputError
from aster_dse.space import WorkloadConfig
from aster_dse.workload import load_workload, training_samples
from aster_dse.workload.event_files import Sensor
from aster_dse.workload.partition import held_out

SMALL = Sensor(16, 16)
Counts = dict[str, dict[str, int]]
"""Samples by part and class; the part is empty where there are no parts."""


def _events(root: Path, counts: Counts, sensor: Sensor = SMALL) -> None:
    for part, classes in counts.items():
        for label, (name, count) in enumerate(classes.items()):
            for number in range(count):
                write_npz(root / "events_np" / part / name / f"{number:02d}.npz", 20 * label + number, sensor)


def _images(root: Path, counts: Counts) -> None:
    for part, classes in counts.items():
        for name, count in classes.items():
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (40, 40), (number, 9, 9)).save(root / part / name / f"{number}.png")


def _config(name: str) -> WorkloadConfig:
    resolution = 32 if name == "image-folder" else 16
    own = {} if name == "cifar10-dvs" else {"folder": "mine", "classes": 3}
    return small(name, resolution=resolution, validation_share=0.1, **own)


def _loads(name: str, data: Path) -> tuple[int, int, int]:
    workload = load_workload(_config(name), data=data, cache=data / "cache")
    assert training_samples(_config(name), data=data) == len(workload.train)
    return len(workload.train), len(workload.validation), len(workload.test)


def _refused(name: str, data: Path, where: str, problem: str, remedy: str) -> None:
    for ask in (
        lambda: load_workload(_config(name), data=data, cache=data / "cache"),
        lambda: training_samples(_config(name), data=data),
    ):
        with pytest.raises(InputError) as caught:
            ask()
        assert caught.value.where == str(data / where)
        assert caught.value.problem == problem
        assert caught.value.remedy == remedy


def _every(count: int) -> dict[str, int]:
    return {"bow": count, "nod": count, "wave": count}


MAKERS: dict[str, tuple[Callable[[Path, Counts], None], str, str]] = {
    "image-folder": (_images, "val", "mine/train"),
    "event-folder": (_events, "test", "mine/events_np"),
}
TWO = "2 training samples or more of every class"
TEN = "10 samples or more of every class"


@pytest.mark.parametrize("name", MAKERS)
def test_a_class_of_one_training_sample_cannot_be_validated(name: str, tmp_path: Path) -> None:
    make, test, where = MAKERS[name]
    make(tmp_path / "mine", {"train": _every(1), test: _every(1)})
    problem = "has too few training samples to hold one out for validation of "
    _refused(name, tmp_path, where, problem + "bow (1), nod (1), wave (1)", TWO)


@pytest.mark.parametrize("name", MAKERS)
def test_one_class_of_one_training_sample_is_named(name: str, tmp_path: Path) -> None:
    make, test, where = MAKERS[name]
    make(tmp_path / "mine", {"train": {"bow": 4, "nod": 1, "wave": 2}, test: _every(1)})
    problem = "has too few training samples to hold one out for validation of nod (1)"
    _refused(name, tmp_path, where, problem, TWO)


@pytest.mark.parametrize("name", MAKERS)
def test_two_training_samples_a_class_are_enough(name: str, tmp_path: Path) -> None:
    make, test, _ = MAKERS[name]
    make(tmp_path / "mine", {"train": _every(2), test: _every(1)})
    assert _loads(name, tmp_path) == (3, 3, 3)


def test_images_with_a_validation_part_need_one_training_sample_a_class(tmp_path: Path) -> None:
    _images(tmp_path / "mine", {"train": _every(1), "val": _every(1), "test": _every(1)})
    assert _loads("image-folder", tmp_path) == (3, 3, 3)


@pytest.mark.parametrize("count", [1, 5, 9])
def test_recordings_without_parts_need_ten_of_every_class(count: int, tmp_path: Path) -> None:
    _events(tmp_path / "mine", {"": _every(count)})
    problem = f"leaves no sample for the test of bow ({count}), nod ({count}), wave ({count})"
    remedy = f"{TEN}, or the folders train and test in it"
    _refused("event-folder", tmp_path, "mine/events_np", problem, remedy)


def test_one_class_of_fewer_than_ten_recordings_is_named(tmp_path: Path) -> None:
    _events(tmp_path / "mine", {"": {"bow": 12, "nod": 9, "wave": 10}})
    remedy = f"{TEN}, or the folders train and test in it"
    problem = "leaves no sample for the test of nod (9)"
    _refused("event-folder", tmp_path, "mine/events_np", problem, remedy)


def test_ten_recordings_of_every_class_are_enough(tmp_path: Path) -> None:
    _events(tmp_path / "mine", {"": _every(10)})
    assert _loads("event-folder", tmp_path) == (24, 3, 3)


def test_a_published_set_of_too_few_recordings(tmp_path: Path) -> None:
    _events(tmp_path / "CIFAR10DVS", {"": dict.fromkeys(CIFAR10, 9)}, Sensor(128, 128))
    problem = "leaves no sample for the test of " + ", ".join(f"{name} (9)" for name in CIFAR10)
    _refused("cifar10-dvs", tmp_path, "CIFAR10DVS/events_np", problem, TEN)


def test_many_small_classes_are_one_line() -> None:
    names = [f"kind {number}" for number in range(200)]
    with pytest.raises(InputError) as caught:
        held_out(np.arange(200), 0.1, 0, where="here", classes=names)
    assert len(str(caught.value)) < 300
    assert str(caught.value).endswith(f"kind 9 (1), ... ({TWO})")
