"""Files written bit by bit from the makers' descriptions read as exactly the events that were put in.

AEDAT 2.0 and 3.1: iniVation, "AEDAT file formats", and the constants of jAER's ``DavisChip``. DAT: Prophesee,
"DAT file format". BIN: Orchard et al., 2015, and the overflow events of their own reader.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from aster_dse.errors import InputError
from aster_dse.space import WorkloadConfig
from aster_dse.workload import load_workload
from aster_dse.workload.event_files import Sensor, read_events

Event = tuple[int, int, int, int]
"""Time, x, y, polarity."""

DAVIS240 = Sensor(height=180, width=240)
DVS128 = Sensor(height=128, width=128)
HEADER2 = (
    b"#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n"
    b"# Data format is int32 address, int32 timestamp (8 bytes total), repeated for each event\r\n"
)
HEADER3 = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"
DAT2 = b"% Data file containing CD events.\n% Version 2\n"


def chip(name: str) -> bytes:
    return f"# AEChip: eu.seebetter.ini.chips.davis.{name}\r\n".encode()


def words2(words: Iterable[tuple[int, int]]) -> bytes:
    return b"".join(struct.pack(">II", address, t & 0xFFFFFFFF) for address, t in words)


def davis(events: Iterable[Event]) -> bytes:
    return words2((y << 22 | x << 12 | p << 11, t) for t, x, y, p in events)


def dvs128(events: Iterable[Event]) -> bytes:
    """As the files of CIFAR10-DVS are, whose two axes are turned and swapped."""
    return words2(((127 - x) << 8 | (127 - y) << 1 | (1 - p), t) for t, x, y, p in events)


def packet3(words: Iterable[tuple[int, int]], *, source: int = 1, overflow: int = 0, spare: int = 0) -> bytes:
    body = [struct.pack("<II", data, t) for data, t in words]
    sizes = len(body) + spare, len(body), sum(word[0] & 1 for word in body)
    return struct.pack("<HHIIIIII", 1, source, 8, 4, overflow, *sizes) + b"".join(body) + bytes(8 * spare)


def word3(event: Event, valid: int = 1) -> tuple[int, int]:
    t, x, y, p = event
    return x << 17 | y << 2 | p << 1 | valid, t


def dat(events: Iterable[Event], kind: int = 12, header: bytes = DAT2) -> bytes:
    words = (struct.pack("<II", t & 0xFFFFFFFF, p << 28 | y << 14 | x) for t, x, y, p in events)
    return header + bytes([kind, 8]) + b"".join(words)


def atis(events: Iterable[Event]) -> bytes:
    return b"".join(bytes([x, y]) + (p << 23 | t & 0x7FFFFF).to_bytes(3, "big") for t, x, y, p in events)


def read(folder: Path, suffix: str, data: bytes, sensor: Sensor) -> list[Event]:
    path = folder / f"recording{suffix}"
    path.write_bytes(data)
    found = read_events(path, sensor)
    rows = np.stack([found.t_us, found.x, found.y, found.p], axis=1)
    return [(int(t), int(x), int(y), int(p)) for t, x, y, p in rows]


def refused(folder: Path, suffix: str, data: bytes, sensor: Sensor, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        read(folder, suffix, data, sensor)
    assert str(caught.value).startswith(str(folder / f"recording{suffix}"))
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


SOME: list[Event] = [(10, 100, 50, 1), (11, 0, 0, 0), (12, 239, 179, 1), (12, 5, 143, 0)]


@pytest.mark.parametrize(
    ("name", "sensor"),
    [
        ("DAVIS240C", DAVIS240),
        ("DAVIS240A", DAVIS240),
        ("Davis346B", Sensor(260, 346)),
        ("Davis346BColor", Sensor(260, 346)),
        ("Davis640", Sensor(480, 640)),
        ("DAVIS240C", Sensor(240, 240)),
    ],
)
def test_aedat2_of_a_davis_has_its_own_addresses(name: str, sensor: Sensor, tmp_path: Path) -> None:
    assert read(tmp_path, ".aedat", HEADER2 + chip(name) + davis(SOME), sensor) == SOME


@pytest.mark.parametrize("sensor", [DAVIS240, Sensor(260, 346), Sensor(480, 640)])
def test_aedat2_without_a_camera_is_told_by_the_sensor(sensor: Sensor, tmp_path: Path) -> None:
    corner = (13, sensor.width - 1, sensor.height - 1, 0)
    assert read(tmp_path, ".aedat", HEADER2 + davis([*SOME, corner]), sensor) == [*SOME, corner]


@pytest.mark.parametrize(
    "named", [b"", b"# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128\r\n"], ids=["no camera", "named"]
)
def test_aedat2_of_a_dvs128_reads_as_cifar10_dvs(named: bytes, tmp_path: Path) -> None:
    some = [(10, 100, 50, 1), (11, 0, 0, 0), (12, 127, 127, 1)]
    external = words2([(0x8000, 11), (0x80000000, 11)])
    content = HEADER2 + named + dvs128(some[:2]) + external + dvs128(some[2:])
    assert read(tmp_path, ".aedat", content, DVS128) == some


def test_a_davis128_is_no_dvs128(tmp_path: Path) -> None:
    some = [(10, 100, 50, 1), (12, 127, 127, 0)]
    assert read(tmp_path, ".aedat", HEADER2 + chip("Davis128") + davis(some), DVS128) == some
    refused(tmp_path, ".aedat", HEADER2 + davis(some), DVS128, "names no camera")


def test_images_inertial_samples_and_triggers_of_a_davis_are_no_events(tmp_path: Path) -> None:
    address = 50 << 22 | 100 << 12
    others = [1 << 31 | address | 517, 1 << 31 | 1 << 10 | address, 0x80000C00, 0x400 | address, 0xC00, 0x402]
    content = b"".join(davis([event]) + words2((word, event[0]) for word in others) for event in SOME)
    assert read(tmp_path, ".aedat", HEADER2 + chip("DAVIS240C") + content, DAVIS240) == SOME
    refused(
        tmp_path,
        ".aedat",
        HEADER2 + chip("DAVIS240C") + words2([(0x80000000, 1)]),
        DAVIS240,
        "no event of a pixel",
    )


@pytest.mark.parametrize("end", [b"", b"#End Of ASCII Header\r\n"], ids=["open", "ended"])
@pytest.mark.parametrize("row", [140, 141, 142, 143])
def test_a_first_event_that_begins_with_a_hash_is_no_header(row: int, end: bytes, tmp_path: Path) -> None:
    first = [(0x0A0A0A, 100, row, 1), (0x0A0A0B, 10, 1, 0)]
    assert davis(first)[:1] == b"#"
    assert read(tmp_path, ".aedat", HEADER2 + chip("DAVIS240C") + end + davis(first), DAVIS240) == first


@pytest.mark.parametrize(
    ("name", "events", "sensor", "problem"),
    [
        ("DAVIS240C", [(1, 240, 3, 1)], Sensor(480, 640), "x = 240"),
        ("DavisRGBW640", SOME, Sensor(480, 640), "camera DavisRGBW640"),
        ("MultiDavisCameraChip", SOME, DAVIS240, "camera MultiDavisCameraChip"),
        ("DVS320", SOME, Sensor(240, 320), "camera DVS320"),
        ("DVS128", SOME, DVS128, "no DVS128 has"),
        ("DAVIS240C", SOME, DVS128, "x = 239"),
    ],
)
def test_aedat2_of_an_unknown_or_another_camera_is_refused(
    name: str, events: list[Event], sensor: Sensor, problem: str, tmp_path: Path
) -> None:
    refused(tmp_path, ".aedat", HEADER2 + chip(name) + davis(events), sensor, problem)


@pytest.mark.parametrize("sensor", [DVS128, Sensor(200, 300)])
def test_addresses_that_fit_no_known_camera_are_refused(sensor: Sensor, tmp_path: Path) -> None:
    refused(tmp_path, ".aedat", HEADER2 + davis(SOME), sensor, "names no camera")
    refused(tmp_path, ".aedat", HEADER2 + dvs128([(1, 3, 100, 1), (2, 7, 5, 0)]), DAVIS240, "names no camera")


def test_aedat3_leaves_out_what_is_not_valid(tmp_path: Path) -> None:
    some = [(10, 100, 50, 1), (12, 127, 127, 0), (14, 0, 0, 1)]
    words = [word3(some[0]), word3((11, 3, 4, 1), valid=0), word3(some[1])]
    content = HEADER3 + packet3(words) + packet3([word3(some[2])], spare=3)
    assert read(tmp_path, ".aedat", content, DVS128) == some
    refused(tmp_path, ".aedat", HEADER3 + packet3([word3(some[0], 0)]), DVS128, "no event of a pixel")


def test_aedat3_of_two_cameras_or_another_format_is_refused(tmp_path: Path) -> None:
    two = packet3([word3((1, 1, 1, 1))]) + packet3([word3((2, 1, 1, 1))], source=2)
    refused(tmp_path, ".aedat", HEADER3 + two, DVS128, "two cameras")
    packed = HEADER3.replace(b"RAW", b"SerializedTS") + packet3([word3((1, 1, 1, 1))])
    refused(tmp_path, ".aedat", packed, DVS128, "format SerializedTS")
    old = HEADER3.replace(b"3.1", b"3.0") + packet3([word3((1, 1, 1, 1))])
    refused(tmp_path, ".aedat", old, DVS128, "does not begin with #!AER-DAT2.0 or #!AER-DAT3.1")
    more = bytearray(packet3([word3((1, 1, 1, 1))]))
    more[20:24] = struct.pack("<I", 2)
    refused(tmp_path, ".aedat", HEADER3 + bytes(more), DVS128, "packet of 2 events with room for 1")


@pytest.mark.parametrize("kind", [0, 12])
def test_dat_of_events_of_pixels(kind: int, tmp_path: Path) -> None:
    some = [(10, 100, 50, 1), (11, 0, 0, 0), (12, 1279, 719, 1)]
    assert read(tmp_path, ".dat", dat(some, kind), Sensor(720, 1280)) == some
    assert read(tmp_path, ".dat", dat(some, kind, b"% Width 1280\n"), Sensor(720, 1280)) == some


def test_dat_of_triggers_or_another_version_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, ".dat", dat([(1, 0, 0, 1)], 0x0E), DVS128, "type 0x0e: external triggers")
    refused(tmp_path, ".dat", dat([(1, 0, 0, 1)], 0x28), DVS128, "type 0x28")
    refused(tmp_path, ".dat", dat([(1, 0, 0, 1)], 0, b"% Version 1\n"), DVS128, "is of version 1")


def test_overflow_events_of_bin_files_carry_the_clock_on(tmp_path: Path) -> None:
    written = [(8000, 3, 4, 1), (8191, 0, 240, 0), (5, 6, 7, 0), (8190, 0, 240, 1), (6, 33, 33, 1)]
    expected = [(8000, 3, 4, 1), (8197, 6, 7, 0), (16390, 33, 33, 1)]
    assert read(tmp_path, ".bin", atis(written), Sensor(34, 34)) == expected


LONG: list[Event] = [
    (2**32 - 20, 1, 2, 1),
    (2**32 - 1, 3, 4, 0),
    (2**32, 5, 6, 1),
    (2**32 + 9, 7, 8, 0),
    (2**32 + 2**31 - 1, 8, 7, 0),
    (2**32 + 2**31, 8, 9, 1),
    (2**33 - 1, 9, 10, 1),
    (2**33 + 5, 11, 12, 0),
]
"""Past 71.6 minutes, and past twice that."""


@pytest.mark.parametrize(
    ("suffix", "content", "sensor"),
    [
        (".dat", dat(LONG), DVS128),
        (".aedat", HEADER2 + chip("DAVIS240C") + davis(LONG), DAVIS240),
        (".aedat", HEADER2 + dvs128(LONG), DVS128),
        (
            ".aedat",
            HEADER3
            + b"".join(packet3([word3((t & 0x7FFFFFFF, x, y, p))], overflow=t >> 31) for t, x, y, p in LONG),
            DVS128,
        ),
    ],
    ids=["dat", "aedat2-davis", "aedat2-dvs128", "aedat3"],
)
def test_recordings_past_the_end_of_a_32_bit_clock_read_on(
    suffix: str, content: bytes, sensor: Sensor, tmp_path: Path
) -> None:
    assert read(tmp_path, suffix, content, sensor) == LONG


@pytest.mark.parametrize("dtype", [np.uint32, np.int32, np.dtype(">u4"), np.int64])
def test_npz_with_times_of_any_width_read_on(dtype: np.dtype[np.generic], tmp_path: Path) -> None:
    t, x, y, p = np.array(LONG).T
    short = t if dtype == np.int64 else (t & 0xFFFFFFFF).astype("u4").astype(dtype)
    np.savez(tmp_path / "recording.npz", t=short, x=x, y=y, p=p)
    found = read_events(tmp_path / "recording.npz", DVS128)
    assert (np.diff(found.t_us) == np.diff(t)).all()
    assert found.t_us[0] % 2**32 == t[0]


def test_the_23_bits_of_a_bin_clock_read_on(tmp_path: Path) -> None:
    some = [(2**23 - 5, 1, 2, 1), (2**23 - 1, 3, 4, 0), (2**23 + 7, 5, 6, 1)]
    assert read(tmp_path, ".bin", atis(some), Sensor(34, 34)) == some


@pytest.mark.parametrize("back", [1, 1000, 2**31 - 1])
def test_a_clock_that_goes_back_within_its_range_is_refused(back: int, tmp_path: Path) -> None:
    events = [(2**31 + 5, 1, 2, 1), (2**31 + 5 - back, 1, 2, 1)]
    refused(tmp_path, ".dat", dat(events), DVS128, "time goes backwards: event 1")
    refused(tmp_path, ".aedat", HEADER2 + chip("DAVIS240C") + davis(events), DAVIS240, "time goes backwards")


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_cut_off_last_event_is_said(cut: int, tmp_path: Path) -> None:
    for suffix, content, sensor in (
        (".aedat", HEADER2 + chip("DAVIS240C") + davis(SOME), DAVIS240),
        (".aedat", HEADER3 + packet3([word3((1, 1, 1, 1))]), DVS128),
        (".dat", dat([(1, 1, 1, 1), (2, 2, 2, 0)]), DVS128),
    ):
        refused(
            tmp_path, suffix, content[:-cut], sensor, "truncated" if b"3.1" not in content else "ends within"
        )


def test_a_folder_of_davis_recordings_is_a_data_set(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for column, name in ((100, "left"), (200, "right")):
            for number in range(2):
                path = tmp_path / "mine" / part / name / f"{number}.aedat"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(HEADER2 + chip("DAVIS240C") + davis([(10, column, 50, 1), (20, 3, 4, 0)]))
    (tmp_path / "mine" / "recording.json").write_text('{"sensor": [180, 240]}')
    config = WorkloadConfig(
        name="event-folder", folder="mine", classes=2, resolution=240, timesteps=1, split_by="number"
    )
    workload = load_workload(config, data=tmp_path, cache=tmp_path / "cache")
    for frames, label in zip(workload.test.frames[:], workload.test.labels, strict=True):
        # 30 rows above and below make the sensor square.
        assert np.argwhere(frames[0]).tolist() == [[0, 4 + 30, 3], [1, 50 + 30, (100, 200)[label]]]
