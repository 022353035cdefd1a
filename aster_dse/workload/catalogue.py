"""Workloads by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from aster_dse.errors import AsterError, InputError
from aster_dse.space import WorkloadConfig
from aster_dse.workload.cache import default_cache
from aster_dse.workload.cifar import CIFAR10, CIFAR100
from aster_dse.workload.dataset import Workload, WorkloadShape
from aster_dse.workload.event_catalogue import EVENT_SETS
from aster_dse.workload.identity import DataFiles, DataIdentity, OnBytes, check_identity, identity_of
from aster_dse.workload.image_folder import IMAGE_FOLDERS
from aster_dse.workload.images import CifarImages
from aster_dse.workload.made import DIGITS, DIGITS_DVS
from aster_dse.workload.source import DataSet, OnDisk
from aster_dse.workload.trees import found_trees, require_tree

__all__ = [
    "UNVERIFIED",
    "FoundData",
    "data_of",
    "found_data",
    "identify_data",
    "lies_in_a_folder",
    "load_workload",
    "read_by_batch",
    "require_data",
    "training_samples",
    "workload_files",
    "workload_names",
    "workload_shape",
]

UNVERIFIED = "unverified"
"""What is said of the data of results that an older version stored: it did not record which data it was."""

_ON_DISK: Mapping[str, OnDisk] = {
    "cifar10": CifarImages(CIFAR10),
    "cifar100": CifarImages(CIFAR100),
    **IMAGE_FOLDERS,
    **EVENT_SETS,
}
_SETS: Mapping[str, DataSet] = {"digits-dvs": DIGITS_DVS, "digits": DIGITS, **_ON_DISK}


@dataclass(frozen=True)
class FoundData:
    """A data set in the folder of data sets."""

    name: str
    folder: Path
    note: str
    """What it holds, where that is not the whole published data set."""
    fault: str
    """One line, where something is missing."""


def found_data(data: Path | None = None) -> Iterator[FoundData]:
    """Data sets whose folder is there, with what they lack; their files are not read.

    Args:
        data: as for :func:`load_workload`.
    """
    for name, folder in found_trees(data):
        note = fault = ""
        try:
            if any(folder.iterdir()):
                note = _ON_DISK[name].check_files(folder)
            else:
                fault = f"{folder}: is empty"
        except AsterError as error:
            fault = str(error)
        except OSError as error:
            fault = f"{folder}: cannot be read: {error.strerror or error}"
        yield FoundData(name, folder, note, fault)


def require_data(name: str, folder: str | None = None, *, data: Path | None = None) -> None:
    """Refuse a data set whose folder is not there; nothing in it is read.

    Args:
        name: of the workload; some are made, and need no folder.
        folder: its folder, where the configuration names one.
        data: as for :func:`load_workload`.

    Raises:
        NotFoundError: naming the folders that were looked for.
    """
    if name in _ON_DISK:
        require_tree(name, data, folder)


def workload_names() -> tuple[str, ...]:
    """Every name that ``WorkloadConfig.name`` may have."""
    return tuple(sorted(_SETS))


def workload_shape(config: WorkloadConfig) -> WorkloadShape:
    """Shape of a workload, checked but neither made nor read.

    Raises:
        InputError: no such workload, or one that cannot have this configuration.
    """
    return _data_set(config).shape(config)


def training_samples(config: WorkloadConfig, *, data: Path | None = None) -> int:
    """How many training samples a workload has, counted without reading or making them.

    Args:
        data: as for :func:`load_workload`.

    Raises:
        NotFoundError: the folder of the data set is missing.
        InputError: no such workload, a configuration it cannot have, or a damaged folder.
    """
    return _data_set(config).training_samples(config, data)


def lies_in_a_folder(name: str) -> bool:
    """Whether a data set is read from a folder of the user's, so that its content has to be identified."""
    return name in _ON_DISK


def data_of(config: WorkloadConfig) -> str | None:
    """What is known of the data of a stored configuration.

    Returns:
        Its SHA-256; ``unverified`` where it was not recorded; None where the data set is made here.
    """
    return (config.data or UNVERIFIED) if lies_in_a_folder(config.name) else None


def workload_files(config: WorkloadConfig, *, data: Path | None = None) -> DataFiles | None:
    """The files that a workload reads, listed but not opened; None where it is made here.

    Args:
        data: as for :func:`load_workload`.

    Raises:
        NotFoundError: the folder of the data set is missing.
        InputError: no such workload, a configuration it cannot have, or a damaged folder.
    """
    return _data_set(config).files(config, data)


def read_by_batch(config: WorkloadConfig, *, data: Path | None = None) -> bool:
    """Whether every machine that trains on a workload needs its files: they are not held in memory.

    Args:
        data: as for :func:`load_workload`.

    Raises:
        NotFoundError: the folder of the data set is missing.
        InputError: no such workload, a configuration it cannot have, or a damaged folder.
    """
    return _data_set(config).read_by_batch(config, data)


def identify_data(
    config: WorkloadConfig,
    *,
    data: Path | None = None,
    cache: Path | None = None,
    on_bytes: OnBytes | None = None,
) -> DataIdentity | None:
    """What identifies the data of a workload by its content; None where it is made here.

    Files that were read before and have not changed since are not read again.

    Args:
        data, cache: as for :func:`load_workload`.
        on_bytes: told bytes read by now and bytes to read, whenever a file was read.

    Raises:
        DataMismatchError: the folder holds other data than ``config.data``.
        NotFoundError: the folder of the data set, or a file in it, is missing.
        InputError: no such workload, a configuration it cannot have, or a damaged folder.
    """
    files = workload_files(config, data=data)
    if files is None:
        return None
    found = identity_of(files, default_cache() if cache is None else cache, on_bytes)
    check_identity(config, files, found)
    return found


def load_workload(config: WorkloadConfig, *, data: Path | None = None, cache: Path | None = None) -> Workload:
    """Load a workload; what is made for it, is made on first use.

    The configuration of a workload that lies in a folder has its identity, whether ``config`` has it or not.

    Args:
        data: folder in which data sets lie; default ``$ASTER_DSE_DATA``, else ``data`` in the working folder.
        cache: folder of made data; default ``$ASTER_DSE_CACHE``, else the user's cache folder.

    Raises:
        DataMismatchError: the folder holds other data than ``config.data``.
        NotFoundError: the folder of the data set, or a file in it, is missing.
        InputError: no such workload, a configuration it cannot have, a damaged file, or a cache that cannot
            be written.
    """
    return _data_set(config).load(config, data, default_cache() if cache is None else cache)


def _data_set(config: WorkloadConfig) -> DataSet:
    found = _SETS.get(config.name)
    if found is None:
        raise InputError(
            "workload.name", f"there is no workload {config.name!r}", f"one of {', '.join(workload_names())}"
        )
    return found
