"""Recordings of event cameras as data sets carry them, one file each.

Formats, all but ``.dat`` as spikingjelly 2.0 reads them: N-MNIST ``.bin`` (ATIS; Orchard et al., 2015),
Prophesee ``.dat`` (N-CARS; Sironi et al., CVPR 2018), spikingjelly's ``.npz`` of ``t``, ``x``, ``y``, ``p``,
and AEDAT (:mod:`aster_dse.workload.aedat`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from aster_dse.errors import InputError
from aster_dse.workload.aedat import read_aedat
from aster_dse.workload.event_records import Events, Fields, Sensor, checked, content, records, unwrapped
from aster_dse.workload.npz import named_arrays

__all__ = ["EVENT_SUFFIXES", "Events", "Sensor", "labelled_windows", "read_events"]

_ATIS_ROWS = 240
"""Of the sensor behind ``.bin``: an event in the row after the last one carries the clock on."""
_ATIS_STEP_US = 1 << 13
_DAT_KINDS = {0: "2D events", 12: "contrast events", 14: "external triggers, which have no pixels"}


def read_events(path: Path, sensor: Sensor) -> Events:
    """Read one recording; its format is told by its suffix.

    Raises:
        InputError: the file cannot be read, is truncated or empty, or has an event outside of the sensor, one
            of no polarity, or one before its predecessor.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(str(path), f"has the suffix {path.suffix!r}", f"one of {', '.join(EVENT_SUFFIXES)}")
    t, x, y, p = reader(path, sensor)
    return checked(path, Events(t, x, y, p), sensor)


def labelled_windows(path: Path) -> tuple[tuple[int, int, int], ...]:
    """Rows ``(label, start, end)`` of a ``*_labels.csv`` of DVS128 Gesture: labels from 1, times in us.

    Raises:
        InputError: the file cannot be read, is empty, or a row is not three whole numbers.
    """
    wanted = "class,startTime_usec,endTime_usec"
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), f"cannot be read: {error}", wanted) from error
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 3 or not all(field.isdecimal() for field in fields):
            raise InputError(f"{path}: line {number}", f"found {line!r}", wanted)
        rows.append((int(fields[0]), int(fields[1]), int(fields[2])))
    if not rows:
        raise InputError(str(path), "names no sample", wanted)
    return tuple(rows)


def _bin(path: Path, _sensor: Sensor) -> Fields:
    raw = records(path, content(path), "u1", 5)
    t = unwrapped(((raw[:, 2] & 127) << 16) | (raw[:, 3] << 8) | raw[:, 4], 23)
    overflow = raw[:, 1] == _ATIS_ROWS
    t = (t + _ATIS_STEP_US * np.cumsum(overflow))[~overflow]
    raw = raw[~overflow]
    return t, raw[:, 0], raw[:, 1], raw[:, 2] >> 7


def _dat(path: Path, _sensor: Sensor) -> Fields:
    data = content(path)
    start = 0
    while data[start : start + 1] == b"%":
        end = data.find(b"\n", start)
        start = len(data) if end < 0 else end + 1
    kind = data[start : start + 2]
    if start == 0 or len(kind) < 2:
        raise InputError(str(path), "has no header of lines that start with %", "a Prophesee .dat file")
    version = re.search(rb"^%\s*Version\s+(\d+)", data[:start], re.MULTILINE)
    if version is not None and int(version.group(1)) != 2:
        raise InputError(str(path), f"is of version {int(version.group(1))}", "a Prophesee .dat of version 2")
    if kind[0] not in (0, 12) or kind[1] != 8:
        what = _DAT_KINDS.get(kind[0], "no known kind")
        problem = f"has events of {kind[1]} bytes, type {kind[0]:#04x}: {what}"
        raise InputError(str(path), problem, "2D or contrast events of 8 bytes, type 0x00 or 0x0c")
    raw = records(path, data[start + 2 :], "<u4", 2)
    packed = raw[:, 1]
    return unwrapped(raw[:, 0], 32), packed & 0x3FFF, (packed >> 14) & 0x3FFF, packed >> 28


def _npz(path: Path, _sensor: Sensor) -> Fields:
    arrays = named_arrays(path, ("t", "x", "y", "p"))
    for name, array in zip("txyp", arrays, strict=True):
        if array.ndim != 1 or array.dtype.kind not in "iub":
            found = f"{name!r} is {array.dtype} of shape {array.shape}"
            raise InputError(str(path), found, "whole numbers, one per event")
        if len(array) != len(arrays[0]):
            found = f"{name!r} has {len(array)} events, 't' has {len(arrays[0])}"
            raise InputError(str(path), found, "equally many of each")
    t, x, y, p = (array.astype(np.int64) for array in arrays)
    return unwrapped(t, 32) if arrays[0].dtype.itemsize == 4 else t, x, y, p


_READERS: Mapping[str, Callable[[Path, Sensor], Fields]] = {
    ".aedat": read_aedat,
    ".bin": _bin,
    ".dat": _dat,
    ".npz": _npz,
}
EVENT_SUFFIXES = tuple(_READERS)
