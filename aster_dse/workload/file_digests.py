"""SHA-256 of many files, each read once: what was read before is known by its facts, in the user's cache.

The cache has one file for a folder: name, size, times of change of content and of the inode, inode and digest
of each file. A file whose facts are all as they were is not read again. One that was changed less than a few
seconds before it was read is: a later change within the same tick of the file system's clock would show in
none of these facts.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import InputError, NotFoundError

__all__ = ["FileDigests", "file_digests"]

OnBytes = Callable[[int, int], None]

_VERSION = 1
_FACTS = 4
_READERS, _AT_ONCE = 8, 4096
_UNSETTLED_NS = 2_000_000_000
"""Younger than this when it was read, a file is read again the next time."""


@dataclass(frozen=True)
class FileDigests:
    """The files of a folder in the order they were asked for."""

    sizes: NDArray[np.int64]
    """Bytes of each."""
    sha256: NDArray[np.uint8]
    """``[files, 32]``."""


def file_digests(
    folder: Path, names: Sequence[bytes], cache: Path, on_bytes: OnBytes | None = None
) -> FileDigests:
    """Digests of files below a folder.

    Args:
        names: below the folder, as the file system spells them.
        cache: folder of made data. Where it cannot be written, every call reads all files.
        on_bytes: told bytes read by now and bytes to read, whenever a file was read.

    Raises:
        NotFoundError: a file is gone.
        InputError: one cannot be read.
    """
    root = os.fsencode(folder.resolve())
    # A folder may hold several forms of a data set, each in folders of its own.
    place = b"\0".join((root, *sorted({name.partition(b"/")[0] for name in names})))
    stored = cache / "digests" / f"{hashlib.sha256(place).hexdigest()[:20]}.npz"
    facts = _facts(root, names)
    digests, missing = _looked_up(stored, names, facts)
    if len(missing):
        # Of the workers of a machine one reads, the others wait for what it found.
        with _alone(stored.with_suffix(".lock")):
            digests, missing = _looked_up(stored, names, facts)
            settled = _hash(root, names, facts, digests, missing, on_bytes)
            with suppress(OSError):
                _write(stored, _Known(b"\n".join(names), facts, digests, settled))
    return FileDigests(facts[:, 0], digests)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a lock, where there is a place for one."""
    from filelock import FileLock  # of the extra `networks`: a data set is only read with it

    held = FileLock(lock)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        held.acquire()
    except OSError:
        yield
        return
    try:
        yield
    finally:
        held.release()


def _looked_up(
    stored: Path, names: Sequence[bytes], facts: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The digests that are known, and the places of those that are not."""
    known = _read(stored)
    if known is not None and known.names == b"\n".join(names) and np.array_equal(known.facts, facts):
        return known.digests, np.flatnonzero(~known.settled)
    digests = np.zeros((len(names), 32), np.uint8)
    return digests, _unknown(known, names, facts, digests)


@dataclass(frozen=True)
class _Known:
    names: bytes
    facts: NDArray[np.int64]
    digests: NDArray[np.uint8]
    settled: NDArray[np.bool_]


def _facts(root: bytes, names: Sequence[bytes]) -> NDArray[np.int64]:
    """``[files, 4]``: size, time of change of the content, of the inode, and the inode."""
    facts = np.empty((len(names), _FACTS), np.int64)
    for place, name in enumerate(names):
        path = b"%b/%b" % (root, name)
        try:
            found = os.stat(path)
        except OSError as error:
            raise _named(path, error) from None
        facts[place] = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, _signed(found.st_ino))
    return facts


def _signed(inode: int) -> int:
    return inode - (1 << 64) if inode >= 1 << 63 else inode


def _named(path: bytes, error: OSError) -> Exception:
    text = os.fsdecode(path)
    if isinstance(error, FileNotFoundError):
        return NotFoundError(f"{text}: there is no such file, and the data set needs it")
    return InputError(text, f"cannot be read: {error.strerror or error}", "a file that can be read")


def _unknown(
    known: _Known | None, names: Sequence[bytes], facts: NDArray[np.int64], digests: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """Fill in what is known of files that are as they were; the places of the others."""
    if known is None:
        return np.arange(len(names))
    before = {name: place for place, name in enumerate(known.names.split(b"\n"))}
    old = np.array([before.get(name, -1) for name in names], np.int64)
    same = (old >= 0) & known.settled[old] & (known.facts[old] == facts).all(axis=1)
    digests[same] = known.digests[old[same]]
    return np.flatnonzero(~same)


def _hash(
    root: bytes,
    names: Sequence[bytes],
    facts: NDArray[np.int64],
    digests: NDArray[np.uint8],
    missing: NDArray[np.int64],
    on_bytes: OnBytes | None,
) -> NDArray[np.bool_]:
    """Read the missing files; which of all will not have to be read again."""
    began_ns = time.time_ns()
    total, done = int(facts[missing, 0].sum()), 0

    def read(place: int) -> tuple[int, bytes]:
        path = b"%b/%b" % (root, names[place])
        try:
            with open(path, "rb") as file:
                return place, hashlib.file_digest(file, "sha256").digest()
        except OSError as error:
            raise _named(path, error) from None

    with ThreadPoolExecutor(min(_READERS, os.cpu_count() or 1)) as pool:
        for start in range(0, len(missing), _AT_ONCE):
            for place, digest in pool.map(read, missing[start : start + _AT_ONCE].tolist()):
                digests[place] = np.frombuffer(digest, np.uint8)
                done += int(facts[place, 0])
                if on_bytes is not None:
                    on_bytes(done, total)
    changed: NDArray[np.bool_] = facts[:, 1:3].max(axis=1, initial=0) >= began_ns - _UNSETTLED_NS
    return ~changed


def _read(path: Path) -> _Known | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            if int(file["version"]) != _VERSION:
                return None
            found = _Known(file["names"].tobytes(), file["facts"], file["digests"], file["settled"])
    except FileNotFoundError:
        return None
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, TypeError, OSError, LookupError):
        return None  # damaged, so it will be replaced
    except AttributeError:  # one array, where an archive of several should be
        return None
    count = found.names.count(b"\n") + 1
    shapes = (found.facts.shape, found.digests.shape, found.settled.shape)
    return found if shapes == ((count, _FACTS), (count, 32), (count,)) else None


def _write(path: Path, known: _Known) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(
                file,
                version=np.int64(_VERSION),
                names=np.frombuffer(known.names, np.uint8),
                facts=known.facts,
                digests=known.digests,
                settled=known.settled,
                allow_pickle=False,
            )
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
