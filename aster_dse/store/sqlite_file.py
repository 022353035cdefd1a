"""The file of a SQLite database while programs have it open: whether it is still the one at its path.

A file that is deleted, or replaced by another of its name, lives on for whoever has it open: everything
written goes into it, and is gone when the last one closes it. One that is overwritten in place would be mixed
with what is still in the write-ahead log. Therefore each transaction that writes has a number, in the header
field that SQLite leaves to programs (``user_version``), from a random one on: a file of another history has
another one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import tempfile
import threading
from pathlib import Path
from urllib.parse import quote

__all__ = ["SqliteFile", "creation_was_cut_off"]

_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")  # www.sqlite.org/fileformat2.html, "The Rollback Journal"
_JOURNAL_PAGES = slice(16, 20)
_MOST_BY_OTHERS = 1_000_000
"""Transactions of other programs between two of this one."""


class SqliteFile:
    """The file at ``path`` as the first connection found it."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._opened: tuple[int, int] | None = None
        self._number = 0
        """Of the last transaction."""
        self._in_file = 0
        """Of the last one that was seen in the file itself; later ones were in the log."""
        self._copy: Path | None = None
        self._lock = threading.Lock()

    def opened(self) -> None:
        """A connection has been opened."""
        if self._opened is None:
            self._opened = self._there()

    def closed(self) -> None:
        """All connections are closed; the next may find another file."""
        self._opened, self._number, self._in_file = None, 0, 0

    def number(self, connection: sqlite3.Connection) -> int:
        """Give a transaction that has begun its number; 0 where the file was overwritten."""
        with self._lock:
            (last,) = connection.execute("PRAGMA user_version").fetchone()
            in_file = self._number_in_file()
            known = not self._number or self._number <= last < self._number + _MOST_BY_OTHERS
            if not known or in_file is None or not self._in_file <= in_file <= last:
                return 0
            self._in_file = in_file
        number: int = last + 1 if last else secrets.randbelow(2**30) + 1
        connection.execute(f"PRAGMA user_version = {number}")
        return number

    def committed(self, connection: sqlite3.Connection, number: int) -> None:
        """A transaction was stored; the number of the first is brought into the file at once."""
        with self._lock:
            self._number = max(self._number, number)
        if not self._in_file:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _number_in_file(self) -> int | None:
        """The number without regard to the log; None where the file is no database.

        Opened by SQLite: closing a file that one opened oneself ends SQLite's locks on it.
        """
        address = f"file:{quote(str(self.path))}?mode=ro&immutable=1"
        try:
            with contextlib.closing(sqlite3.connect(address, uri=True)) as file:
                number: int = file.execute("PRAGMA user_version").fetchone()[0]
                return number
        except sqlite3.Error:
            return None if self.path.exists() else self._in_file  # of a file that is gone, see is_another

    def is_another(self) -> bool:
        """True where something is open that is no longer at the path."""
        return self._opened is not None and self._there() != self._opened

    def rescue(self, connection: sqlite3.Connection) -> Path | None:
        """Copy what ``connection`` has open to a new file, as near to the old one as can be.

        Returns:
            The copy; the same one when it is called again. None where none could be made.
        """
        with self._lock:
            places = [self.path.parent, Path.cwd(), Path(tempfile.gettempdir())]
            for path in (
                [self._copy] if self._copy is not None else [_free_name(p, self.path) for p in places]
            ):
                with contextlib.suppress(OSError, sqlite3.Error):
                    # Not write-ahead logged: one file, that can be moved.
                    with contextlib.closing(
                        sqlite3.connect(f"file:{quote(str(path))}?mode=rwc", uri=True)
                    ) as copy:
                        connection.backup(copy)
                        copy.execute("PRAGMA journal_mode = DELETE")
                    self._copy = path
                    return path
        return None

    def _there(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _free_name(folder: Path, path: Path) -> Path:
    names = (folder / f"{path.stem}.rescued{number or ''}{path.suffix}" for number in range(10_000))
    return next(name for name in names if not name.exists())


def creation_was_cut_off(path: Path) -> bool:
    """True where whoever created the database died before anything was committed.

    SQLite then left a journal that says that the file held nothing: it is as good as empty, but only a writer
    may empty it.
    """
    try:
        with path.with_name(f"{path.name}-journal").open("rb") as journal:
            head = journal.read(28)
    except OSError:
        return False
    return head.startswith(_JOURNAL_MAGIC) and not any(head[_JOURNAL_PAGES])
