"""Where the recordings of an event data set lie in its folder, and which of them are for the test.

spikingjelly's layout, ``frames_number_{T}_split_by_{how}`` and ``events_np``, is looked for first, then the
files as their makers give them.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from aster_dse.errors import InputError
from aster_dse.workload.event_files import EVENT_SUFFIXES, Sensor, labelled_windows

__all__ = [
    "EVENTS",
    "READY",
    "EventTree",
    "Layout",
    "Recording",
    "check_test_part",
    "find_recordings",
    "part_folders",
    "raw_folders",
]

_TRAINING_SHARE = 0.9
"""Of a set without a test part: the first ones of each class by name, as in the published SDT code."""
_LEAST = 10
"""Samples of a class, of which that share leaves one for the test."""
_FRAMES = "frames_number_"
EVENTS = "events_np"
READY = re.compile(_FRAMES + r"(\d+)_split_by_(number|time)")
"""Name of a folder of frames: their number, and how they were cut."""
_PARTS = (("train", "test"), ("Train", "Test"), ("n-cars_train", "n-cars_test"))


@dataclass(frozen=True)
class Layout:
    """What the folders of a data set are called."""

    sensor: Sensor
    class_folders: tuple[str, ...]
    """In the order of the labels; empty where the folders found name the classes, in their order."""
    has_test_part: bool | None
    """None: where there are folders for the parts, they count."""
    gesture_trials: bool = False
    """Raw recordings hold many samples each, told apart by a table (DVS128 Gesture)."""
    published: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Samples of each class in the parts ``train`` and ``test`` (one part ``""`` where there are none), or of
    all classes together."""


@dataclass(frozen=True)
class Recording:
    """One sample."""

    path: Path
    label: int
    window_us: tuple[int, int] | None = None
    """From when until when, in a file of many samples."""


@dataclass(frozen=True)
class EventTree:
    """All samples of a data set."""

    folder: Path
    content: Literal["frames", "events"]
    train: tuple[Recording, ...]
    test: tuple[Recording, ...]
    classes: tuple[str, ...]
    has_parts: bool
    """The folders say which samples are for the test."""
    tables: tuple[Path, ...] = ()
    """Files that say which samples there are and what they show."""

    def paths(self) -> list[Path]:
        """Every file that the samples come from."""
        return list(dict.fromkeys((*(sample.path for sample in (*self.train, *self.test)), *self.tables)))


def find_recordings(root: Path, layout: Layout, timesteps: int, split_by: str) -> EventTree:
    """The samples below ``root``: ready frames where they are there, else events.

    Raises:
        InputError: none of the known folders, a part or a class that is missing or empty, or a folder that is
            no class.
    """
    frames = root / f"{_FRAMES}{timesteps}_split_by_{split_by}"
    if frames.is_dir():
        return _classed(frames, "frames", layout, (".npz",))
    if (root / EVENTS).is_dir():
        return _classed(root / EVENTS, "events", layout, (".npz",))
    for folder in raw_folders(root, layout, layout.class_folders):
        if layout.gesture_trials:
            return _trials(folder, layout)
        return _classed(folder, "events", layout, EVENT_SUFFIXES)
    others = tuple(sorted(p.name for p in root.glob(f"{_FRAMES}*") if p.is_dir()))
    problem = f"holds no {frames.name} but {_short(others)}" if others else "holds no recordings"
    raise InputError(str(root), problem, f"events_np or {frames.name} in it")


def raw_folders(root: Path, layout: Layout, classes: tuple[str, ...]) -> Iterator[Path]:
    """Folders with recordings as their makers give them, in the order in which they are looked for.

    Args:
        classes: names of the class folders; empty for any.
    """
    places = (root / "extract", root)
    if layout.gesture_trials:
        for folder in (place / name for place in places for name in ("DvsGesture", ".")):
            if (folder / "trials_to_train.txt").exists():
                yield folder
        return
    for folder in places:
        if part_folders(folder, layout, classes) or _has_classes(folder, classes):
            yield folder


def part_folders(folder: Path, layout: Layout, classes: tuple[str, ...]) -> tuple[Path, Path] | None:
    """The folders for training and for the test, where there is one of them at least."""
    if layout.has_test_part is False and _has_classes(folder, classes):
        return None  # links that spikingjelly's other split of CIFAR10-DVS makes beside the classes
    for train, test in _PARTS:
        if (folder / train).is_dir() or (folder / test).is_dir():
            return folder / train, folder / test
    return None


