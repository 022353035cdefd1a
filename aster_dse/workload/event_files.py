"""Recordings of event cameras as data sets carry them, one file each.

Formats, all but ``.dat`` as spikingjelly 2.0 reads them: N-MNIST ``.bin`` (ATIS; Orchard et al., 2015),
Prophesee ``.dat`` (N-CARS; Sironi et al., CVPR 2018), spikingjelly's ``.npz`` of ``t``, ``x``, ``y``, ``p``,
AEDAT 2.0 as in CIFAR10-DVS (Li et al., 2017) and AEDAT 3.1 as in DVS128 Gesture (Amir et al., CVPR 2017).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import InputError
from aster_dse.workload.npz import named_arrays

__all__ = ["EVENT_SUFFIXES", "Events", "Sensor", "labelled_windows", "read_events"]

_RESTORE = "restore the file, or remove it"
_AEDAT3_END = b"#!END-HEADER"
_POLARITY_PACKET = 1


@dataclass(frozen=True)
class Sensor:
    """Pixels of an event camera."""

    height: int
    width: int


@dataclass(frozen=True)
class Events:
    """One recording, in the order of time."""

    t_us: NDArray[np.int64]
    """Time stamps, microseconds; the first one need not be 0."""
    x: NDArray[np.int64]
    y: NDArray[np.int64]
    """From the top down."""
    p: NDArray[np.int64]
    """Polarity: 1 ON (brighter), 0 OFF (darker)."""

    def __len__(self) -> int:
        return len(self.t_us)

    def between(self, start_us: int, end_us: int) -> Events:
        """The events of ``start_us <= t < end_us``."""
        kept = (self.t_us >= start_us) & (self.t_us < end_us)
        return Events(self.t_us[kept], self.x[kept], self.y[kept], self.p[kept])


def read_events(path: Path, sensor: Sensor) -> Events:
    """Read one recording; its format is told by its suffix.

    Raises:
        InputError: the file cannot be read, is truncated or empty, or has an event outside of the sensor, one
            of no polarity, or one before its predecessor.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(str(path), f"has the suffix {path.suffix!r}", f"one of {', '.join(EVENT_SUFFIXES)}")
    t, x, y, p = reader(path)
    return _checked(path, Events(t, x, y, p), sensor)


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


_Fields = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(str(path), f"cannot be read: {error.strerror or error}", _RESTORE) from error


def _whole(path: Path, data: bytes, size: int) -> bytes:
    """``data``, which must be events of ``size`` bytes."""
    if len(data) % size:
        problem = f"{len(data)} bytes of events are no multiple of {size}: the file is truncated"
        raise InputError(str(path), problem, _RESTORE)
    return data


def _bin(path: Path) -> _Fields:
    raw = np.frombuffer(_whole(path, _content(path), 5), np.uint8).reshape(-1, 5).astype(np.int64)
    t = ((raw[:, 2] & 127) << 16) | (raw[:, 3] << 8) | raw[:, 4]
    return t, raw[:, 0], raw[:, 1], raw[:, 2] >> 7


def _dat(path: Path) -> _Fields:
    data = _content(path)
    start = 0
    while data[start : start + 1] == b"%":
        end = data.find(b"\n", start)
        start = len(data) if end < 0 else end + 1
    kind = data[start : start + 2]
    if start == 0 or len(kind) < 2:
        raise InputError(str(path), "has no header of lines that start with %", "a Prophesee .dat file")
    if kind[1] != 8:
        raise InputError(str(path), f"has events of {kind[1]} bytes, type {kind[0]}", "2D events of 8 bytes")
    raw = np.frombuffer(_whole(path, data[start + 2 :], 8), "<u4").reshape(-1, 2).astype(np.int64)
    packed = raw[:, 1]
    return raw[:, 0], packed & 0x3FFF, (packed >> 14) & 0x3FFF, packed >> 28


def _npz(path: Path) -> _Fields:
    arrays = named_arrays(path, ("t", "x", "y", "p"))
    for name, array in zip("txyp", arrays, strict=True):
        if array.ndim != 1 or array.dtype.kind not in "iub":
            found = f"{name!r} is {array.dtype} of shape {array.shape}"
            raise InputError(str(path), found, "whole numbers, one per event")
        if len(array) != len(arrays[0]):
            found = f"{name!r} has {len(array)} events, 't' has {len(arrays[0])}"
            raise InputError(str(path), found, "equally many of each")
    t, x, y, p = (array.astype(np.int64) for array in arrays)
    return t, x, y, p


