"""A folder of arrays under content keys, safe for many processes at once.

A file is written whole under a temporary name and then moved into place, so that a reader sees either
nothing or all of it, and of two processes that make the same entry the last one wins. A damaged file is made
again.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import InputError

__all__ = ["cached_arrays", "default_cache"]

Arrays = Mapping[str, NDArray[np.generic]]


def default_cache() -> Path:
    """``$ASTER_DSE_CACHE``, else ``$XDG_CACHE_HOME/aster_dse``, else ``~/.cache/aster_dse``."""
    if own := os.environ.get("ASTER_DSE_CACHE"):
        return Path(own).expanduser()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared).expanduser() / "aster_dse"
    return Path.home() / ".cache" / "aster_dse"


def cached_arrays(folder: Path, key: str, make: Callable[[], Arrays]) -> Arrays:
    """The arrays stored under ``key``, made and stored first where they are missing or damaged.

    Raises:
        InputError: the folder cannot be written.
    """
    path = folder / f"{key}.npz"
    stored = _read(path)
    if stored is not None:
        return stored
    arrays = make()
    try:
        _write(path, arrays)
    except OSError as error:
        raise InputError(
            str(folder), f"the data cache cannot be written: {error.strerror or error}", "set ASTER_DSE_CACHE"
        ) from error
    return arrays


def _read(path: Path) -> Arrays | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        return None
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, KeyError, AttributeError):
        return None  # damaged, so it will be replaced


def _write(path: Path, arrays: Arrays) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
