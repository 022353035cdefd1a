"""Events in memory, and what the readers of every format share: whole files and clocks that start again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import InputError

__all__ = ["RESTORE", "Events", "Fields", "Sensor", "checked", "content", "records", "unwrapped"]

RESTORE = "restore the file, or remove it"

Fields: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Time in microseconds, x, y and polarity, one element per event."""


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
    """Column and row, counted from 0."""
    p: NDArray[np.int64]
    """Polarity: 1 ON (brighter), 0 OFF (darker)."""

    def __len__(self) -> int:
        return len(self.t_us)

    def between(self, start_us: int, end_us: int) -> Events:
        """The events of ``start_us <= t < end_us``."""
        kept = (self.t_us >= start_us) & (self.t_us < end_us)
        return Events(self.t_us[kept], self.x[kept], self.y[kept], self.p[kept])


def content(path: Path) -> bytes:
    """All bytes of a file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(str(path), f"cannot be read: {error.strerror or error}", RESTORE) from error


def records(path: Path, data: bytes, dtype: str, columns: int) -> NDArray[np.int64]:
    """``data`` as ``[events, columns]`` numbers of ``dtype``.

    Raises:
        InputError: the last event is cut off.
    """
    size = columns * np.dtype(dtype).itemsize
    if len(data) % size:
        problem = f"{len(data)} bytes of events are no multiple of {size}: the file is truncated"
        raise InputError(str(path), problem, RESTORE)
    return np.frombuffer(data, dtype).reshape(-1, columns).astype(np.int64)


def unwrapped(t: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """Times of a clock of ``bits`` bits, counted on where it starts again from its lowest value.

    A step back by more than half of the clock's range is such a start; a smaller one is left as it is.
    """
    starts = np.diff(t, prepend=t[:1]) < -(1 << (bits - 1))
    return t + (np.cumsum(starts, dtype=np.int64) << bits)


def checked(path: Path, events: Events, sensor: Sensor) -> Events:
    """``events``, if they can be a recording of ``sensor``.

    Raises:
        InputError: there is none, one lies outside of the sensor, has no polarity, or is out of order.
    """
    if not len(events):
        raise InputError(str(path), "holds no event of a pixel", RESTORE)
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
