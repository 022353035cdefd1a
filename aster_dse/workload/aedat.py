"""AEDAT 2.0 and 3.1, the files of jAER and cAER (iniVation, "AEDAT file formats").

What an address of AEDAT 2.0 means depends on the camera, which the header line ``# AEChip:`` names:

* DVS128, as spikingjelly 2.0 reads CIFAR10-DVS (Li et al., 2017), whose axes are those of the published
  MATLAB code: bit 0 polarity (0 is ON), bits 1 to 7 and 8 to 14 the pixel, bit 15 an external input.
* DAVIS, as in jAER's ``DavisChip``: bit 11 polarity (1 is ON), bits 12 to 21 x, bits 22 to 30 y; bit 31 marks
  samples of images and of the inertial sensor, bit 10 external inputs.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import InputError
from aster_dse.workload.event_records import (
    RESTORE,
    Events,
    Fields,
    Sensor,
    checked,
    content,
    records,
    unwrapped,
)

__all__ = ["read_aedat"]

_DAVIS_SENSORS = {
    128: Sensor(128, 128),
    208: Sensor(192, 208),
    240: Sensor(180, 240),
    346: Sensor(260, 346),
    640: Sensor(480, 640),
}
"""By the number in the name of the chip. Those with colour filters of four kinds (``DavisRGBW640``) have
another grid."""
_DAVIS_NAME = re.compile(r"davis(?:rgb)?(128|208|240|346|640)", re.IGNORECASE)
_NO_PIXEL = 1 << 31 | 1 << 10
"""Bits of a DAVIS address, of which a pixel sets none."""
_DVS128_NAME = re.compile(r"(?:dvs|tmpdiff)128", re.IGNORECASE)
_OTHERS = re.compile(r"rgbw|multi|stereo", re.IGNORECASE)
_CHIP_WANTED = "a header line '# AEChip: NAME' of DVS128 or a DAVIS (128, 208, 240, 346 or 640)"

_END3 = b"#!END-HEADER"
_POLARITY_PACKET = 1
_HEADER_LINE = re.compile(rb"#[\t\x20-\x7e\x80-\xff]*\r*\n")
"""Text alone: the first byte of a DAVIS address can be that of '#', too."""
_LAST_LINE = re.compile(rb"#\s*End Of ASCII Header|#!END-HEADER", re.IGNORECASE)
_CHIP_LINE = re.compile(rb"#\s*AEChip:\s*(\S+)", re.IGNORECASE)
_FORMAT_LINE = re.compile(rb"^#Format:\s*(\S+)", re.MULTILINE)


def read_aedat(path: Path, sensor: Sensor) -> Fields:
    """The polarity events of an ``.aedat`` file.

    Raises:
        InputError: it cannot be read, is of another version or camera, or is truncated.
    """
    data = content(path)
    version = data[:14].split(b"\n")[0].strip()
    if version.startswith(b"#!AER-DAT3.1"):
        return _aedat3(path, data)
    if version.startswith(b"#!AER-DAT2."):
        return _aedat2(path, data, sensor)
    raise InputError(str(path), "does not begin with #!AER-DAT2.0 or #!AER-DAT3.1", "an .aedat file")


def _aedat2(path: Path, data: bytes, sensor: Sensor) -> Fields:
    """Address and time stamp, 4 bytes each, big-endian."""
    lines, start = _header2(data)
    raw = records(path, data[start:], ">u4", 2)
    camera = _camera(path, _chip(lines), raw[:, 0], sensor)
    t, x, y, p = _dvs128(path, raw) if camera is None else _davis(raw)
    if camera is not None and len(t):
        checked(path, Events(t, x, y, p), camera)
    return t, x, y, p


def _header2(data: bytes) -> tuple[list[bytes], int]:
    """The lines of the header, and where the events begin."""
    lines: list[bytes] = []
    start = 0
    while (line := _HEADER_LINE.match(data, start)) is not None:
        lines.append(line.group())
        start = line.end()
        if _LAST_LINE.match(lines[-1]):
            break
    return lines, start


def _chip(lines: list[bytes]) -> str | None:
    """The class that wrote the addresses, without its package."""
    for line in lines:
        if found := _CHIP_LINE.match(line):
            return found.group(1).decode("latin-1").rpartition(".")[2]
    return None


def _camera(path: Path, chip: str | None, address: NDArray[np.int64], sensor: Sensor) -> Sensor | None:
    """The pixels of the DAVIS that recorded; None for a DVS128."""
    if chip is not None:
        if not _OTHERS.search(chip):
            if _DVS128_NAME.match(chip):
                return None
            if known := _DAVIS_NAME.match(chip):
                return _DAVIS_SENSORS[int(known.group(1))]
        raise InputError(str(path), f"is of the camera {chip}, whose addresses are not known", _CHIP_WANTED)
    if sensor in _DAVIS_SENSORS.values() and sensor != _DAVIS_SENSORS[128]:
        # Pixels of a DAVIS leave the bits of its image samples alone.
        fits, camera = not (address[address & _NO_PIXEL == 0] & 0x3FF).any(), sensor
    else:
        fits, camera = not ((address < 1 << 31) & (address >= 1 << 16)).any(), None
    if fits:
        return camera
    problem = f"names no camera, and its addresses fit none of {sensor.width} x {sensor.height} pixels"
    raise InputError(str(path), problem, _CHIP_WANTED)


def _dvs128(path: Path, raw: NDArray[np.int64]) -> Fields:
    address = raw[:, 0]
    strange = (address < 1 << 31) & (address >= 1 << 16)
    if strange.any():
        at = int(strange.argmax())
        problem = f"event {at} has the address {address[at]:#x}, which no DVS128 has"
        raise InputError(str(path), problem, "the name of the camera in the line '# AEChip:'")
    pixel = raw[address < 1 << 15]
    address = pixel[:, 0]
    x, y = 127 - ((address & 0x7F00) >> 8), 127 - ((address & 0xFE) >> 1)
    return unwrapped(pixel[:, 1], 32), x, y, 1 - (address & 1)


def _davis(raw: NDArray[np.int64]) -> Fields:
    pixel = raw[raw[:, 0] & _NO_PIXEL == 0]
    address = pixel[:, 0]
    x, y, p = (address >> 12) & 0x3FF, (address >> 22) & 0x1FF, (address >> 11) & 1
    return unwrapped(pixel[:, 1], 32), x, y, p


def _aedat3(path: Path, data: bytes) -> Fields:
    """Packets of a 28-byte header and events of a size that it names, little-endian; y counts downwards."""
    mark = data.find(_END3)
    end = data.find(b"\n", mark)
    if mark < 0 or end < 0:
        raise InputError(str(path), "has no end of its header", RESTORE)
    named = _FORMAT_LINE.search(data[:mark])
    if named is not None and named.group(1).upper() != b"RAW":
        problem = f"has packets of the format {named.group(1).decode('latin-1')}"
        raise InputError(str(path), problem, "#Format: RAW")
    parts = [(np.zeros(0, np.int64), np.zeros(0, np.int64)), *_polarity_packets(path, data, end + 1)]
    t, packed = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return t, (packed >> 17) & 0x7FFF, (packed >> 2) & 0x7FFF, (packed >> 1) & 1


def _polarity_packets(
    path: Path, data: bytes, start: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Times and data of the valid events, packet by packet."""
    camera: int | None = None
    while start < len(data):
        if len(data) - start < 28:
            raise InputError(str(path), "ends within the header of a packet", RESTORE)
        kind, source, size, _, overflow, capacity, number, _ = struct.unpack_from("<HHIIIIII", data, start)
        start += 28
        if len(data) - start < size * capacity:
            problem = f"ends within a packet of {capacity} events of {size} bytes"
            raise InputError(str(path), problem, RESTORE)
        if number > capacity:
            problem = f"has a packet of {number} events with room for {capacity}"
            raise InputError(str(path), problem, RESTORE)
        if kind == _POLARITY_PACKET and number:
            if size != 8:
                raise InputError(str(path), f"has polarity events of {size} bytes", "8 bytes")
            if camera not in (None, source):
                problem = f"has events of two cameras, {camera} and {source}"
                raise InputError(str(path), problem, "one camera per file")
            camera = source
            raw = np.frombuffer(data, "<u4", 2 * number, start).reshape(-1, 2).astype(np.int64)
            valid = raw[raw[:, 0] & 1 == 1]
            yield valid[:, 1] + (overflow << 31), valid[:, 0]
        start += size * capacity
