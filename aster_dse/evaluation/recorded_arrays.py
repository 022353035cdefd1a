"""The arrays of a file of recorded inputs, as another program may have written it."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import InputError

__all__ = ["UNREADABLE", "read_recorded_arrays"]

UNREADABLE = (
    *(OSError, ValueError, EOFError, AttributeError, NotImplementedError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)
"""What NumPy raises on a file that is damaged, or none of its own."""


def read_recorded_arrays(path: Path, remedy: str) -> dict[str, NDArray[Any]]:
    """All arrays of an ``.npz`` file.

    Args:
        remedy: what the file should be, for messages.

    Raises:
        InputError: it is damaged, or holds NaN or infinity; the message says where and how many.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except UNREADABLE as error:
        reason = getattr(error, "strerror", None) or "damaged, cut short or no .npz file"
        raise InputError(str(path), f"cannot be read: {reason}", remedy) from error
    for name, values in arrays.items():
        if values.dtype.kind in "fc" and not np.isfinite(values).all():
            wrong = values.size - int(np.isfinite(values).sum())
            verb = "is" if wrong == 1 else "are"
            problem = f"{wrong:,} of its {values.size:,} values {verb} NaN or infinite"
            raise InputError(f"{path}: {name}", problem, "numbers alone")
    return arrays
