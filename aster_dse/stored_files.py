"""Files that are kept: written whole or not at all, each with its SHA-256 beside it, verified when read.

``network.safetensors`` has ``network.safetensors.sha256`` beside it, a line as ``sha256sum`` writes and
checks it. The digest is written before the file takes its place, together with that of the file before it, so
a process that is killed at any moment leaves a pair that agrees. A file without one, as older versions wrote
them, is read unverified.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

from aster_dse.errors import InputError, NotFoundError

__all__ = [
    "ASIDE_SUFFIX",
    "DIGEST_SUFFIX",
    "UNFINISHED_SUFFIX",
    "DamagedFileError",
    "SetAside",
    "adopt",
    "digest_file",
    "forget",
    "keep",
    "read_kept",
    "set_aside",
    "verify_kept",
    "write_whole",
]

DIGEST_SUFFIX = ".sha256"
ASIDE_SUFFIX = ".aside"
UNFINISHED_SUFFIX = ".part"
"""What a process that is killed may leave."""

Content = bytes | Callable[[IO[bytes]], object]


class DamagedFileError(InputError):
    """A stored file is not what was written."""

    content: bytes = b""
    """What it holds now, where it was read whole."""


def write_whole(path: Path, content: Content, *, durable: bool = True) -> None:
    """Write a file in one step, in the place of an older one; its folder must exist.

    Args:
        content: bytes, or a function that writes them into an open file.
        durable: on the disk when this returns.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    temporary = _beside(path, content, durable)
    _move(temporary, path)


def keep(path: Path, content: Content, *, durable: bool = True) -> str:
    """Write a file as :func:`write_whole` does, with its digest beside it, making its folder.

    Returns:
        The SHA-256, in hexadecimal digits.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path, content, durable)
    try:
        digest = hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else _sha256(temporary)
        older = _digests(path)
        if older is None:
            older = [_sha256(path)] if path.is_file() else []
        _write_digests(path, [digest, *older[:2]], durable)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _move(temporary, path)
    if older:
        _write_digests(path, [digest], durable=False)
    return digest


def read_kept(path: Path, what: str = "file", *, expected: str | None = None) -> bytes:
    """The content of a file, verified.

    Args:
        what: it is, for messages.
        expected: SHA-256 that it may have whatever is said beside it, and must have where nothing is.

    Raises:
        NotFoundError: there is no such file.
        DamagedFileError: it is not what was written.
        OSError: it cannot be read.
    """
    _require(path, what)
    while True:
        known = _digests(path)
        content = path.read_bytes()
        if _agrees(hashlib.sha256(content).hexdigest(), known, expected):
            return content
        if known == _digests(path):
            error = _damaged(path, what)
            error.content = content
            raise error
        # It was replaced while it was read.


def verify_kept(path: Path, what: str = "file") -> None:
    """Verify a file too large to be held in memory; one that has not changed since, once in a process.

    Raises:
        As :func:`read_kept`.
    """
    _require(path, what)
    while True:
        known = _digests(path)
        if known is None or _agrees(_once(path), known, None):
            return
        if known == _digests(path):
            raise _damaged(path, what)


def adopt(path: Path) -> None:
    """Give a file of an older version that was found good its digest."""
    if _digests(path) is None:
        _write_digests(path, [_sha256(path)], durable=True)


@dataclass(frozen=True)
class SetAside:
    """A file that nothing can use, which is made anew."""

    path: Path
    problem: str
    place: Path
    """Where it lies now."""

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; set aside as {self.place.name} and made anew"


def set_aside(path: Path, problem: str) -> SetAside:
    """Move a file out of the way, to ``NAME.aside`` or ``NAME.2.aside``, for whoever wants to look at it."""
    place = path.with_name(path.name + ASIDE_SUFFIX)
    number = 2
    while place.exists():
        place = path.with_name(f"{path.name}.{number}{ASIDE_SUFFIX}")
        number += 1
    os.replace(path, place)
    digest_file(path).unlink(missing_ok=True)
    return SetAside(path, problem, place)


def forget(path: Path) -> None:
    """Remove a file with its digest, if it is there."""
    path.unlink(missing_ok=True)
    digest_file(path).unlink(missing_ok=True)


def digest_file(path: Path) -> Path:
    """Where the digest of a file lies."""
    return path.with_name(path.name + DIGEST_SUFFIX)


def _require(path: Path, what: str) -> None:
    if not path.is_file():
        raise NotFoundError(f"{path}: no such {what}")


def _agrees(digest: str, known: list[str] | None, expected: str | None) -> bool:
    if known is None:
        return expected is None or digest == expected
    return digest in known or digest == expected


def _damaged(path: Path, what: str) -> DamagedFileError:
    return DamagedFileError(
        str(path),
        f"the {what} is damaged: its {path.stat().st_size:,} bytes are not those that were written",
        f"restore it, or remove it with {digest_file(path).name} to have it made anew",
    )


def _digests(path: Path) -> list[str] | None:
    """Those that a file may have; None where nothing is said, which is not the same as nothing legible."""
    try:
        text = digest_file(path).read_bytes().decode("ascii", "replace")
    except FileNotFoundError:
        return None
    return re.findall(r"^([0-9a-f]{64})  ", text, re.MULTILINE)


def _write_digests(path: Path, digests: list[str], durable: bool) -> None:
    text = "".join(f"{digest}  {path.name}\n" for digest in dict.fromkeys(digests))
    write_whole(digest_file(path), text.encode("utf-8", "surrogateescape"), durable=durable)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _once(path: Path) -> str:
    facts = path.stat()
    return _sha256_of(path, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino)


@lru_cache(maxsize=64)
def _sha256_of(path: Path, *_unchanged: int) -> str:
    return _sha256(path)


def _beside(path: Path, content: Content, durable: bool) -> Path:
    """The content in a file of its own beside ``path``, with the permissions of any new file."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}{UNFINISHED_SUFFIX}")
    try:
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666), "w+b") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                content(file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _move(temporary: Path, path: Path) -> None:
    try:
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
