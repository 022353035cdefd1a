"""Event recordings of a set of still images, by the simulated event camera, in spikingjelly's layout.

``events_np/{train,test}/{class}/*.npz`` with ``t``, ``x``, ``y``, ``p`` of int64, as in spikingjelly's DVS128
Gesture; ``recording.json`` beside ``events_np`` says how they were made. A recording depends on its image,
its number, the sensor and the seed alone, so a run that was cut off goes on where it stopped.
"""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import ExistsError, InputError
from aster_dse.workload.closed_loop import BIN_US, Screen
from aster_dse.workload.dataset import Split, Workload
from aster_dse.workload.event_camera import EventStream
from aster_dse.workload.event_catalogue import RECORDING, UNFINISHED

__all__ = ["RecordedSet", "record_workload"]

_VERSION = 1
_STREAM = 0x4EC04D
"""Keeps these draws apart from others made from the same seed."""
_CHUNK_BYTES = 1 << 19
"""Intensities (4 bytes each) that are recorded at once: they stay in a core's own cache."""
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
"""Of red, green and blue (ITU-R BT.601)."""
_RADIUS, _JITTER = 1 / 16, 1 / 32
"""Of the image's side, as for the digits."""


@dataclass(frozen=True)
class RecordedSet:
    """What a run of :func:`record_workload` did."""

    folder: Path
    recorded: int
    kept: int
    """Found complete from an earlier run."""
    events: int
    """Of the recordings made now."""
    classes: int
    duration_us: int
    """Of each recording."""


@dataclass(frozen=True)
class _Task:
    split: Split
    member: int
    part: int
    path: Path


