"""Frames of an event data set: made once from its recordings, kept in one file, read back by sample.

The file is an array of bytes ``[samples, T, 2, height, width]``. Up to 1 GiB it is held in memory; a larger
one stays on the disk and batches are read from there.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import InputError
from aster_dse.space import WorkloadConfig
from aster_dse.stored_files import keep
from aster_dse.workload.cache import verified
from aster_dse.workload.dataset import FrameSource
from aster_dse.workload.event_files import Events, Sensor, read_events
from aster_dse.workload.event_frames import binned_counts, count_frames
from aster_dse.workload.event_trees import EventTree, Recording
from aster_dse.workload.npz import named_arrays

__all__ = ["StoredFrames", "event_frames", "frame_shape", "too_large"]

_VERSION = 2
"""Part of every cache key; raise it when the same recordings make other frames."""
_IN_MEMORY_BYTES = 1 << 30


@dataclass(frozen=True, eq=False)
class StoredFrames:
    """Some samples of a file of frames, read when they are asked for."""

    path: Path
    members: NDArray[np.int64]
    """Rows of the file."""
    sample_shape: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.members), *self.sample_shape)

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, index: slice | NDArray[np.int64], /) -> NDArray[np.uint8]:
        stored = _opened(self.path)
        if stored is None or stored.shape[1:] != self.sample_shape:
            raise InputError(str(self.path), "is gone or damaged", "load the workload again")
        return np.asarray(stored[self.members[index]])

    def part(self, members: NDArray[np.int64]) -> FrameSource:
        """Only these samples, in memory where all of them fit."""
        chosen = StoredFrames(self.path, self.members[members], self.sample_shape)
        return chosen if too_large(len(self.members), self.sample_shape) else chosen[:]


def too_large(samples: int, sample_shape: tuple[int, ...]) -> bool:
    """Whether the frames of a data set stay on the disk."""
    return samples * math.prod(sample_shape) > _IN_MEMORY_BYTES


def event_frames(
    tree: EventTree,
    config: WorkloadConfig,
    sensor: Sensor,
    cache: Path,
    *,
    still_there: Callable[[], object],
) -> StoredFrames:
    """Frames of the training samples of ``tree`` and then of those for the test, made on first use.

    Args:
        config: identified (``config.data``): frames of other recordings are never taken for these.
        still_there: called when they are made; raises where the recordings were changed meanwhile.

    Raises:
        InputError: a recording is damaged, or the cache cannot be written.
    """
    samples = (*tree.train, *tree.test)
    shape = frame_shape(config)
    path = cache / f"{config.name}-{_key(tree, config, sensor)}.npy"

    def made() -> bool:
        stored = _opened(path) if verified(path) else None
        return stored is not None and stored.shape == (len(samples), *shape)

    if not made():
        from filelock import FileLock  # of the extra `networks`

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Of the workers of a machine, one makes them and the others wait for it.
            with FileLock(path.with_suffix(".lock")):
                if not made():
                    _make(path, samples, tree.content, config, sensor, still_there)
        except OSError as error:
            problem = f"the data cache cannot be written: {error.strerror or error}"
            raise InputError(str(cache), problem, "set ASTER_DSE_CACHE") from error
    return StoredFrames(path, np.arange(len(samples)), shape)


def frame_shape(config: WorkloadConfig) -> tuple[int, ...]:
    """Of one sample."""
    return (config.timesteps, 2, config.resolution, config.resolution)


def _opened(path: Path) -> NDArray[np.uint8] | None:
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        return None
    except (ValueError, EOFError, OSError):
        return None  # damaged, so it will be replaced
    return stored if isinstance(stored, np.ndarray) and stored.dtype == np.uint8 else None


def _make(
    path: Path,
    samples: tuple[Recording, ...],
    content: str,
    config: WorkloadConfig,
    sensor: Sensor,
    still_there: Callable[[], object],
) -> None:
    def write(file: IO[bytes]) -> None:
        head = {"descr": "|u1", "fortran_order": False, "shape": (len(samples), *frame_shape(config))}
        np.lib.format.write_array_header_1_0(file, head)
        make = _ready if content == "frames" else _counted
        for sample in samples:
            file.write(make(sample, config, sensor).tobytes())
        still_there()

    keep(path, write, durable=False)


def _ready(sample: Recording, config: WorkloadConfig, sensor: Sensor) -> NDArray[np.uint8]:
    (frames,) = named_arrays(sample.path, ("frames",))
    wanted = (config.timesteps, 2, sensor.height, sensor.width)
    if frames.shape != wanted or frames.dtype.kind not in "fiu":
        raise InputError(
            str(sample.path),
            f"'frames' is {frames.dtype} of shape {frames.shape}",
            f"counts of shape {wanted}",
        )
    counts = frames.astype(np.float64)
    if not (np.isfinite(counts).all() and (counts >= 0).all() and (counts == np.rint(counts)).all()):
        raise InputError(str(sample.path), "'frames' are no event counts", "whole numbers from 0")
    return binned_counts(counts.astype(np.int64), config.resolution)


def _counted(sample: Recording, config: WorkloadConfig, sensor: Sensor) -> NDArray[np.uint8]:
    if sample.window_us is None:
        events = read_events(sample.path, sensor)
    else:
        events = _window(sample.path, *sample.window_us, sensor)
    return count_frames(events, config.timesteps, config.split_by, sensor, config.resolution)


def _window(path: Path, start_us: int, end_us: int, sensor: Sensor) -> Events:
    events = _long_recording(path, sensor).between(start_us, end_us)
    if not len(events):
        problem = f"holds no event of {start_us} to {end_us} us"
        raise InputError(str(path), problem, "the table beside it names that time")
    return events


@lru_cache(maxsize=1)
def _long_recording(path: Path, sensor: Sensor) -> Events:
    """Kept for the next sample, which mostly is of the same file."""
    return read_events(path, sensor)


def _key(tree: EventTree, config: WorkloadConfig, sensor: Sensor) -> str:
    """Of what the frames depend on; not of where the folder lies, how it is split, or who reads it."""
    order = hashlib.sha256()
    for sample in (*tree.train, *tree.test):
        name = sample.path.relative_to(tree.folder).as_posix()
        order.update(f"{name} {sample.window_us}\n".encode(errors="surrogateescape"))
    settings = (_VERSION, config.timesteps, config.split_by, config.resolution, sensor.height, sensor.width)
    text = json.dumps([settings, tree.content, config.data, order.hexdigest()])
    return hashlib.sha256(text.encode()).hexdigest()[:20]
