"""Single recordings: every format gives what was written, every fault is one line with the file."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aster_dse.errors import InputError
from aster_dse.workload.event_files import Events, Sensor, labelled_windows, read_events

SENSOR = Sensor(height=128, width=128)
DAT_HEADER = b"% Data file containing Event2d events.\n% Version 2\n" + bytes([0, 8])
AEDAT2_HEADER = b"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n"
AEDAT3_HEADER = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n"


def _events(count: int = 50) -> Events:
    generator = np.random.default_rng(5)
    x, y, p = (generator.integers(0, most, count) for most in (128, 128, 2))
    return Events(np.sort(generator.integers(0, 1 << 22, count)), x, y, p)


def _bin(e: Events) -> bytes:
    columns = [e.x, e.y, (e.p << 7) | (e.t_us >> 16), (e.t_us >> 8) & 255, e.t_us & 255]
    return np.stack(columns, axis=1).astype(np.uint8).tobytes()


def _dat(e: Events) -> bytes:
    return DAT_HEADER + np.stack([e.t_us, e.x | (e.y << 14) | (e.p << 28)], axis=1).astype("<u4").tobytes()


def _aedat2(e: Events) -> bytes:
    address = ((127 - e.x) << 8) | ((127 - e.y) << 1) | (1 - e.p)
    return AEDAT2_HEADER + np.stack([address, e.t_us], axis=1).astype(">u4").tobytes()


def _packet(kind: int, t: NDArray[np.int64], packed: NDArray[np.int64], overflow: int = 0) -> bytes:
    header = struct.pack("<HHIIIIII", kind, 1, 8, 4, overflow, len(t), len(t), len(t))
    return header + np.stack([packed, t], axis=1).astype("<u4").tobytes()


def _aedat3(e: Events) -> bytes:
    packed = (e.x << 17) | (e.y << 2) | (e.p << 1) | 1
    special = _packet(0, np.array([7]), np.array([3]))
    return (
        AEDAT3_HEADER + _packet(1, e.t_us[:20], packed[:20]) + special + _packet(1, e.t_us[20:], packed[20:])
    )


WRITERS: dict[str, Callable[[Events], bytes]] = {
    "sample.bin": _bin,
    "sample.dat": _dat,
    "cifar10_cat_0.aedat": _aedat2,
    "user01_led.aedat": _aedat3,
}


def _npz(path: Path, **arrays: NDArray[np.generic]) -> Path:
    e = _events()
    np.savez(path, **{"t": e.t_us, "x": e.x, "y": e.y, "p": e.p, **arrays})  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("name", WRITERS)
def test_a_recording_reads_back(name: str, tmp_path: Path) -> None:
    written = _events()
    (tmp_path / name).write_bytes(WRITERS[name](written))
    _same(read_events(tmp_path / name, SENSOR), written)


@pytest.mark.parametrize("dtype", [">u4", "<i8", "u4"])
def test_an_npz_reads_back_whatever_its_whole_number_types(dtype: str, tmp_path: Path) -> None:
    e = _events()
    path = _npz(tmp_path / "a.npz", t=e.t_us.astype(dtype), x=e.x.astype("u1"), p=e.p.astype(bool))
    _same(read_events(path, SENSOR), e)


def test_aedat3_time_goes_on_after_31_bits(tmp_path: Path) -> None:
    path = tmp_path / "long.aedat"
    first = _packet(1, np.array([2**31 - 1]), np.array([1]))
    path.write_bytes(AEDAT3_HEADER + first + _packet(1, np.array([0]), np.array([1]), overflow=1))
    assert read_events(path, SENSOR).t_us.tolist() == [2**31 - 1, 2**31]


def _same(found: Events, written: Events) -> None:
    for field in ("t_us", "x", "y", "p"):
        assert getattr(found, field).tolist() == getattr(written, field).tolist(), field
        assert getattr(found, field).dtype == np.int64


def _backwards(e: Events) -> Events:
    return Events(e.t_us[::-1], e.x, e.y, e.p)


FAULTS: dict[str, tuple[str, bytes, str]] = {
    "bin truncated": ("a.bin", _bin(_events())[:-1], "truncated"),
    "bin empty": ("a.bin", b"", "holds no event"),
    "bin outside": ("a.bin", bytes([200, 3, 0, 0, 9]), "event 0 lies at x = 200, y = 3"),
    "bin backwards": ("a.bin", _bin(_backwards(_events())), "time goes backwards: event 1"),
    "dat truncated": ("a.dat", _dat(_events())[:-3], "truncated"),
    "dat header only": ("a.dat", DAT_HEADER, "holds no event"),
    "dat cut in its header": ("a.dat", DAT_HEADER[:20], "no header"),
    "dat without header": ("a.dat", b"\x00\x08" + bytes(80), "no header"),
    "dat of other events": ("a.dat", DAT_HEADER[:-1] + bytes([12]) + bytes(24), "events of 12 bytes"),
    "dat of polarity 9": ("a.dat", DAT_HEADER + struct.pack("<II", 0, 9 << 28), "polarity 9"),
    "dat outside": ("a.dat", DAT_HEADER + struct.pack("<II", 0, 500 << 14), "y = 500"),
    "aedat2 truncated": ("a.aedat", _aedat2(_events())[:-4], "truncated"),
    "aedat2 empty": ("a.aedat", AEDAT2_HEADER, "holds no event"),
    "aedat2 backwards": ("a.aedat", _aedat2(_backwards(_events())), "backwards"),
    "aedat3 cut in its header": ("a.aedat", AEDAT3_HEADER[:20], "no end of its header"),
    "aedat3 cut in a packet's header": ("a.aedat", AEDAT3_HEADER + bytes(27), "within the header"),
    "aedat3 cut in a packet": ("a.aedat", _aedat3(_events())[:-1], "within a packet of 30"),
    "aedat3 empty": ("a.aedat", AEDAT3_HEADER, "holds no event"),
    "aedat of another version": ("a.aedat", b"#!AER-DAT4.0\r\n", "does not begin"),
    "no zip": ("a.npz", b"hello", "damaged"),
    "empty file": ("a.npz", b"", "damaged"),
    "unknown suffix": ("a.txt", b"1,2,3", "suffix '.txt'"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line_that_names_the_file(fault: str, tmp_path: Path) -> None:
    name, content, problem = FAULTS[fault]
    (tmp_path / name).write_bytes(content)
    _refused(tmp_path / name, problem)


def _refused(path: Path, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        read_events(path, SENSOR)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert problem in text
    assert "\n" not in text
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        ({"t": np.arange(3)}, "'x' has 50 events, 't' has 3"),
        ({"p": np.full(50, 2)}, "polarity 2"),
        ({"x": np.full(50, -1)}, "x = -1"),
        ({"y": np.full(50, 128)}, "y = 128"),
        ({"t": np.arange(50)[::-1]}, "backwards"),
        ({"t": np.arange(50.0)}, "'t' is float64"),
        ({"x": np.zeros((50, 1), int)}, "shape (50, 1)"),
        ({"p": np.array([None] * 50)}, "pickled objects"),
        ({name: np.zeros(0, int) for name in "txyp"}, "holds no event"),
    ],
)
def test_wrong_arrays(arrays: dict[str, NDArray[np.generic]], problem: str, tmp_path: Path) -> None:
    _refused(_npz(tmp_path / "a.npz", **arrays), problem)


def test_wrong_keys(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", t=np.arange(3), x=np.arange(3), frames=np.arange(3))
    _refused(tmp_path / "a.npz", "has no 'y' but frames, t, x")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_npz(share: float, tmp_path: Path) -> None:
    content = _npz(tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[: int(share * len(content))])
    _refused(tmp_path / "a.npz", "damaged")


def test_a_flipped_byte_of_an_npz(tmp_path: Path) -> None:
    content = bytearray(_npz(tmp_path / "a.npz").read_bytes())
    content[300] ^= 255
    (tmp_path / "a.npz").write_bytes(content)
    _refused(tmp_path / "a.npz", "damaged")


def test_a_single_array_and_a_missing_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(3))
    (tmp_path / "a.npy").rename(tmp_path / "a.npz")
    _refused(tmp_path / "a.npz", "no .npz file")
    for suffix in ("npz", "bin", "dat", "aedat"):
        _refused(tmp_path / f"missing.{suffix}", "cannot be read: No such file")


def test_the_windows_of_a_labels_file(tmp_path: Path) -> None:
    path = tmp_path / "user01_led_labels.csv"
    path.write_text("class,startTime_usec,endTime_usec\n1,80048239,85092709\n11, 5, 6\n\n")
    assert labelled_windows(path) == ((1, 80048239, 85092709), (11, 5, 6))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "names no sample"),
        ("class,startTime_usec,endTime_usec\n", "names no sample"),
        ("class,startTime_usec,endTime_usec\n1,2\n", "line 2: found '1,2'"),
        ("class,startTime_usec,endTime_usec\n1,2,3\n1,-2,3\n", "line 3: found '1,-2,3'"),
        ("class\n\u00e9,2,3\n", "cannot be read"),
    ],
)
def test_a_faulty_labels_file(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "user01_led_labels.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        labelled_windows(path)
    assert str(caught.value).startswith(str(path))
    assert problem in str(caught.value)
