"""Event data sets in the folders that people have: what is read, how it is parted, what is kept."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from event_trees_made import (
    DIGITS,
    GESTURES,
    MAKERS,
    cifar10_dvs,
    gesture,
    gesture_trials,
    n_cars,
    n_mnist,
    own_folder,
    random_events,
    small,
    write_npz,
    write_ready,
)

from aster_dse.errors import InputError
from aster_dse.workload import Workload, event_sets, load_workload, workload_shape
from aster_dse.workload.event_files import Sensor
from aster_dse.workload.event_frames import count_frames


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Workload]:
    def read(name: str, **fields: object) -> Workload:
        return load_workload(small(name, **fields), data=tmp_path, cache=tmp_path / "cache")

    return read


@pytest.mark.parametrize("name", MAKERS)
def test_a_data_set_is_what_its_shape_says(name: str, tmp_path: Path, load: Callable[..., Workload]) -> None:
    folder, make = MAKERS[name]
    make(tmp_path / folder)
    shape, workload = workload_shape(small(name)), load(name)
    assert shape.classes == workload.classes == len(workload.class_names)
    assert (shape.in_channels, shape.input_bits, shape.static) == (2, 8, False)
    assert (workload.in_channels, workload.input_bits, workload.static) == (2, 8, False)
    for split in (workload.train, workload.validation, workload.test):
        assert split.frames.shape == (len(split), 3, 2, 16, 16)
        assert np.unique(split.labels).tolist() == list(range(workload.classes))
        assert (split.frames[:].sum(axis=(1, 2, 3, 4)) == 40).all()


def test_cifar10_dvs_tests_on_the_last_tenth_of_each_class_by_name(
    tmp_path: Path, load: Callable[..., Workload]
) -> None:
    cifar10_dvs(tmp_path / "cifar10-dvs")
    workload = load("cifar10-dvs", resolution=64)
    assert [len(split) for split in (workload.train, workload.validation, workload.test)] == [50, 50, 10]
    # By name: 0, 1, 10, 2, ..., 9.
    last = count_frames(random_events(309, Sensor(128, 128)), 3, "number", Sensor(128, 128), 64)
    assert (workload.test.frames[3:4][0] == last).all()
    assert workload.scale == 0.25


def test_gestures_are_numbered_as_torchvision_numbers_folders(
    tmp_path: Path, load: Callable[..., Workload]
) -> None:
    gesture(tmp_path / "DVS128Gesture")
    workload = load("dvs-gesture", resolution=128)
    assert workload.class_names[:4] == (
        "hand clapping",
        "right hand wave",
        "other gestures",
        "left hand wave",
    )
    tenth = count_frames(random_events(100, Sensor(128, 128)), 3, "number", Sensor(128, 128), 128)
    assert (workload.test.frames[2:3][0] == tenth).all()
    assert workload.scale == 1.0


def test_cars_are_padded_to_a_square(tmp_path: Path, load: Callable[..., Workload]) -> None:
    n_cars(tmp_path / "n-cars")
    workload = load("n-cars", resolution=120)
    assert workload.class_names == ("background", "cars")
    frames = workload.test.frames[:]
    assert frames[:, :, :, :10].sum() == frames[:, :, :, 110:].sum() == 0
    assert frames[:, :, :, 10:110].sum() == 80


def test_the_usual_raw_files_read_as_the_prepared_ones(tmp_path: Path, load: Callable[..., Workload]) -> None:
    n_mnist(tmp_path / "N-MNIST")
    raw = load("n-mnist")
    for part, each in (("train", 2), ("test", 1)):
        for name in DIGITS:
            for number in range(each):
                path = tmp_path / "nmnist" / "events_np" / part / name / f"{number:05d}.npz"
                write_npz(path, 10 * int(name) + number, Sensor(34, 34))
    prepared = load("n-mnist", folder="nmnist")
    assert (raw.train.frames[:] == prepared.train.frames[:]).all()
    assert (raw.test.frames[:] == prepared.test.frames[:]).all()


def test_ready_frames_go_before_events(tmp_path: Path, load: Callable[..., Workload]) -> None:
    root = tmp_path / "DVSGesturedataset"
    gesture(root)
    for part in ("train", "test"):
        for label, name in enumerate(GESTURES):
            for number in range(2):
                path = root / "frames_number_3_split_by_number" / part / name / f"{number}.npz"
                write_ready(path, 10 * label + number, Sensor(128, 128), 3)
    ready = load("dvs-gesture", resolution=64)
    counts = np.random.default_rng(0).poisson(0.4, (3, 2, 128, 128)).reshape(3, 2, 64, 2, 64, 2).sum((3, 5))
    assert len(ready.test) == 22
    assert (ready.test.frames[0:1][0] == counts).all()
    # The other kinds of frames are made of the events.
    assert len(load("dvs-gesture", resolution=64, split_by="time").test) == 11


@pytest.mark.parametrize("place", [".", "extract"])
def test_gestures_are_cut_out_of_their_long_recordings(
    place: str, tmp_path: Path, load: Callable[..., Workload]
) -> None:
    gesture_trials(tmp_path / "DVS128Gesture" / place)
    workload = load("dvs-gesture", resolution=128)
    assert [len(split) for split in (workload.train, workload.validation, workload.test)] == [11, 11, 22]
    for label, number in ((0, 0), (2, 10), (10, 9)):
        wanted = count_frames(random_events(number, Sensor(128, 128)), 3, "number", Sensor(128, 128), 128)
        member = np.flatnonzero(workload.test.labels == label)
        assert (workload.test.frames[member][0] == wanted).all()


@pytest.mark.parametrize("parts", [("train", "test"), ("Train", "Test")])
def test_a_folder_of_ones_own_names_its_classes(
    parts: tuple[str, str], tmp_path: Path, load: Callable[..., Workload]
) -> None:
    own_folder(tmp_path / "mine", parts)
    workload = load("event-folder")
    assert workload.class_names == ("bow", "nod", "wave")
    assert [len(split) for split in (workload.train, workload.validation, workload.test)] == [3, 3, 6]


def test_a_folder_without_parts_gives_its_last_tenth_to_the_test(
    tmp_path: Path, load: Callable[..., Workload]
) -> None:
    for label, name in enumerate(("bow", "nod", "wave")):
        for number in range(12):
            write_npz(
                tmp_path / "mine" / "events_np" / name / f"{number:02d}.npz",
                50 * label + number,
                Sensor(16, 16),
            )
    workload = load("event-folder")
    assert len(workload.train) + len(workload.validation) == 33
    assert len(workload.test) == 3


def test_a_folder_of_ones_own_may_name_a_larger_sensor(tmp_path: Path, load: Callable[..., Workload]) -> None:
    own_folder(tmp_path / "mine")
    (tmp_path / "mine" / "recording.json").write_text('{"sensor": [16, 20]}')
    assert load("event-folder", resolution=10).scale == 0.25
    with pytest.raises(InputError, match=r"workload\.resolution: 32 is out of range"):
        load("event-folder", resolution=32)
    for text in (
        "{",
        '{"sensor": 3}',
        '{"sensor": [3]}',
        '{"sensor": ["a", "b"]}',
        '{"sensor": [0, 5]}',
        "[]",
    ):
        (tmp_path / "mine" / "recording.json").write_text(text)
        with pytest.raises(InputError, match=r"recording\.json: .*sensor"):
            load("event-folder")


def test_what_must_be_told_of_a_folder_of_ones_own() -> None:
    for knob in ("folder", "classes"):
        with pytest.raises(InputError, match=rf"workload\.{knob}: is not given"):
            workload_shape(small("event-folder", **{knob: None}))


def test_as_many_classes_as_told(tmp_path: Path, load: Callable[..., Workload]) -> None:
    own_folder(tmp_path / "mine")
    with pytest.raises(InputError, match=r"events_np: has 3 classes, workload\.classes is 4"):
        load("event-folder", classes=4)


def test_no_more_pixels_than_the_sensor_has() -> None:
    with pytest.raises(InputError, match=r"workload\.resolution: 64 is out of range for n-mnist \(8 to 34"):
        workload_shape(small("n-mnist", resolution=64))


def test_frames_are_made_once_and_again_when_the_content_of_a_file_changes(
    tmp_path: Path, load: Callable[..., Workload]
) -> None:
    own_folder(tmp_path / "mine")
    load("event-folder")
    (first,) = (tmp_path / "cache").glob("*.npy")
    stamp = first.stat().st_mtime_ns
    load("event-folder", validation_share=0.3, seed=4)
    assert [p.stat().st_mtime_ns for p in (tmp_path / "cache").glob("*.npy")] == [stamp]
    (tmp_path / "mine").rename(tmp_path / "moved")
    sample = tmp_path / "moved/events_np/train/nod/1.npz"
    os.utime(sample, (5, 5))
    load("event-folder", folder="moved")
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 1
    facts = sample.stat()
    sample.write_bytes((tmp_path / "moved/events_np/train/nod/0.npz").read_bytes())
    os.utime(sample, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    load("event-folder", folder="moved")
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 2


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"junk" * 50])
def test_damaged_frames_in_the_cache_are_made_again(
    damage: bytes, tmp_path: Path, load: Callable[..., Workload]
) -> None:
    own_folder(tmp_path / "mine")
    before = load("event-folder").train.frames[:]
    (stored,) = (tmp_path / "cache").glob("*.npy")
    stored.write_bytes(damage)
    assert (load("event-folder").train.frames[:] == before).all()


def test_a_large_set_is_read_from_the_disk_by_batch(
    tmp_path: Path, load: Callable[..., Workload], monkeypatch: pytest.MonkeyPatch
) -> None:
    own_folder(tmp_path / "mine")
    inside = load("event-folder").train.frames
    monkeypatch.setattr(event_sets, "_IN_MEMORY_BYTES", 0)
    lazy = load("event-folder").train.frames
    assert isinstance(inside, np.ndarray)
    assert isinstance(lazy, event_sets.StoredFrames)
    again = pickle.loads(pickle.dumps(lazy))
    assert again.shape == inside.shape
    assert len(again) == 3
    for index in (slice(None), slice(1, 3), np.array([2, 0, 2])):
        assert (again[index] == inside[index]).all()
    lazy.path.unlink()
    with pytest.raises(InputError, match="is gone or damaged"):
        lazy[:]
