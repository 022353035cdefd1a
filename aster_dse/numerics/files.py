"""Passes and calibrations of a trained network on disk, beside it: found by content, made once.

Compressed NumPy arrays, nothing pickled, verified when read; damaged ones are set aside and made anew. Each
is locked while it is made, so that two trials that want the same one make it once; the lock ends with its
holder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from filelock import FileLock

from aster_dse.activity.files import read_arrays, write_arrays
from aster_dse.errors import NotFoundError
from aster_dse.numerics.calibration import Calibration
from aster_dse.stored_files import DamagedFileError, SetAside, set_aside
from aster_dse.training import TrainedNetwork
from aster_dse.workload import Split, Workload

__all__ = [
    "calibration_file",
    "found_or_made",
    "load_calibration",
    "network_digest",
    "pass_file",
    "save_calibration",
    "split_digest",
]

Kept = TypeVar("Kept")


def pass_file(key: str) -> str:
    """Name of the file of a pass."""
    return f"pass-{key}.npz"


def calibration_file(key: str) -> str:
    """Name of the file of a calibration."""
    return f"calibration-{key}.npz"


def network_digest(trained: TrainedNetwork, workload: Workload) -> str:
    """Content address of a trained network and of the data that passes read: 20 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, values in sorted(trained.model.state_dict().items()):
        digest.update(f"{name} {tuple(values.shape)} ".encode())
        digest.update(values.detach().cpu().contiguous().numpy().tobytes())
    digest.update(repr(trained.geometry).encode())
    digest.update(workload.config.model_dump_json().encode())
    for split in (workload.train, workload.validation):
        _add(digest, split)
    return digest.hexdigest()[:20]


def split_digest(split: Split) -> str:
    """Content address of samples: 20 hexadecimal digits."""
    digest = hashlib.sha256()
    _add(digest, split)
    return digest.hexdigest()[:20]


def _add(digest: hashlib._Hash, split: Split) -> None:
    digest.update(np.ascontiguousarray(split.labels).tobytes())
    if isinstance(split.frames, np.ndarray):
        digest.update(np.ascontiguousarray(split.frames).data)


def found_or_made(
    path: Path,
    read: Callable[[Path], Kept],
    make: Callable[[], Kept],
    write: Callable[[Path, Kept], None],
    on_damage: Callable[[SetAside], None],
) -> tuple[Kept, bool]:
    """What a file holds, or what ``make`` gives, which is kept there; and whether it was made.

    Args:
        on_damage: told of a file that could not be used and was set aside.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        try:
            return read(path), False
        except NotFoundError:
            pass
        except DamagedFileError as error:
            on_damage(set_aside(path, error.problem))
        made = make()
        write(path, made)
        return made, True


def save_calibration(path: Path, calibration: Calibration) -> None:
    """Write a calibration, replacing what lies there in one step."""
    layers = {f"layer{number}": rows for number, rows in enumerate(calibration.histograms)}
    write_arrays(path, {"fine": np.array(calibration.fine), **layers})


def load_calibration(path: Path) -> Calibration:
    """Read a calibration.

    Raises:
        NotFoundError: there is no such file.
        DamagedFileError: it is damaged.
    """
    arrays = read_arrays(path, "calibration")
    try:
        fine = tuple(int(bits) for bits in arrays["fine"])
        histograms = tuple(arrays[f"layer{number}"].astype(np.int64) for number in range(len(fine)))
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFileError(str(path), "is no calibration", "remove it to have it made anew") from error
    return Calibration(histograms, fine)