def record_workload(
    workload: Workload,
    folder: Path,
    *,
    resolution: int,
    bins: int,
    seed: int = 0,
    limit: int | None = None,
    on_sample: Callable[[int, int], None] | None = None,
) -> RecordedSet:
    """Let every image of ``workload`` move in front of an event camera.

    Args:
        folder: the tree's root. Validation samples are written into its training part.
        resolution: height and width of the sensor, pixels; the image fills it.
        bins: length of a recording in legs of the loop, 25 ms each.
        seed: draws the sensor, each sample's place on the screen and its noise.
        limit: at most so many images for training and so many for the test, the classes in turn.
        on_sample: called with the samples done and those to do.

    Raises:
        InputError: the workload has no still images, or the folder cannot be written.
        ExistsError: the folder holds recordings that were made otherwise.
    """
    if not workload.static:
        raise InputError("WORKLOAD", f"{workload.config.name} has no still images", "a data set of images")
    try:
        _claim(folder, _settings(workload, resolution, bins, seed))
        tasks = list(_tasks(workload, folder, limit))
        missing = [task for task in tasks if not _complete(task.path)]
        kept = len(tasks) - len(missing)
        if missing:
            _replace(folder / UNFINISHED, f"{len(missing)} of {len(tasks)} recordings\n".encode())
        events = 0
        chunk = max(1, _CHUNK_BYTES // (4 * resolution**2))
        for start in range(0, len(missing), chunk):
            if on_sample is not None:
                on_sample(kept + start, len(tasks))
            for some in _alike(missing[start : start + chunk]):
                stream = _film(some, workload.scale, resolution, bins, seed)
                for number, task in enumerate(some):
                    events += _write(task.path, stream, number)
        (folder / UNFINISHED).unlink(missing_ok=True)
        if on_sample is not None:
            on_sample(len(tasks), len(tasks))
    except OSError as error:
        raise InputError(
            str(folder), f"cannot be written: {error.strerror or error}", "another -o"
        ) from error
    return RecordedSet(folder, len(missing), kept, events, workload.classes, bins * BIN_US)


def _settings(workload: Workload, resolution: int, bins: int, seed: int) -> dict[str, object]:
    return {
        "version": _VERSION,
        "sensor": [resolution, resolution],
        "bins": bins,
        "seed": seed,
        "workload": workload.config.model_dump(mode="json"),
        "classes": list(workload.class_names),
        "images": [len(part) for part in (workload.train, workload.validation, workload.test)],
    }


def _claim(folder: Path, settings: dict[str, object]) -> None:
    """Make sure that ``folder`` is for recordings of these settings alone."""
    path = folder / RECORDING
    text = json.dumps(settings, indent=2) + "\n"
    if not path.exists():
        if (folder / "events_np").exists():
            raise ExistsError(f"{folder}: has an events_np that was not recorded here (another -o)")
        folder.mkdir(parents=True, exist_ok=True)
        _replace(path, text.encode())
    elif path.read_text(encoding="utf-8") != text:
        raise ExistsError(f"{path}: the recordings there were made with other settings (another -o)")


def _tasks(workload: Workload, folder: Path, limit: int | None) -> Iterator[_Task]:
    names = _class_folders(workload.class_names)
    parts = (("train", workload.train), ("validation", workload.validation), ("test", workload.test))
    for place, chosen in (("train", (0, 1)), ("test", (2,))):
        pool = [(part, member) for part in chosen for member in range(len(parts[part][1]))]
        labels = np.concatenate([parts[part][1].labels for part in chosen])
        for at in _in_turn(labels, limit):
            part, member = pool[at]
            name, split = parts[part]
            file = f"{name}_{member:07d}.npz"
            yield _Task(split, member, part, folder / "events_np" / place / names[labels[at]] / file)


def _in_turn(labels: NDArray[np.int64], limit: int | None) -> NDArray[np.int64]:
    """Ascending indices of the first samples, taken from one class after the other."""
    if limit is None:
        return np.arange(len(labels))
    turn = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        turn[members] = np.arange(len(members))
    return np.sort(np.lexsort((labels, turn))[:limit])


def _class_folders(names: tuple[str, ...]) -> tuple[str, ...]:
    """Folder names whose order is that of the classes: the classes' own where that is so."""
    safe = all(
        re.fullmatch(r"[\w][\w .-]*", name) and name.lower() not in ("train", "test") for name in names
    )
    if safe and list(names) == sorted(set(names)):
        return names
    return tuple(f"{number:05d}" for number in range(len(names)))


def _alike(tasks: list[_Task]) -> Iterator[list[_Task]]:
    """Tasks of the same split together."""
    for part in sorted({task.part for task in tasks}):
        yield [task for task in tasks if task.part == part]


def _film(tasks: list[_Task], scale: float, resolution: int, bins: int, seed: int) -> EventStream:
    members = np.array([task.member for task in tasks])
    images = _luminance(tasks[0].split.frames[members][:, 0].astype(np.float32) * np.float32(scale))
    side = images.shape[-1]
    screen = Screen(
        pixels=side,
        field=float(side),
        radius=_RADIUS * side,
        jitter=_JITTER * side,
        contrast=2.0,
        edge_goes_on=True,
    )
    generators = [np.random.default_rng([seed, _STREAM, task.part, task.member]) for task in tasks]
    return screen.record(images, generators, resolution, bins, seed)


def _luminance(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """``[samples, height, width]`` of images of one channel or of red, green and blue."""
    if images.shape[1] == 1:
        return np.ascontiguousarray(images[:, 0])
    light: NDArray[np.float32] = np.tensordot(images, _LUMINANCE, axes=(1, 0)).astype(np.float32)
    return np.ascontiguousarray(light)


def _complete(path: Path) -> bool:
    return path.is_file() and zipfile.is_zipfile(path)


def _write(path: Path, stream: EventStream, number: int) -> int:
    mine = slice(int(stream.offsets[number]), int(stream.offsets[number + 1]))
    arrays = {
        name: values[mine].astype(np.int64)
        for name, values in (("t", stream.t_us), ("x", stream.x), ("y", stream.y), ("p", stream.p))
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    _replace(path, content.getvalue())
    return mine.stop - mine.start


def _replace(path: Path, content: bytes) -> None:
    """Write ``path`` whole or not at all."""
    temporary = path.with_name(f".{path.name}-{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
