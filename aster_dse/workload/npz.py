"""Arrays of ``.npz`` files that others wrote: nothing unpickled, every fault one line that names the file."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import InputError

__all__ = ["named_arrays"]


def named_arrays(path: Path, names: tuple[str, ...]) -> tuple[NDArray[np.generic], ...]:
    """The arrays of these names.

    Raises:
        InputError: no such file, one that is no ``.npz``, is damaged, holds objects, or lacks a name.
    """
    wanted = f"an .npz file with {', '.join(names)}"
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise InputError(str(path), "is no .npz file, or a damaged one", wanted)
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                missing = [name for name in names if name not in arrays.files]
                if missing:
                    found = ", ".join(sorted(arrays.files)) or "nothing"
                    raise InputError(str(path), f"has no {missing[0]!r} but {found}", wanted)
                return tuple(arrays[name] for name in names)
    except InputError:
        raise
    except OSError as error:
        raise InputError(str(path), f"cannot be read: {error.strerror or error}", wanted) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(str(path), "is truncated or damaged", "restore the file, or remove it") from error
    except (ValueError, KeyError, AttributeError, TypeError, MemoryError) as error:
        if "allow_pickle" in str(error):
            problem = "holds pickled objects, which are not loaded"
        else:
            problem = "is truncated or damaged"
        raise InputError(str(path), problem, wanted) from error
