"""Files that a command writes: what can be said against them is said before its work, not after."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from aster_dse.errors import InputError, MachineFaultError

__all__ = ["STDOUT", "checked_output", "made_folder"]

STDOUT = Path("-")
"""What ``-o -`` names."""

FREE_MIB = 8
"""Disk that a search needs to begin: some small networks with their traces."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def checked_output(
    path: Path | None, endings: Sequence[str] = (), *, option: str = "--output", remedy: str = ""
) -> Path | None:
    """The file that an option names, if it can be written.

    Args:
        path: as given.
        endings: those that say what is written; none where any will do.
        option: that names it.
        remedy: what would be right where the ending is none of them.

    Raises:
        InputError: an ending that says nothing, or no file can be written there.
        AsterError: a picture, and no browser to draw it.
    """
    if path is None:
        return None
    if path == STDOUT:
        raise InputError(option, "- is standard output, which has the results", "name a file, or use --json")
    if endings and path.suffix.lower() not in endings:
        known = remedy or f"end it in {_listed(endings)}"
        raise InputError(option, f"{path} does not say in its ending what to write", known)
    if path.is_dir():
        raise InputError(option, f"{path} is a folder", "name a file")
    if not path.absolute().parent.is_dir():
        problem = f"{path} cannot be written: there is no folder {path.parent}"
        raise InputError(option, problem, "create it first")
    try:
        if not path.exists():
            with tempfile.TemporaryFile(dir=path.absolute().parent):
                pass
        elif not os.access(path, os.W_OK):
            raise PermissionError(0, "Permission denied")
    except OSError as error:
        raise InputError(option, f"{path} cannot be written: {error.strerror}", "name another file") from None
    if path.suffix.lower() in endings and path.suffix.lower() in (".png", ".svg"):
        from aster_dse.export.drawing import check_drawable

        check_drawable(path)
    return path


def made_folder(folder: Path, option: str = "--artifacts") -> Path:
    """A folder to write in, made and tried before hours of training find out that it cannot be.

    Raises:
        InputError: it cannot be made or written.
        MachineFaultError: its disk is full.
    """
    doing, new = "made", not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        doing = "written"
        with tempfile.TemporaryFile(dir=folder) as probe:
            for _ in range(FREE_MIB):
                probe.write(os.urandom(2**20))  # which no file system packs
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        if new:
            with suppress(OSError):
                folder.rmdir()
        if error.errno in _FULL:
            raise MachineFaultError(
                f"{option}: the disk of {folder} has less than {FREE_MIB} MiB left: {error.strerror} "
                "(free some, or name another folder)"
            ) from None
        problem = f"{folder} cannot be {doing}: {error.strerror}"
        raise InputError(option, problem, "name another") from None
    return folder


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
