"""A preparation that was cut off is told by the raw recordings and by the published numbers."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from event_trees_made import CIFAR10, DIGITS, GESTURES, gesture_trials, small

from aster_dse.errors import InputError
from aster_dse.space import WorkloadConfig
from aster_dse.workload import found_data, load_workload, training_samples
from aster_dse.workload.published import check_published

EACH = 16


def put(path: Path) -> None:
    """A file that nobody reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def cifar10_dvs(root: Path) -> None:
    """160 recordings, each raw, as events and as frames."""
    for name in CIFAR10:
        for number in range(EACH):
            stem = f"cifar10_{name}_{number}"
            put(root / "extract" / name / f"{stem}.aedat")
            put(root / "events_np" / name / f"{stem}.npz")
            put(root / "frames_number_3_split_by_number" / name / f"{stem}.npz")


def n_mnist(root: Path) -> None:
    for part, prepared in (("Train", "train"), ("Test", "test")):
        for name in DIGITS:
            for number in range(3):
                put(root / "extract" / part / name / f"{number:05d}.bin")
                put(root / "events_np" / prepared / name / f"{number:05d}.npz")


def n_cars(root: Path) -> None:
    for part, prepared in (("n-cars_train", "train"), ("n-cars_test", "test")):
        for name in ("cars", "background"):
            for number in range(3):
                put(root / part / name / f"obj_{number:06d}_td.dat")
                put(root / "events_np" / prepared / name / f"obj_{number:06d}_td.npz")


def gestures(root: Path) -> None:
    gesture_trials(root / "extract")
    for number, part in enumerate(("train", "test")):
        for name in GESTURES:
            for repeat in range(2):
                put(root / "events_np" / part / name / f"user{number:02d}_led_{repeat}.npz")


def own(root: Path) -> None:
    """Raw recordings without parts, which were prepared in parts and named otherwise."""
    for name in ("bow", "nod", "wave"):
        for number in range(4):
            put(root / "extract" / name / f"take{number}.npz")
            part = "test" if number == 3 else "train"
            put(root / "events_np" / part / name / f"{name}-{number}.npz")


MADE: dict[str, tuple[str, Callable[[Path], None]]] = {
    "cifar10-dvs": ("CIFAR10DVS", cifar10_dvs),
    "n-mnist": ("N-MNIST", n_mnist),
    "n-cars": ("N-CARS", n_cars),
    "dvs-gesture": ("DVS128Gesture", gestures),
    "event-folder": ("mine", own),
}

CUT: list[tuple[str, list[str], str]] = [
    # data set, what its preparation did not reach, what is said
    (
        "cifar10-dvs",
        [
            *(f"events_np/truck/cifar10_truck_{number}.npz" for number in range(1, EACH)),
            *(f"events_np/ship/cifar10_ship_{number}.npz" for number in range(1, EACH)),
            "frames_number_3_split_by_number",
        ],
        "events_np: lacks 30 of the 160 recordings in ",
    ),
    (
        "cifar10-dvs",
        ["events_np/frog/cifar10_frog_7.npz", "frames_number_3_split_by_number"],
        "events_np: lacks 1 of the 160 recordings in ",
    ),
    (
        "cifar10-dvs",
        ["frames_number_3_split_by_number/frog/cifar10_frog_7.npz", "extract"],
        "frames_number_3_split_by_number: lacks 1 of the 160 recordings in ",
    ),
    (
        "cifar10-dvs",
        ["frames_number_3_split_by_number/frog/cifar10_frog_7.npz", "events_np"],
        "cifar10_frog_7 for one",
    ),
    ("n-mnist", ["events_np/test/9/00002.npz"], "events_np: lacks 1 of the 60 recordings in "),
    ("n-cars", ["events_np/train/cars/obj_000001_td.npz"], "events_np: lacks 1 of the 12 recordings in "),
    ("dvs-gesture", ["events_np/test/10/user01_led_1.npz"], "events_np: lacks 1 of the 44 recordings in "),
    ("event-folder", ["events_np/train/nod/nod-2.npz"], "events_np: lacks 1 of the 12 recordings in "),
]


@pytest.mark.parametrize(("name", "gone", "said"), CUT)
def test_a_preparation_that_was_cut_off_is_told_by_what_it_was_made_of(
    name: str, gone: list[str], said: str, tmp_path: Path
) -> None:
    folder, make = MADE[name]
    make(tmp_path / folder)
    assert training_samples(small(name), data=tmp_path) > 0
    for path in gone:
        whole = tmp_path / folder / path
        shutil.rmtree(whole) if whole.is_dir() else whole.unlink()
    for ask in (
        lambda: load_workload(small(name), data=tmp_path, cache=tmp_path / "cache"),
        lambda: training_samples(small(name), data=tmp_path),
    ):
        _refused(ask, tmp_path / folder, said)
    if name != "event-folder":
        (found,) = found_data(tmp_path)
        assert said in found.fault
    assert not (tmp_path / "cache").exists()


