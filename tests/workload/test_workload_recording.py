"""Recording still images: the tree reads back as what was recorded, and a run goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aster_dse.errors import ExistsError, InputError
from aster_dse.space import WorkloadConfig
from aster_dse.workload import Split, Workload, load_workload, training_samples
from aster_dse.workload.closed_loop import BIN_US, Screen
from aster_dse.workload.event_files import Events, Sensor, read_events
from aster_dse.workload.event_frames import count_frames
from aster_dse.workload.recording import RecordedSet, record_workload

SENSOR = Sensor(16, 16)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Workload:
    config = WorkloadConfig(name="digits", resolution=16, timesteps=1)
    return load_workload(config, cache=tmp_path_factory.mktemp("cache"))


def _pictures(channels: int = 3, *, static: bool = True, names: tuple[str, ...] = ("a", "b")) -> Workload:
    """Six random pictures of 8 pixels: two to train, two to validate, two to test."""
    frames = np.random.default_rng(0).integers(0, 256, (6, 1, channels, 8, 8), np.uint8)
    labels = np.array([0, 1])
    return Workload(
        config=WorkloadConfig(name="image-folder", resolution=8, folder="pictures", classes=2),
        train=Split(frames[:2], labels),
        validation=Split(frames[2:4], labels),
        test=Split(frames[4:], labels),
        classes=2,
        in_channels=channels,
        input_bits=8,
        scale=1 / 255,
        static=static,
        class_names=names,
    )


def _record(workload: Workload, folder: Path, **settings: int) -> RecordedSet:
    return record_workload(workload, folder, **{"resolution": 16, "bins": 2, **settings})  # type: ignore[arg-type]


def _files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_digits_read_back_through_event_folder_as_the_events_recorded(
    digits: Workload, tmp_path: Path
) -> None:
    made = _record(digits, tmp_path / "data" / "mine", limit=30, seed=3)
    config = WorkloadConfig(
        name="event-folder", folder="mine", classes=10, resolution=16, timesteps=2, split_by="number"
    )
    read = load_workload(config, data=tmp_path / "data", cache=tmp_path / "cache")
    assert read.class_names == digits.class_names
    assert made == RecordedSet(tmp_path / "data" / "mine", 60, 0, made.events, 10, 2 * BIN_US)
    parts = (read.train, read.validation, read.test)
    assert [len(part) for part in parts] == [20, 10, 30]
    assert sum(int(part.frames[:].sum(dtype=np.int64)) for part in parts) == made.events
    # The test samples: the first three of each class, filmed anew one by one.
    members = np.concatenate([np.flatnonzero(digits.test.labels == label)[:3] for label in range(10)])
    for place, member in enumerate(members):
        assert read.test.labels[place] == digits.test.labels[member]
        frames = count_frames(_filmed(digits, int(member), seed=3), 2, "number", SENSOR, 16)
        assert (read.test.frames[place : place + 1][0] == frames).all()


def _filmed(digits: Workload, member: int, seed: int) -> Events:
    """One test sample, alone, by the screen itself."""
    image = digits.test.frames[member : member + 1][:, 0, 0].astype(np.float32) * np.float32(digits.scale)
    screen = Screen(pixels=16, field=16.0, radius=1.0, jitter=0.5, contrast=2.0, edge_goes_on=True)
    stream = screen.record(image, [np.random.default_rng([seed, 0x4EC04D, 2, member])], 16, 2, seed)
    t, x, y, p = (a.astype(np.int64) for a in (stream.t_us, stream.x, stream.y, stream.p))
    return Events(t, x, y, p)


def test_the_layout_and_types_are_those_of_spikingjelly(tmp_path: Path) -> None:
    _record(_pictures(), tmp_path)
    files = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.npz"))
    assert files == [
        f"events_np/{part}/{name}/{file}_{number:07d}.npz"
        for part, file, name, number in (
            ("test", "test", "a", 0), ("test", "test", "b", 1),
            ("train", "train", "a", 0), ("train", "validation", "a", 0),
            ("train", "train", "b", 1), ("train", "validation", "b", 1),
        )
    ]  # fmt: skip
    with np.load(tmp_path / files[0], allow_pickle=False) as arrays:
        assert {name: array.dtype for name, array in arrays.items()} == dict.fromkeys(
            "txyp", np.dtype(np.int64)
        )
    events = read_events(tmp_path / files[0], SENSOR)
    assert 50 < len(events) < 10_000
    assert events.t_us[-1] < 2 * BIN_US


def test_a_picture_without_colour_gives_the_events_of_its_grey_copy(tmp_path: Path) -> None:
    grey = _pictures(channels=1)
    copies = [
        Split(np.repeat(s.frames[:], 3, axis=2), s.labels) for s in (grey.train, grey.validation, grey.test)
    ]
    coloured = Workload(**{**vars(grey), **dict(zip(("train", "validation", "test"), copies, strict=True))})
    for number, workload in enumerate((grey, coloured)):
        _record(workload, tmp_path / str(number))
    ours, theirs = (len(read_events(p, SENSOR)) for p in sorted(tmp_path.rglob("test_0000000.npz")))
    assert abs(ours - theirs) <= 0.01 * ours


def test_a_run_that_was_cut_off_goes_on_and_ends_as_if_it_had_not(tmp_path: Path) -> None:
    whole = _record(_pictures(), tmp_path / "whole")
    told: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        told.append((done, total))

    _record(_pictures(), tmp_path / "cut", limit=1)
    broken = tmp_path / "cut/events_np/train/b/train_0000001.npz"
    broken.parent.mkdir(parents=True, exist_ok=True)
    broken.write_bytes(b"half")
    before = {p: p.stat().st_mtime_ns for p in tmp_path.glob("cut/events_np/*/a/*.npz")}
    resumed = record_workload(_pictures(), tmp_path / "cut", resolution=16, bins=2, on_sample=stop)
    assert (resumed.recorded, resumed.kept) == (4, 2)
    assert (whole.recorded, whole.kept) == (6, 0)
    assert told == [(2, 6), (6, 6)]
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert _files(tmp_path / "cut") == _files(tmp_path / "whole")


@pytest.mark.parametrize("other", [{"seed": 1}, {"bins": 3}, {"resolution": 20}])
def test_recordings_of_other_settings_are_not_mixed(other: dict[str, int], tmp_path: Path) -> None:
    _record(_pictures(), tmp_path)
    before = _files(tmp_path)
    with pytest.raises(ExistsError, match=r"recording\.json: .* other settings"):
        _record(_pictures(), tmp_path, **other)
    assert _files(tmp_path) == before


def test_other_peoples_recordings_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "events_np").mkdir()
    with pytest.raises(ExistsError, match="not recorded here"):
        _record(_pictures(), tmp_path)


def test_no_half_written_file_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: Path, _content: bytes) -> int:
        raise OSError(28, "No space left on device")

    _record(_pictures(), tmp_path, limit=1)
    before = _files(tmp_path)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left on device"):
        _record(_pictures(), tmp_path)
    assert _files(tmp_path) == before


def test_events_cannot_be_filmed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no still images"):
        _record(_pictures(static=False), tmp_path)


@pytest.mark.parametrize("names", [("b", "a"), ("../x", "y"), (".a", "b"), ("x", "x"), ("test", "train")])
def test_names_that_make_no_folders_in_order_become_numbers(names: tuple[str, str], tmp_path: Path) -> None:
    _record(_pictures(names=names), tmp_path)
    assert sorted(p.name for p in (tmp_path / "events_np" / "train").iterdir()) == ["00000", "00001"]


def _still(resolution: int, *, edge_goes_on: bool) -> NDArray[np.float32]:
    screen = Screen(pixels=4, field=4.0, radius=0.5, jitter=0.0, contrast=2.0, edge_goes_on=edge_goes_on)
    return screen.show(np.ones((1, 4, 4), np.float32), np.array([[1.0, 0.0]]), resolution)


def test_beyond_the_image_it_is_dark_or_its_edge_goes_on() -> None:
    assert _still(8, edge_goes_on=True).min() == 1.0
    dark = _still(8, edge_goes_on=False)
    assert dark[0, 0].max() == 0.0
    assert dark[0, -3, 3:5].min() == 1.0


def test_recordings_that_were_interrupted_are_no_data_set(tmp_path: Path) -> None:
    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    config = WorkloadConfig(
        name="event-folder", folder="mine", classes=2, resolution=16, timesteps=2, split_by="number"
    )
    _record(_pictures(), tmp_path / "mine", limit=2)
    with pytest.raises(KeyboardInterrupt):
        record_workload(_pictures(), tmp_path / "mine", resolution=16, bins=2, on_sample=interrupt)
    for ask in (load_workload, training_samples):
        with pytest.raises(InputError, match="mine: has not all of its recordings: aster-dse record was int"):
            ask(config, data=tmp_path)
    _record(_pictures(), tmp_path / "mine")
    assert training_samples(config, data=tmp_path) == 2
