"""Small event data sets, in the folders, formats and types that the real ones have."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aster_dse.space import WorkloadConfig
from aster_dse.workload.event_files import Events, Sensor

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
GESTURES = [str(number) for number in range(11)]
DIGITS = [str(number) for number in range(10)]


def random_events(number: int, sensor: Sensor, count: int = 40) -> Events:
    generator = np.random.default_rng(number)
    x, y, p = (generator.integers(0, most, count) for most in (sensor.width, sensor.height, 2))
    return Events(np.sort(generator.integers(0, 90_000, count)), x, y, p)


def write_npz(path: Path, number: int, sensor: Sensor) -> None:
    """As spikingjelly's preparation writes them."""
    e = random_events(number, sensor)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, t=e.t_us.astype(">u4"), x=e.x.astype("u4"), y=e.y.astype("u4"), p=e.p)


def write_ready(path: Path, number: int, sensor: Sensor, timesteps: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    counts = np.random.default_rng(number).poisson(0.4, (timesteps, 2, sensor.height, sensor.width))
    np.savez_compressed(path, frames=counts.astype(np.float64))


def write_bin(path: Path, number: int) -> None:
    e = random_events(number, Sensor(34, 34))
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = [e.x, e.y, (e.p << 7) | (e.t_us >> 16), (e.t_us >> 8) & 255, e.t_us & 255]
    path.write_bytes(np.stack(columns, axis=1).astype(np.uint8).tobytes())


def write_dat(path: Path, number: int) -> None:
    e = random_events(number, Sensor(100, 120))
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = np.stack([e.t_us, e.x | (e.y << 14) | (e.p << 28)], axis=1).astype("<u4").tobytes()
    path.write_bytes(b"% Data file containing Event2d events.\n% Version 2\n\x00\x08" + raw)


def cifar10_dvs(root: Path, each: int = 11) -> None:
    for label, name in enumerate(CIFAR10):
        for number in range(each):
            write_npz(
                root / "events_np" / name / f"cifar10_{name}_{number}.npz",
                100 * label + number,
                Sensor(128, 128),
            )


def gesture(root: Path) -> None:
    for part, each in (("train", 2), ("test", 1)):
        for label, name in enumerate(GESTURES):
            for number in range(each):
                path = root / "events_np" / part / name / f"user01_led_{number}.npz"
                write_npz(path, 10 * label + number, Sensor(128, 128))


def n_mnist(root: Path) -> None:
    for part, each in (("Train", 2), ("Test", 1)):
        for name in DIGITS:
            for number in range(each):
                write_bin(root / part / name / f"{number:05d}.bin", 10 * int(name) + number)


def n_cars(root: Path) -> None:
    for part, each in (("n-cars_train", 2), ("n-cars_test", 1)):
        for name in ("cars", "background"):
            for number in range(each):
                write_dat(root / part / name / f"obj_{number:06d}_td.dat", number + len(name))


def own_folder(root: Path, parts: Sequence[str] = ("train", "test")) -> None:
    for part in parts:
        for label, name in enumerate(("bow", "nod", "wave")):
            for number in range(2):
                write_npz(
                    root / "events_np" / part / name / f"{number}.npz", 10 * label + number, Sensor(16, 16)
                )


def small(name: str, **fields: object) -> WorkloadConfig:
    small = {"name": name, "timesteps": 3, "resolution": 16, "split_by": "number", "validation_share": 0.5}
    own = {"folder": "mine", "classes": 3} if name == "event-folder" else {}
    return WorkloadConfig.model_validate({**small, **own, **fields})


MAKERS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "cifar10-dvs": ("CIFAR10DVS", cifar10_dvs),
    "dvs-gesture": ("DVSGesturedataset", gesture),
    "n-mnist": ("N-MNIST", n_mnist),
    "n-cars": ("Prophesee_Dataset_n_cars", n_cars),
    "event-folder": ("mine", own_folder),
}


def _packet(t: NDArray[np.int64], packed: NDArray[np.int64]) -> bytes:
    header = struct.pack("<HHIIIIII", 1, 1, 8, 4, 0, len(t), len(t), len(t))
    return header + np.stack([packed, t], axis=1).astype("<u4").tobytes()


def gesture_trials(root: Path) -> Path:
    """One recording for training and one for the test, all gestures in each, a second apart."""
    folder = root / "DvsGesture"
    folder.mkdir(parents=True)
    for number, part in enumerate(("train", "test")):
        name = f"user{number:02d}_led"
        packets, rows = [], ["class,startTime_usec,endTime_usec"]
        for label in range(11):
            for repeat in range(2):
                e = random_events(label, Sensor(128, 128))
                start = 1_000_000 * (2 * label + repeat)
                packets.append(_packet(e.t_us + start, (e.x << 17) | (e.y << 2) | (e.p << 1) | 1))
                rows.append(f"{label + 1},{start},{start + 90_000}")
        (folder / f"{name}.aedat").write_bytes(b"#!AER-DAT3.1\r\n#!END-HEADER\r\n" + b"".join(packets))
        (folder / f"{name}_labels.csv").write_text("\n".join(rows) + "\n")
        (folder / f"trials_to_{part}.txt").write_text(f"{name}.aedat\n\n")
    return folder
