"""Loading a workload: its splits, its shape, its cache, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aster_dse.errors import InputError
from aster_dse.space import WorkloadConfig
from aster_dse.stored_files import digest_file
from aster_dse.workload import Workload, load_workload, workload_names, workload_shape
from aster_dse.workload.cache import cached_arrays, default_cache
from aster_dse.workload.partition import stratified_partition


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def dvs(**fields: object) -> WorkloadConfig:
    return WorkloadConfig.model_validate({"name": "digits-dvs", "resolution": 8, "timesteps": 2} | fields)


def digest(workload: Workload) -> int:
    splits = (workload.train, workload.validation, workload.test)
    return hash(b"".join(split.frames.tobytes() + split.labels.tobytes() for split in splits))


def frames(workload: Workload) -> np.ndarray:
    return np.concatenate([workload.train.frames, workload.validation.frames, workload.test.frames])


@pytest.mark.parametrize("split_by", ["time", "number"])
def test_event_frames_are_binary_with_a_channel_per_polarity(cache: Path, split_by: str) -> None:
    workload = load_workload(dvs(resolution=12, timesteps=3, split_by=split_by), cache=cache)
    assert workload.train.frames.shape == (len(workload.train), 3, 2, 12, 12)
    assert workload.train.frames.dtype == np.uint8
    assert workload.train.labels.dtype == np.int64
    assert np.unique(workload.train.frames).tolist() == [0, 1]
    assert (workload.scale, workload.input_bits, workload.static) == (1.0, 1, False)
    assert (frames(workload).reshape(1797, 3, 2, -1).mean(axis=(0, 3)) > 0.01).all()


def test_static_digits_are_images_of_one_step(cache: Path) -> None:
    workload = load_workload(WorkloadConfig(name="digits", resolution=16, timesteps=4), cache=cache)
    assert workload.train.frames.shape == (len(workload.train), 1, 1, 16, 16)
    assert (workload.scale, workload.input_bits, workload.static) == (1 / 255, 8, True)
    assert workload.train.frames.max() > 230


@pytest.mark.parametrize("name", ["digits", "digits-dvs"])
def test_the_shape_is_known_without_the_data(name: str, cache: Path) -> None:
    config = WorkloadConfig(name=name, resolution=8, timesteps=2)
    shape, workload = workload_shape(config), load_workload(config, cache=cache)
    assert shape.in_channels == workload.in_channels == workload.test.frames.shape[2]
    assert shape.classes == workload.classes == len(workload.class_names)
    assert (shape.input_bits, shape.static) == (workload.input_bits, workload.static)
    assert workload.test.frames.shape[1] == (1 if shape.static else 2)


def test_splits_are_two_thirds_a_sixth_and_a_sixth_in_every_class(cache: Path) -> None:
    workload = load_workload(dvs(), cache=cache)
    counts = np.stack(
        [np.bincount(s.labels, minlength=10) for s in (workload.train, workload.validation, workload.test)]
    )
    assert counts.sum() == 1797
    np.testing.assert_allclose(
        counts / counts.sum(axis=0), np.array([[4], [1], [1]]) / 6 * np.ones(10), atol=0.005
    )


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(6, 80), min_size=1, max_size=6), seed=st.integers(0, 2**32 - 1))
def test_a_partition_is_disjoint_complete_and_stratified(sizes: list[int], seed: int) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    parts = stratified_partition(labels, seed)
    assert np.sort(np.concatenate(parts)).tolist() == list(range(len(labels)))
    for part, share in zip(parts, (2 / 3, 1 / 6, 1 / 6), strict=True):
        assert (np.diff(part) > 0).all()
        counts = np.bincount(labels[part], minlength=len(sizes))
        assert (np.abs(counts - share * np.array(sizes)) <= 1.0).all()


def test_the_splits_hold_the_same_samples_at_every_resolution_and_length(cache: Path) -> None:
    one, other = (load_workload(c, cache=cache) for c in (dvs(), dvs(resolution=10, timesteps=3)))
    still = load_workload(WorkloadConfig(name="digits", resolution=8), cache=cache)
    for split in ("train", "validation", "test"):
        labels = getattr(one, split).labels
        np.testing.assert_array_equal(labels, getattr(other, split).labels)
        np.testing.assert_array_equal(labels, getattr(still, split).labels)


def test_no_sample_leaks_from_one_split_into_another(cache: Path) -> None:
    workload = load_workload(WorkloadConfig(name="digits", resolution=8), cache=cache)
    sets = [
        {frame.tobytes() for frame in split.frames}
        for split in (workload.train, workload.validation, workload.test)
    ]
    assert not sets[0] & sets[1]
    assert not sets[0] & sets[2]
    assert not sets[1] & sets[2]


def test_by_time_a_shorter_workload_is_a_prefix_of_a_longer_one(cache: Path) -> None:
    short, long = (load_workload(dvs(timesteps=t), cache=cache) for t in (2, 6))
    for split in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(short, split).frames, getattr(long, split).frames[:, :2])


def test_the_seed_decides_frames_and_splits(cache: Path, tmp_path: Path) -> None:
    first = load_workload(dvs(seed=5), cache=cache)
    assert digest(first) == digest(load_workload(dvs(seed=5), cache=tmp_path))
    other = load_workload(dvs(seed=6), cache=cache)
    assert (first.train.labels != other.train.labels).any()
    assert not np.array_equal(frames(first), frames(other))


def test_a_second_loading_reads_the_cache_and_gives_the_same(tmp_path: Path) -> None:
    made = load_workload(dvs(), cache=tmp_path)
    (path,) = tmp_path.glob("*.npz")
    written = path.stat()
    assert digest(load_workload(dvs(), cache=tmp_path)) == digest(made)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (written.st_mtime_ns, written.st_ino)


@pytest.mark.parametrize("damage", ["truncated", "empty", "garbage", "flipped", "not an archive"])
def test_a_damaged_cache_file_is_made_again(tmp_path: Path, damage: str) -> None:
    made = load_workload(dvs(), cache=tmp_path)
    (path,) = tmp_path.glob("*.npz")
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    path.write_bytes(
        {
            "truncated": whole[: len(whole) // 2],
            "empty": b"",
            "garbage": b"\x80\x04not frames",
            "flipped": bytes(flipped),
            "not an archive": np.arange(3).tobytes(),
        }[damage]
    )
    assert digest(load_workload(dvs(), cache=tmp_path)) == digest(made)
    assert path.read_bytes() == whole
    assert set(tmp_path.iterdir()) == {path, digest_file(path)}


def test_a_cache_file_that_would_run_code_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "key.npz"
    np.savez(path, frames=np.array([{"an": "object"}], dtype=object))
    remade = cached_arrays(tmp_path, "key", lambda: {"frames": np.zeros(2)})
    np.testing.assert_array_equal(remade["frames"], np.zeros(2))


def _load(folder: Path) -> bytes:
    return load_workload(dvs(), cache=folder).train.frames.tobytes()


def test_processes_may_make_the_same_workload_at_once(tmp_path: Path) -> None:
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        assert len(set(pool.map(_load, [tmp_path] * 3))) == 1
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".npz", ".sha256"]


def test_a_failed_writing_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(
        InputError, match=r"cannot be written: No space left on device \(set ASTER_DSE_CACHE\)"
    ):
        cached_arrays(tmp_path, "key", lambda: {"frames": np.zeros(2)})
    assert list(tmp_path.iterdir()) == []


def test_the_cache_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ASTER_DSE_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache() == tmp_path / "own"
    monkeypatch.delenv("ASTER_DSE_CACHE")
    assert default_cache() == tmp_path / "xdg" / "aster_dse"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache() == tmp_path / ".cache" / "aster_dse"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            WorkloadConfig(name="digitz"),
            f"workload.name: there is no workload 'digitz' (one of {', '.join(workload_names())})",
        ),
        (dvs(resolution=256), "workload.resolution: 256 is out of range for digits-dvs (8 to 128 pixels)"),
        (
            dvs(resolution=128, timesteps=64),
            "workload.timesteps: 64 frames of 128 pixels a side take 3.5 GiB (at most 18 at this resolution)",
        ),
    ],
)
def test_what_cannot_be_made_is_refused_at_once(config: WorkloadConfig, message: str) -> None:
    for ask in (workload_shape, load_workload):
        with pytest.raises(InputError) as caught:
            ask(config)
        assert str(caught.value) == message


def test_importing_the_package_is_cheap() -> None:
    code = "import sys, aster_dse.workload; print({'torch', 'sklearn'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
