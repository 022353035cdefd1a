"""Each corruption of an event data set ends its loading with one line that names the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from event_trees_made import MAKERS, gesture_trials, own_folder, small, write_ready
from numpy.typing import NDArray

from aster_dse.errors import InputError, NotFoundError
from aster_dse.workload import Workload, load_workload
from aster_dse.workload.event_files import Sensor


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Workload]:
    def read(name: str, **fields: object) -> Workload:
        return load_workload(small(name, **fields), data=tmp_path, cache=tmp_path / "cache")

    return read


def _remove(path: Path) -> None:
    for inner in sorted(path.rglob("*"), reverse=True):
        inner.rmdir() if inner.is_dir() else inner.unlink()
    path.rmdir() if path.is_dir() else path.unlink()


def _empty(path: Path) -> None:
    _remove(path)
    path.mkdir()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def _save(**arrays: NDArray[np.generic]) -> Callable[[Path], None]:
    return lambda path: np.savez(path, **arrays)  # type: ignore[arg-type]


OUTSIDE = {name: np.array([0, 1, 300]) for name in "txy"} | {"p": np.ones(3, int)}

FAULTS: list[tuple[str, str, Callable[[Path], object], str, str]] = [
    # data set, what is damaged, how, what the line names, what it says
    ("cifar10-dvs", "events_np/frog", _remove, "events_np/frog", "is missing"),
    ("cifar10-dvs", "events_np/frog", _empty, "events_np/frog", "holds no sample"),
    ("cifar10-dvs", "events_np/dragon", Path.mkdir, "events_np/dragon", "is no class"),
    ("cifar10-dvs", "events_np", _empty, "events_np/airplane", "is missing"),
    ("cifar10-dvs", "events_np/frog/cifar10_frog_3.npz", _cut, "cifar10_frog_3.npz", "damaged"),
    ("cifar10-dvs", "events_np/frog/cifar10_frog_3.npz", _save(**OUTSIDE), "cifar10_frog_3.npz", "x = 300"),
    ("dvs-gesture", "events_np/test", _remove, "events_np/test", "is missing"),
    ("dvs-gesture", "events_np/train/10", _remove, "train/10", "is missing"),
    ("dvs-gesture", "events_np/test/11", Path.mkdir, "test/11", "is no class"),
    ("dvs-gesture", "events_np", _empty, "events_np", "has no parts"),
    ("n-mnist", "Test/3/00000.bin", _cut, "Test/3/00000.bin", "truncated"),
    ("n-mnist", "Train/7", _empty, "Train/7", "holds no sample"),
    ("n-mnist", "Train", _remove, "Train", "is missing"),
    ("n-cars", "n-cars_train/cars/obj_000001_td.dat", _cut, "obj_000001_td.dat", "truncated"),
    ("n-cars", "n-cars_train/vans", Path.mkdir, "n-cars_train/vans", "is no class"),
    ("n-cars", "n-cars_test", _remove, "n-cars_test", "is missing"),
    ("event-folder", "events_np/test/nod", _remove, "test/nod", "is missing"),
    ("event-folder", "events_np/test/jump", Path.mkdir, "train/jump", "is missing"),
    ("event-folder", "events_np/train/nod", _remove, "train/nod", "is missing"),
    ("event-folder", "events_np/train/nod/0.npz", _save(t=np.arange(3)), "nod/0.npz", "has no 'x' but t"),
    ("event-folder", "events_np", _remove, "mine", "holds no recordings"),
]


@pytest.mark.parametrize(("name", "what", "damage", "named", "problem"), FAULTS)
def test_a_corruption_is_one_line_that_names_the_file(
    name: str,
    what: str,
    damage: Callable[[Path], object],
    named: str,
    problem: str,
    tmp_path: Path,
    load: Callable[..., Workload],
) -> None:
    folder, make = MAKERS[name]
    make(tmp_path / folder)
    damage(tmp_path / folder / what)
    _refused(lambda: load(name), tmp_path / folder, named, problem)
    assert not list((tmp_path / "cache").glob("*.npy"))


def _refused(ask: Callable[[], object], root: Path, named: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        ask()
    text = str(caught.value)
    assert text.startswith(str(root))
    assert named in caught.value.where
    assert problem in text
    assert "\n" not in text
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("frames", "problem"),
    [
        (np.zeros((4, 2, 16, 16)), "float64 of shape (4, 2, 16, 16)"),
        (np.zeros((3, 2, 16, 17)), "of shape (3, 2, 16, 17)"),
        (np.full((3, 2, 16, 16), "x"), "'frames' is <U1"),
        (np.full((3, 2, 16, 16), 0.5), "no event counts"),
        (np.full((3, 2, 16, 16), -1), "no event counts"),
        (np.full((3, 2, 16, 16), np.nan), "no event counts"),
        (None, "has no 'frames' but t"),
    ],
)
def test_faulty_ready_frames(
    frames: NDArray[np.generic] | None, problem: str, tmp_path: Path, load: Callable[..., Workload]
) -> None:
    root = tmp_path / "mine" / "frames_number_3_split_by_number"
    for part in ("train", "test"):
        for name in ("bow", "nod", "wave"):
            for number in range(2):
                write_ready(root / part / name / f"{number}.npz", number, Sensor(16, 16), 3)
    load("event-folder")
    _remove(tmp_path / "cache")
    path = root / "test" / "nod" / "1.npz"
    np.savez(path, **({"t": np.arange(3)} if frames is None else {"frames": frames}))
    _refused(lambda: load("event-folder"), tmp_path, "nod/1.npz", problem)


def test_frames_of_another_length_are_named(tmp_path: Path, load: Callable[..., Workload]) -> None:
    root = tmp_path / "DVS128Gesture"
    write_ready(root / "frames_number_10_split_by_number" / "train" / "0" / "0.npz", 0, Sensor(128, 128), 10)
    problem = "holds no frames_number_3_split_by_number but frames_number_10_split_by_number"
    _refused(lambda: load("dvs-gesture"), root, "DVS128Gesture", problem)


@pytest.mark.parametrize(
    ("what", "text", "named", "problem"),
    [
        ("trials_to_train.txt", "", "trials_to_train.txt", "names no recording"),
        ("trials_to_test.txt", None, "trials_to_test.txt", "cannot be read"),
        ("trials_to_test.txt", "user99_led.aedat\n", "user99_led.aedat", "is missing"),
        ("user00_led_labels.csv", None, "user00_led_labels.csv", "cannot be read"),
        ("user00_led_labels.csv", "class\n12,0,5\n", "user00_led_labels.csv", "has the class 12"),
        ("user00_led_labels.csv", "class\n1,7,7\n1,7,7\n", "user00_led.aedat", "holds no event of 7 to 7 us"),
        ("user01_led.aedat", "#!AER-DAT3.1\r\n", "user01_led.aedat", "no end of its header"),
    ],
)
def test_faulty_gesture_recordings(
    what: str, text: str | None, named: str, problem: str, tmp_path: Path, load: Callable[..., Workload]
) -> None:
    path = gesture_trials(tmp_path / "DVS128Gesture") / what
    path.unlink()
    if text is not None:
        path.write_text(text)
    _refused(lambda: load("dvs-gesture"), tmp_path, named, problem)


@pytest.mark.parametrize("name", MAKERS)
def test_a_data_set_that_is_not_there(name: str, tmp_path: Path, load: Callable[..., Workload]) -> None:
    with pytest.raises(NotFoundError) as caught:
        load(name)
    assert str(tmp_path / MAKERS[name][0]) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    own_folder(tmp_path / "mine")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cache cannot be written"):
        load_workload(small("event-folder"), data=tmp_path, cache=tmp_path / "file")