def _refused(ask: Callable[[], object], root: Path, said: str) -> None:
    with pytest.raises(InputError) as caught:
        ask()
    text = str(caught.value)
    assert text.startswith(str(root))
    assert said in text
    assert "\n" not in text
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("cifar10-dvs", "extract/truck"),
        ("cifar10-dvs", "extract/frog/cifar10_frog_7.aedat"),
        ("dvs-gesture", "extract/DvsGesture/user00_led_labels.csv"),
        ("n-mnist", "extract"),
    ],
)
def test_raw_recordings_that_are_gone_do_no_harm(name: str, gone: str, tmp_path: Path) -> None:
    folder, make = MADE[name]
    make(tmp_path / folder)
    before = training_samples(small(name), data=tmp_path)
    path = tmp_path / folder / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert training_samples(small(name), data=tmp_path) == before


def _put_all(folder: Path, numbers: range) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / f"{number}.npz").touch()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            [1000] * 9 + [740],
            "is cut off: it holds 740 of the 1000 samples of truck, and 100% of those of ano",
        ),
        (
            [16] * 9 + [2],
            "is cut off: it holds 2 of the 1000 samples of truck, and 2% of those of another cl",
        ),
        ([1000] * 9 + [1001], "holds 1001 samples of truck, the data set has 1000"),
    ],
)
def test_a_copy_that_was_cut_off_is_told_by_the_published_numbers(found: list[int], said: str) -> None:
    counts = [(name, here, 1000) for name, here in zip(CIFAR10, found, strict=True)]
    _refused(lambda: check_published(Path("/copy"), counts, "the whole"), Path("/copy"), said)


@pytest.mark.parametrize("each", [1, 16, 1000])
def test_all_of_it_and_as_much_of_every_class_are_no_fault(each: int) -> None:
    check_published(Path("/copy"), [(name, each, 1000) for name in CIFAR10], "the whole")


def test_a_subset_has_equally_many_of_each_class(tmp_path: Path) -> None:
    cifar10_dvs(tmp_path / "CIFAR10DVS")
    for part in ("events_np", "frames_number_3_split_by_number"):
        shutil.rmtree(tmp_path / "CIFAR10DVS" / part)
    assert training_samples(small("cifar10-dvs", validation_share=0.1), data=tmp_path) == 130
    assert [one.note for one in found_data(tmp_path)] == ["160 of 10000 samples"]
    (tmp_path / "CIFAR10DVS/extract/truck/cifar10_truck_5.aedat").unlink()
    said = "extract: is cut off: it holds 15 of the 1000 samples of truck"
    _refused(lambda: training_samples(small("cifar10-dvs"), data=tmp_path), tmp_path, said)


def test_one_part_of_the_gestures_alone_is_whole(tmp_path: Path) -> None:
    root = tmp_path / "DVS128Gesture" / "events_np"
    for number, name in enumerate(GESTURES):
        _put_all(root / "train" / name, range(106 if number else 116))
        _put_all(root / "test" / name, range(20))
    said = "events_np: is cut off: it holds 220 of the 288 samples of test, and 100%"
    _refused(lambda: training_samples(small("dvs-gesture"), data=tmp_path), root, said)
    _put_all(root / "test" / "10", range(20, 88))
    assert training_samples(small("dvs-gesture", validation_share=0.5), data=tmp_path) == 588
    assert [one.note for one in found_data(tmp_path)] == [""]
    _put_all(root / "test" / "10", range(88, 89))
    said = "events_np: holds 289 samples of test, the data set has 288"
    _refused(lambda: training_samples(small("dvs-gesture"), data=tmp_path), root, said)


def test_one_part_of_imagenette_alone_is_whole(tmp_path: Path) -> None:
    names = [f"n{number:02d}" for number in range(10)]
    for part, each, last in (("train", 20, 20), ("val", 392, 397)):
        for name in names:
            folder = tmp_path / "imagenette2" / part / name
            folder.mkdir(parents=True)
            for number in range(last if name == names[-1] else each):
                (folder / f"{number}.JPEG").touch()
    config = WorkloadConfig(name="imagenette", resolution=32)
    said = "imagenette2: is cut off: it holds 200 of the 9469 samples of train, and 100%"
    _refused(lambda: load_workload(config, data=tmp_path), tmp_path, said)
    (tmp_path / "imagenette2" / "val" / names[0] / "0.JPEG").unlink()
    assert len(load_workload(config, data=tmp_path).test) == 3924