def _has_classes(folder: Path, classes: tuple[str, ...]) -> bool:
    return any((folder / name).is_dir() for name in classes or _folders(folder))


def _classed(
    folder: Path, content: Literal["frames", "events"], layout: Layout, suffixes: tuple[str, ...]
) -> EventTree:
    parts = part_folders(folder, layout, layout.class_folders)
    if parts is None and layout.has_test_part:
        raise InputError(str(folder), "has no parts", "the folders train and test in it")
    if parts is None:
        classes = layout.class_folders or _folders(folder)
        train, test = [], []
        for found in _by_class(folder, classes, suffixes, ignored={n for pair in _PARTS for n in pair}):
            cut = math.ceil(len(found) * _TRAINING_SHARE)
            train += found[:cut]
            test += found[cut:]
    else:
        # Of both, so that a class which one of them lacks is told.
        classes = layout.class_folders or tuple(sorted({n for part in parts for n in _folders(part)}))
        train, test = ([r for c in _by_class(part, classes, suffixes) for r in c] for part in parts)
    return EventTree(folder, content, tuple(train), tuple(test), classes, has_parts=parts is not None)


def check_test_part(tree: EventTree, layout: Layout) -> None:
    """Refuse a data set that leaves no sample of some class for the test.

    Raises:
        InputError: it does.
    """
    tested = {sample.label for sample in tree.test}
    numbers = Counter(sample.label for sample in tree.train)
    short = [f"{name} ({numbers[at]})" for at, name in enumerate(tree.classes) if at not in tested]
    if short:
        problem = f"leaves no sample for the test of {_short(tuple(short))}"
        remedy = f"{_LEAST} samples or more of every class"
        if tree.has_parts:
            remedy = "a sample of every class in the part for the test"
        elif layout.has_test_part is None:
            remedy += ", or the folders train and test in it"
        raise InputError(str(tree.folder), problem, remedy)


def _by_class(
    folder: Path, classes: tuple[str, ...], suffixes: tuple[str, ...], ignored: Iterable[str] = ()
) -> list[list[Recording]]:
    if not folder.is_dir():
        raise InputError(str(folder), "is missing", "the folder of a part of the data set")
    named = _short(classes)
    for name in _folders(folder):
        if name not in classes and name not in ignored:
            raise InputError(str(folder / name), "is no class of this data set", f"the folders {named}")
    if not classes:
        raise InputError(str(folder), "has no class", "one folder per class")
    samples = []
    for label, name in enumerate(classes):
        if not (folder / name).is_dir():
            raise InputError(str(folder / name), "is missing", f"the folders {named}")
        paths = sorted(
            p for p in (folder / name).iterdir() if p.suffix.lower() in suffixes and p.name[0] != "."
        )
        if not paths:
            raise InputError(str(folder / name), "holds no sample", f"files of {' or '.join(suffixes)}")
        samples.append([Recording(path, label) for path in paths])
    return samples


def _trials(folder: Path, layout: Layout) -> EventTree:
    lists = [folder / f"trials_to_{part}.txt" for part in ("train", "test")]
    train, test = (_trial_part(table, layout) for table in lists)
    tables = (*lists, *(_labels_of(sample.path) for sample in (*train, *test)))
    return EventTree(folder, "events", train, test, layout.class_folders, has_parts=True, tables=tables)


def _labels_of(recording: Path) -> Path:
    return recording.with_name(f"{recording.stem}_labels.csv")


def _trial_part(table: Path, layout: Layout) -> tuple[Recording, ...]:
    try:
        names = table.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(table), f"cannot be read: {error}", "a list of .aedat files") from error
    samples = []
    for name in names:
        recording = table.parent / name
        if not recording.is_file():
            raise InputError(str(recording), f"is missing, {table.name} names it", "restore the file")
        windows = _labels_of(recording)
        for number, start_us, end_us in labelled_windows(windows):
            folder = str(number - 1)
            if folder not in layout.class_folders:
                raise InputError(str(windows), f"has the class {number}", f"1 to {len(layout.class_folders)}")
            samples.append(Recording(recording, layout.class_folders.index(folder), (start_us, end_us)))
    if not samples:
        raise InputError(str(table), "names no recording", "a list of .aedat files")
    return tuple(samples)


def _folders(folder: Path) -> tuple[str, ...]:
    if not folder.is_dir():
        return ()
    found = (p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
    return tuple(sorted(name for name in found if not name.startswith(_FRAMES)))


def _short(names: tuple[str, ...]) -> str:
    return ", ".join(names if len(names) <= 12 else (*names[:10], "...", names[-1]))
