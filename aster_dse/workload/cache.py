"""A folder of arrays under content keys, safe for many processes at once.

A file is written whole with its digest beside it (:mod:`aster_dse.stored_files`), so that a reader sees
either nothing or all of it; two processes that make the same entry write the same bytes. A damaged file is
logged and made again.
"""

from __future__ import annotations

import logging
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import InputError, NotFoundError
from aster_dse.stored_files import DamagedFileError, keep, verify_kept

__all__ = ["cached_arrays", "default_cache", "verified"]

_log = logging.getLogger(__name__)

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
        folder.mkdir(parents=True, exist_ok=True)
        keep(path, lambda file: np.savez(file, allow_pickle=False, **arrays), durable=False)
    except OSError as error:
        raise InputError(
            str(folder), f"the data cache cannot be written: {error.strerror or error}", "set ASTER_DSE_CACHE"
        ) from error
    return arrays


def verified(path: Path) -> bool:
    """Whether a file of the cache is there and as it was written; a damaged one is logged."""
    try:
        verify_kept(path, "cached data")
    except DamagedFileError as error:
        _log.warning("%s: %s; made anew", path, error.problem)
        return False
    except (NotFoundError, OSError):
        return False
    return True


def _read(path: Path) -> Arrays | None:
    if not verified(path):
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, KeyError, AttributeError) as error:
        _log.warning("%s: no arrays of NumPy (%s); made anew", path, type(error).__name__)
        return None