def _aedat(path: Path) -> _Fields:
    data = _content(path)
    version = data[:14].split(b"\n")[0].strip()
    if version.startswith(b"#!AER-DAT3."):
        return _aedat3(path, data)
    if version.startswith(b"#!AER-DAT2."):
        return _aedat2(path, data)
    raise InputError(str(path), "does not begin with #!AER-DAT2.0 or #!AER-DAT3.1", "an .aedat file")


def _aedat2(path: Path, data: bytes) -> _Fields:
    """Address and time stamp, 4 bytes each, big-endian; CIFAR10-DVS has the camera's axes swapped."""
    start = 0
    # The events do not look like header: an address of 128x128 pixels has a first byte of 0.
    while data[start : start + 1] == b"#":
        end = data.find(b"\n", start)
        start = len(data) if end < 0 else end + 1
    raw = np.frombuffer(_whole(path, data[start:], 8), ">u4").reshape(-1, 2).astype(np.int64)
    address = raw[:, 0]
    return raw[:, 1], 127 - ((address & 0x7F00) >> 8), 127 - ((address & 0xFE) >> 1), 1 - (address & 1)


def _aedat3(path: Path, data: bytes) -> _Fields:
    """Packets of a 28-byte header and events of a size that it names; polarity packets are kept."""
    mark = data.find(_AEDAT3_END)
    end = data.find(b"\n", mark)
    if mark < 0 or end < 0:
        raise InputError(str(path), "has no end of its header", _RESTORE)
    parts = [(np.zeros(0, np.int64), np.zeros(0, np.int64)), *_polarity_packets(path, data, end + 1)]
    t, packed = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return t, (packed >> 17) & 0x7FFF, (packed >> 2) & 0x7FFF, (packed >> 1) & 1


def _polarity_packets(
    path: Path, data: bytes, start: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    while start < len(data):
        if len(data) - start < 28:
            raise InputError(str(path), "ends within the header of a packet", _RESTORE)
        kind, _, size, _, overflow, capacity = struct.unpack_from("<HHIIII", data, start)
        start += 28
        if len(data) - start < size * capacity:
            problem = f"ends within a packet of {capacity} events of {size} bytes"
            raise InputError(str(path), problem, _RESTORE)
        if kind == _POLARITY_PACKET and capacity:
            if size != 8:
                raise InputError(str(path), f"has polarity events of {size} bytes", "8 bytes")
            raw = np.frombuffer(data, "<u4", 2 * capacity, start).reshape(-1, 2).astype(np.int64)
            yield raw[:, 1] | (overflow << 31), raw[:, 0]
        start += size * capacity


def _checked(path: Path, events: Events, sensor: Sensor) -> Events:
    if not len(events):
        raise InputError(str(path), "holds no event", _RESTORE)
    outside = (events.x < 0) | (events.x >= sensor.width) | (events.y < 0) | (events.y >= sensor.height)
    if outside.any():
        at = int(outside.argmax())
        problem = f"event {at} lies at x = {events.x[at]}, y = {events.y[at]}"
        raise InputError(str(path), problem, f"the sensor has {sensor.width} x {sensor.height} pixels")
    colourless = (events.p != 0) & (events.p != 1)
    if colourless.any():
        at = int(colourless.argmax())
        raise InputError(str(path), f"event {at} has the polarity {events.p[at]}", "0 OFF or 1 ON")
    back = np.diff(events.t_us) < 0
    if back.any():
        at = int(back.argmax()) + 1
        problem = f"time goes backwards: event {at} at {events.t_us[at]} us follows {events.t_us[at - 1]} us"
        raise InputError(str(path), problem, "events in the order of time")
    return events


_READERS: Mapping[str, Callable[[Path], _Fields]] = {
    ".aedat": _aedat,
    ".bin": _bin,
    ".dat": _dat,
    ".npz": _npz,
}
EVENT_SUFFIXES = tuple(_READERS)
