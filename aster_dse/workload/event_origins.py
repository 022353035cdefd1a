"""Whether an event data set is whole: against the recordings that it was prepared from, and as published.

Preparing a data set takes hours, and one that was cut off looks like a smaller data set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from aster_dse.errors import InputError, NotFoundError
from aster_dse.workload.event_files import EVENT_SUFFIXES, labelled_windows
from aster_dse.workload.event_trees import (
    EVENTS,
    EventTree,
    Layout,
    check_test_part,
    find_recordings,
    part_folders,
    raw_folders,
)
from aster_dse.workload.published import check_published

__all__ = ["published_samples", "whole_recordings"]

_Names: TypeAlias = Mapping[tuple[str, int], frozenset[str]]
"""Names of samples, without suffix, by part and label; the part is empty where there are none."""


def whole_recordings(root: Path, layout: Layout, timesteps: int, split_by: str) -> EventTree:
    """The samples below ``root``, compared with what lies beside them and with the published data set.

    A subset is no fault where every class is smaller than it was published, and classes that were published
    with equally many samples are equally large.

    Raises:
        InputError: as :func:`~aster_dse.workload.event_trees.find_recordings`; or they lack samples of their
            origin, are a part of the published data set, cut off, or leave none of a class for the test.
    """
    tree = find_recordings(root, layout, timesteps, split_by)
    ours = _names(tree)
    for origin, theirs in _origins(tree, root, layout):
        _compare(tree.folder, ours, origin, theirs)
    check_test_part(tree, layout)
    if layout.published:
        _compare_published(tree, ours, layout.published)
    return tree


def published_samples(layout: Layout) -> int:
    """Samples of the published data set; 0 where there is none."""
    return sum(sum(counts) for counts in layout.published.values())


def _names(tree: EventTree) -> _Names:
    found: dict[tuple[str, int], set[str]] = {}
    for part, samples in (("train", tree.train), ("test", tree.test)):
        for number, sample in enumerate(samples):
            # Samples of a long recording have no names of their own.
            name = sample.path.stem if sample.window_us is None else f"{sample.path.stem} {number}"
            found.setdefault((part if tree.has_parts else "", sample.label), set()).add(name)
    return {key: frozenset(names) for key, names in found.items()}


def _origins(tree: EventTree, root: Path, layout: Layout) -> Iterator[tuple[Path, _Names]]:
    """What ``tree`` can have been made of."""
    if tree.content == "frames" and (root / EVENTS).is_dir():
        yield root / EVENTS, _in_classes(root / EVENTS, layout, tree.classes, (".npz",))
    if tree.content == "frames" or tree.folder == root / EVENTS:
        for folder in raw_folders(root, layout, tree.classes):
            if layout.gesture_trials:
                yield folder, _in_trials(folder, layout)
            else:
                yield folder, _in_classes(folder, layout, tree.classes, EVENT_SUFFIXES)
            return


def _in_classes(folder: Path, layout: Layout, classes: Sequence[str], suffixes: Sequence[str]) -> _Names:
    parts = part_folders(folder, layout, tuple(classes))
    places = {"": folder} if parts is None else dict(zip(("train", "test"), parts, strict=True))
    found = {}
    for part, place in places.items():
        for label, name in enumerate(classes):
            if (place / name).is_dir():
                files = (p for p in (place / name).iterdir() if p.suffix.lower() in suffixes)
                found[part, label] = frozenset(p.stem for p in files if p.name[0] != ".")
    return found


def _in_trials(folder: Path, layout: Layout) -> _Names:
    """As spikingjelly names the samples; without the recordings whose table is gone or damaged."""
    found: dict[tuple[str, int], set[str]] = {}
    for part in ("train", "test"):
        try:
            trials = (folder / f"trials_to_{part}.txt").read_text(encoding="ascii").split()
        except (OSError, UnicodeDecodeError):
            continue
        for trial in trials:
            stem = Path(trial).stem
            try:
                labels = [number - 1 for number, _, _ in labelled_windows(folder / f"{stem}_labels.csv")]
            except (InputError, NotFoundError):
                continue
            for at, label in enumerate(labels):
                if str(label) in layout.class_folders:
                    key = part, layout.class_folders.index(str(label))
                    found.setdefault(key, set()).add(f"{stem}_{labels[:at].count(label)}")
    return {key: frozenset(names) for key, names in found.items()}


def _compare(folder: Path, ours: _Names, origin: Path, theirs: _Names) -> None:
    lacking, example = 0, ""
    if {part for part, _ in ours} != {part for part, _ in theirs}:
        found_in_class, wanted_in_class = _numbers(ours), _numbers(theirs)
        lacking = sum(max(0, wanted - found_in_class[label]) for label, wanted in wanted_in_class.items())
    else:
        for key, names in theirs.items():
            found = ours.get(key, frozenset())
            if names & found:
                missing = sorted(names - found)
                example = example or (missing[0] if missing else "")
                lacking += len(missing)
            else:  # named otherwise, so that only the number can tell
                lacking += max(0, len(names) - len(found))
    if lacking:
        whole = sum(len(names) for names in theirs.values())
        of = f", {example} for one" if example else ""
        problem = f"lacks {lacking} of the {whole} recordings in {origin}{of}: its preparation was cut off"
        raise InputError(str(folder), problem, "prepare it again, or remove it")


def _numbers(names: _Names) -> Counter[int]:
    """Samples of each label, whatever their part."""
    numbers: Counter[int] = Counter()
    for (_, label), some in names.items():
        numbers[label] += len(some)
    return numbers


def _compare_published(tree: EventTree, ours: _Names, published: Mapping[str, tuple[int, ...]]) -> None:
    counts: list[tuple[str, int, int]] = []
    for part, wanted in published.items():
        found = [len(ours.get((part, label), ())) for label in range(len(tree.classes))]
        if len(wanted) == 1:
            counts.append((part, sum(found), wanted[0]))
        else:
            named = [f"{part}/{name}".lstrip("/") for name in tree.classes]
            counts += zip(named, found, wanted, strict=True)
    check_published(tree.folder, counts, "the whole data set, or name it as an event-folder")
