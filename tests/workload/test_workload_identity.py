"""A data set in a folder is identified by its content, and by nothing else."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from event_trees_made import gesture_trials, own_folder, small
from PIL import Image

from aster_dse.errors import AsterError, DataMismatchError, InputError, NotFoundError
from aster_dse.space import Candidate, SearchSpace, WorkloadConfig
from aster_dse.workload import (
    DataFiles,
    data_of,
    data_of_space,
    file_digests,
    hold_against,
    identify_data,
    identity_of,
    load_workload,
    with_data,
    workload_files,
)

IMAGES = WorkloadConfig(
    name="image-folder", folder="mine", classes=2, resolution=32, timesteps=1, validation_share=0.3
)


def pictures(folder: Path) -> Path:
    """Twelve images of as many bytes each."""
    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        for part, count in (("train", 4), ("val", 2)):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 256, (32, 32, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{number}.png", compress_level=0)
    return folder


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASTER_DSE_CACHE", str(tmp_path / "cache"))
    pictures(tmp_path / "data" / "mine")
    return tmp_path / "data"


def digest_of(data: Path, config: WorkloadConfig = IMAGES) -> str:
    found = identify_data(config, data=data)
    assert found is not None
    return found.sha256


def test_the_identity_is_what_sha256sum_prints_of_the_files_hashed_once_more(data: Path) -> None:
    found = identify_data(IMAGES, data=data)
    paths = sorted((data / "mine").rglob("*.png"), key=lambda path: path.as_posix().encode())
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(data / 'mine').as_posix()}\n"
        for path in paths
    ]
    assert found is not None
    assert found.sha256 == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert (found.files, found.bytes) == (12, sum(path.stat().st_size for path in paths))


def exchange(one: Path, other: Path) -> None:
    """The content of two files, which keep their sizes and times."""
    for path, content, facts in [
        (one, other.read_bytes(), one.stat()),
        (other, one.read_bytes(), other.stat()),
    ]:
        path.write_bytes(content)
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def exchange_names(one: Path, other: Path) -> None:
    one.rename(one.with_name("aside"))
    other.rename(one)
    one.with_name("aside").rename(other)


CHANGES: dict[str, Callable[[Path], None]] = {
    "two images with their sizes and times": lambda f: exchange(f / "train/cat/0.png", f / "train/dog/0.png"),
    "the labels": lambda f: exchange_names(f / "train/cat", f / "train/dog"),
    "two names in a class": lambda f: exchange_names(f / "train/cat/0.png", f / "train/cat/1.png"),
    "one image fewer": lambda f: (f / "train/cat/3.png").unlink(),
    "an image moved to validation": lambda f: (f / "train/cat/3.png").rename(f / "val/cat/9.png") and None,
    "a test part": lambda f: shutil.copytree(f / "val", f / "test") and None,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_folder_of_images_is_another_data_set(change: str, data: Path) -> None:
    before = digest_of(data)
    CHANGES[change](data / "mine")
    assert digest_of(data) != before


def test_where_the_folder_lies_what_it_is_called_and_when_it_was_touched_do_not_count(data: Path) -> None:
    before = digest_of(data)
    shutil.copytree(data / "mine", data / "elsewhere" / "again")
    os.utime(data / "mine/train/cat/0.png", (5, 5))
    (data / "mine/notes.txt").write_text("no image")
    assert digest_of(data) == before
    assert digest_of(data, IMAGES.model_copy(update={"folder": "elsewhere/again"})) == before


def test_a_file_is_read_once_and_again_when_it_changes(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_digests, "_UNSETTLED_NS", 0)
    read: list[int] = []
    files = workload_files(IMAGES, data=data)
    assert files is not None

    def identify() -> int:
        read.clear()
        identity_of(files, tmp_path / "kept", lambda done, _: read.append(done))
        return len(read)

    assert [identify(), identify()] == [12, 0]
    exchange(data / "mine/train/cat/0.png", data / "mine/train/dog/0.png")
    assert identify() == 2
    (stored,) = (tmp_path / "kept" / "digests").glob("*.npz")
    for damage in (b"", b"junk" * 20, stored.read_bytes()[:300]):
        stored.write_bytes(damage)
        assert identify() == 12


def test_a_file_that_changes_within_a_tick_of_the_clock_is_read_again(data: Path) -> None:
    before = digest_of(data)
    path = data / "mine/train/cat/0.png"
    facts = path.stat()
    path.write_bytes((data / "mine/train/cat/1.png").read_bytes())
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert digest_of(data) != before


def test_a_cache_that_cannot_be_written_costs_time_only(data: Path, tmp_path: Path) -> None:
    files = workload_files(IMAGES, data=data)
    assert files is not None
    (tmp_path / "no-folder").write_text("a file")
    assert identity_of(files, tmp_path / "no-folder").sha256 == digest_of(data)


def test_other_data_than_expected_is_refused_in_one_line(data: Path) -> None:
    known = IMAGES.model_copy(update={"data": digest_of(data)})
    assert load_workload(known, data=data).config == known
    (data / "mine/train/cat/3.png").unlink()
    for use in (identify_data, load_workload):
        with pytest.raises(DataMismatchError, match=r"mine: holds data \w{12} \(11 files") as caught:
            use(known, data=data)
        assert caught.value.exit_code == 2
        assert "\n" not in str(caught.value)


def gestures(folder: Path) -> WorkloadConfig:
    gesture_trials(folder / "DVSGesturedataset")
    return small("dvs-gesture")


def events(folder: Path) -> WorkloadConfig:
    own_folder(folder / "events")
    return small("event-folder", folder="events")


def test_labels_and_tables_of_recordings_count(tmp_path: Path) -> None:
    config = gestures(tmp_path)
    before = digest_of(tmp_path, config)
    table = next((tmp_path / "DVSGesturedataset").rglob("*_labels.csv"))
    rows = table.read_text().splitlines()
    table.write_text("\n".join([rows[0], *reversed(rows[1:])]) + "\n")
    assert digest_of(tmp_path, config) != before


def test_the_sensor_of_recordings_counts(tmp_path: Path) -> None:
    config = events(tmp_path)
    before = digest_of(tmp_path, config)
    (tmp_path / "events" / "recording.json").write_text('{"sensor": [20, 20]}')
    assert digest_of(tmp_path, config) != before


def test_frames_in_the_cache_are_never_those_of_other_recordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASTER_DSE_CACHE", str(tmp_path / "cache"))
    config = events(tmp_path)
    before = load_workload(config, data=tmp_path)
    samples = tmp_path / "events/events_np/train/nod"
    exchange_names(samples / "0.npz", samples / "1.npz")
    after = load_workload(config, data=tmp_path)
    assert before.config.data != after.config.data
    fresh = load_workload(config, data=tmp_path, cache=tmp_path / "empty")
    assert (after.train.frames[:] == fresh.train.frames[:]).all()


def test_a_training_key_is_of_the_data_and_made_data_sets_keep_theirs(data: Path) -> None:
    plain = Candidate(workload=IMAGES)
    known = Candidate(workload=IMAGES.model_copy(update={"data": digest_of(data)}))
    (data / "mine/train/cat/3.png").unlink()
    other = Candidate(workload=IMAGES.model_copy(update={"data": digest_of(data)}))
    assert len({c.training_key() for c in (plain, known, other)}) == 3
    assert [data_of(c.workload) for c in (plain, known)] == ["unverified", known.workload.data]
    made = Candidate(workload=WorkloadConfig(name="digits-dvs", resolution=16))
    assert (made.training_key(), data_of(made.workload)) == ("5e6f56dbfd11cdb5a0f1", None)
    assert "data" not in made.model_dump()["workload"]
    with pytest.raises(InputError, match=r"workload\.data: digits-dvs is made here"):
        load_workload(made.workload.model_copy(update={"data": "0" * 64}))


def space(**workload: object) -> SearchSpace:
    return SearchSpace.from_mapping(
        {
            "name": "s",
            "workload": workload,
            "network": {"width": {"choices": [8, 16]}},
            "objectives": {"accuracy": "max", "energy_uj": "min"},
        }
    )


def test_every_data_set_of_a_space_is_identified(data: Path) -> None:
    shutil.copytree(data / "mine", data / "second")
    (data / "second/train/cat/3.png").unlink()
    several = space(name="image-folder", folder={"choices": ["mine", "second"]}, classes=2)
    known = data_of_space(several, data=data)
    assert [entry.workload["folder"] for entry in known] == ["mine", "second"]
    for entry in known:
        config = IMAGES.model_copy(update={"folder": entry.workload["folder"], "timesteps": 4})
        assert with_data(config, known).data == entry.sha256
    hold_against("s", known, known)
    (data / "second/train/dog/3.png").unlink()
    with pytest.raises(DataMismatchError, match=r"study s: began with data \w+ \(11 files.* of second, but"):
        hold_against("s", known, data_of_space(several, data=data))
    assert data_of_space(space(name="digits"), data=data) == ()


def test_a_space_can_say_which_data_it_is_for(data: Path) -> None:
    (entry,) = data_of_space(space(name="image-folder", folder="mine", classes=2), data=data)
    pinned = space(name="image-folder", folder="mine", classes=2, data="0" * 64)
    with pytest.raises(DataMismatchError):
        data_of_space(pinned, data=data)
    right = space(name="image-folder", folder="mine", classes=2, data=entry.sha256)
    assert data_of_space(right, data=data) == (entry,)
    with pytest.raises(InputError, match="cannot be searched"):
        space(name="image-folder", folder="mine", classes=2, data={"choices": ["0" * 64, "1" * 64]})


def test_what_cannot_be_read_is_said_in_one_line(data: Path, tmp_path: Path) -> None:
    (data / "mine/train/cat/0.png").unlink()
    (data / "mine/train/cat/0.png").symlink_to(tmp_path / "gone")
    with pytest.raises(NotFoundError, match=r"cat/0\.png: there is no such file"):
        identify_data(IMAGES, data=data)
    with pytest.raises(AsterError):
        identity_of(DataFiles.of(data / "mine", ["train"]), tmp_path / "another")
