"""What identifies a data set that lies in a folder: its content, wherever the folder lies.

The identity is the SHA-256 of a line per file, ``DIGEST  NAME``, sorted by name: what ``sha256sum`` prints of
the files, hashed once more. The files are those that a workload reads: samples, labels, tables of the parts.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aster_dse.errors import DataMismatchError
from aster_dse.space import WorkloadConfig
from aster_dse.workload.file_digests import file_digests

__all__ = ["DataFiles", "DataIdentity", "OnBytes", "check_identity", "identified", "identity_of"]

OnBytes = Callable[[int, int], None]
"""Told bytes read by now, and bytes to read."""


@dataclass(frozen=True)
class DataFiles:
    """The files that a workload reads."""

    folder: Path
    """Of the data set."""
    names: tuple[bytes, ...]
    """Below it, as the file system spells them, ``/`` between folders."""

    @classmethod
    def of(cls, folder: Path, names: list[str]) -> DataFiles:
        """From names as Python spells them, in any order."""
        return cls(folder, tuple(sorted({os.fsencode(name) for name in names})))


@dataclass(frozen=True)
class DataIdentity:
    """The content of a data set."""

    sha256: str
    """64 hexadecimal digits."""
    files: int
    bytes: int

    def __str__(self) -> str:
        return f"data {self.sha256[:12]} ({self.files:,} files, {self.bytes:,} bytes)"


def identity_of(files: DataFiles, cache: Path, on_bytes: OnBytes | None = None) -> DataIdentity:
    """Identify a data set.

    Args:
        cache: folder of made data, which remembers the digests of files.
        on_bytes: told how far the reading is.

    Raises:
        NotFoundError: a file is gone.
        InputError: one cannot be read.
    """
    found = file_digests(files.folder, files.names, cache, on_bytes)
    digest = hashlib.sha256()
    texts = found.sha256.tobytes().hex()
    for place, name in enumerate(files.names):
        digest.update(b"%b  %b\n" % (texts[64 * place : 64 * (place + 1)].encode(), name))
    return DataIdentity(digest.hexdigest(), len(files.names), int(found.sizes.sum()))


def identified(config: WorkloadConfig, files: DataFiles, cache: Path) -> WorkloadConfig:
    """The configuration with the identity of the data that lies there.

    Raises:
        DataMismatchError: the configuration has another identity.
        NotFoundError: a file is gone.
        InputError: one cannot be read.
    """
    found = identity_of(files, cache)
    check_identity(config, files, found)
    return config.model_copy(update={"data": found.sha256})


def check_identity(config: WorkloadConfig, files: DataFiles, found: DataIdentity) -> None:
    """Hold the data that lies in a folder against a configuration.

    Raises:
        DataMismatchError: the configuration has another identity.
    """
    if config.data is not None and config.data != found.sha256:
        raise DataMismatchError(
            str(files.folder), f"holds {found}, where data {config.data[:12]} is expected"
        )
