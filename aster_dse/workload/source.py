"""What the catalogue asks of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from aster_dse.errors import InputError
from aster_dse.space import WorkloadConfig
from aster_dse.workload.dataset import Workload, WorkloadShape
from aster_dse.workload.identity import DataFiles

__all__ = ["DataSet", "OnDisk", "check_resolution"]


class DataSet(Protocol):
    """A data set, or several of one kind, by the name in the configuration."""

    def shape(self, config: WorkloadConfig) -> WorkloadShape:
        """Shape of the frames, without reading or making them.

        Raises:
            InputError: a configuration that this data set cannot have.
        """
        ...

    def training_samples(self, config: WorkloadConfig, data: Path | None) -> int:
        """How many samples it has for training, counted without reading or making them.

        Raises:
            NotFoundError: its folder is missing.
            InputError: a configuration it cannot have, or a damaged folder.
        """
        ...

    def files(self, config: WorkloadConfig, data: Path | None) -> DataFiles | None:
        """The files that a workload reads, listed but not opened; None where it is made here.

        Raises:
            NotFoundError: its folder is missing.
            InputError: a configuration it cannot have, or a damaged folder.
        """
        ...

    def read_by_batch(self, config: WorkloadConfig, data: Path | None) -> bool:
        """Whether its frames stay on the disk, so that every machine that trains needs its files.

        Raises:
            NotFoundError: its folder is missing.
            InputError: a configuration it cannot have, or a damaged folder.
        """
        ...

    def load(self, config: WorkloadConfig, data: Path | None, cache: Path) -> Workload:
        """The data set, in its three parts; the configuration of what is read from a folder is identified.

        Args:
            data: folder in which data sets lie; None for the default.
            cache: folder of made data.

        Raises:
            DataMismatchError: the folder holds other data than the configuration says.
            NotFoundError: its folder, or a file of it, is missing.
            InputError: a configuration it cannot have, or a damaged file.
        """
        ...


class OnDisk(DataSet, Protocol):
    """A data set of files that somebody else made, in a folder of its own."""

    def check_files(self, folder: Path) -> str:
        """Whether everything is there: by the names of the files, which are not read.

        Returns:
            What the folder holds, where that is not the whole published data set; else nothing.

        Raises:
            NotFoundError: a folder is missing.
            InputError: something is missing or empty; it is named.
        """
        ...


def check_resolution(config: WorkloadConfig, low: int, high: int) -> None:
    """Refuse a frame size out of range.

    Raises:
        InputError: it is.
    """
    if not low <= config.resolution <= high:
        raise InputError(
            "workload.resolution",
            f"{config.resolution} is out of range for {config.name}",
            f"{low} to {high} pixels",
        )
