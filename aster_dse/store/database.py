"""The connection to a database, SQLite in WAL mode or PostgreSQL: errors on one line, no passwords."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, exc, text

from aster_dse.commands import Places
from aster_dse.errors import NotFoundError, UnreachableError
from aster_dse.store.address import (
    check_options,
    parse_address,
    secrets_of,
    shown_address,
    split_secret_options,
)
from aster_dse.store.errors import DatabaseGoneError
from aster_dse.store.sqlite_file import SqliteFile, creation_was_cut_off

__all__ = ["Database"]

BUSY_TIMEOUT_S = 30.0
"""A writer waits this long for another one's transaction, which lasts milliseconds."""

CONNECT_TIMEOUT_S = 10

_GONE = "the file was deleted, or replaced by another one, while it was in use"


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch the file to write-ahead logging, where it is not.

    While another connection switches it, SQLite answers "locked" at once, whatever the timeout says.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _opened(connection: Connection) -> sqlite3.Connection:
    """What the driver has open, of a SQLite database."""
    return cast(sqlite3.Connection, connection.connection.driver_connection)


class Database:
    """One database, for reading and writing or for reading alone. Opens no connection until one is asked for.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql+psycopg://...``; ``postgresql://`` means the latter.
        read_only: have the database itself refuse every write.
    """

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        self._url = parse_address(url)
        self._secrets = secrets_of(self._url)
        self.read_only = read_only
        self.shown = shown_address(self._url)
        """The URL without its password."""
        self.places = Places(storage=url)
        """For the commands that messages name."""
        self._file = SqliteFile(Path(self._url.database or "")) if self.is_sqlite else None
        self._engine = self._postgresql() if self._file is None else self._sqlite(self._file)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.shown!r}, read_only={self.read_only})"

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    def _sqlite(self, file: SqliteFile) -> Engine:
        url = self._url
        if self.read_only:
            query = {**url.query, "mode": "ro", "uri": "true"}
            url = url.set(database=f"file:{quote(str(file.path))}", query=query)
        # With isolation_level None the driver begins no transaction of its own: a reader then takes no lock
        # that a writer waits for, and a writer takes its lock at once instead of failing when it upgrades.
        engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S, "isolation_level": None})
        read_only = self.read_only

        @event.listens_for(engine, "do_connect")
        def check(*_: object) -> None:
            # A new connection would open, or make, the file that is there now.
            if file.is_another():
                raise DatabaseGoneError(f"{self.shown}: {_GONE}")

        @event.listens_for(engine, "connect")
        def configure(connection: Any, _record: Any) -> None:
            if not isinstance(connection, sqlite3.Connection):
                connection = connection.driver_connection
            file.opened()
            if read_only:
                connection.execute("PRAGMA query_only = ON")
                return
            connection.execute("PRAGMA foreign_keys = ON")
            _write_ahead(connection)
            # A commit reaches the disk before it counts: a trial costs minutes, an fsync milliseconds.
            connection.execute("PRAGMA synchronous = FULL")

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            writes = connection.get_execution_options().get("aster_write", False)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        return engine

    def _postgresql(self) -> Engine:
        # An engine shows its URL with every option, so those that are secret go beside it.
        url, secret = split_secret_options(self._url)
        arguments: dict[str, Any] = dict(secret)
        if "connect_timeout" not in url.query:
            arguments["connect_timeout"] = CONNECT_TIMEOUT_S
        settings = [
            # What a stopped or vanished process would hold, others get after this time.
            f"lock_timeout={BUSY_TIMEOUT_S * 1000:.0f}",
            f"idle_in_transaction_session_timeout={BUSY_TIMEOUT_S * 1000:.0f}",
            *(["default_transaction_read_only=on"] if self.read_only else []),
        ]
        given = self._url.query.get("options", ())
        options = [given] if isinstance(given, str) else list(given)
        arguments["options"] = " ".join([*options, *(f"-c {setting}" for setting in settings)])
        # A reader sees one moment throughout a transaction, as SQLite's readers do anyway.
        isolation = "REPEATABLE READ" if self.read_only else "READ COMMITTED"
        try:
            engine = create_engine(
                url, connect_args=arguments, pool_pre_ping=True, isolation_level=cast(Any, isolation)
            )
            from psycopg.pq import Conninfo
        except ModuleNotFoundError as error:
            raise UnreachableError(
                f"{self.shown}: PostgreSQL needs {error.name} (pip install 'psycopg[binary]>=3.2')"
            ) from None
        check_options(self._url, (option.keyword.decode() for option in Conninfo.get_defaults()))
        return engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that writes nothing.

        Raises:
            DatabaseGoneError: the file that is open for writing is no longer the one at its path. A reader
                reads the new one.
        """
        if self.read_only and self._file is not None and self._file.is_another():
            self.close()
            self.require_file()
        with self._one_line_errors(), self._engine.connect() as connection:
            with connection.begin():
                yield connection
            self._check_file(connection)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: all of it is stored when the block ends, or none of it when the block raises.

        Raises:
            DatabaseGoneError: the file that is open is no longer the one at its path. What was written,
                by this transaction too, is in the copy that the error names.
        """
        engine = self._engine.execution_options(aster_write=True)
        with self._one_line_errors(), engine.connect() as connection:
            file, opened, number = self._file, _opened(connection), 0
            with connection.begin():
                if file is not None and not file.is_another():
                    number = file.number(opened)
                    if not number:
                        raise DatabaseGoneError(f"{self.shown}: the file was overwritten while it was in use")
                yield connection
            if file is not None:
                file.committed(opened, number)
            self._check_file(connection)

    def _check_file(self, connection: Connection) -> None:
        if self.read_only or self._file is None or not self._file.is_another():
            return
        copy = self._file.rescue(_opened(connection))
        raise DatabaseGoneError(f"{self.shown}: {_GONE}", copy)

    def now(self, connection: Connection) -> datetime:
        """The time by the one clock that all who share the database agree on."""
        if self.is_sqlite:
            return datetime.now(UTC)
        moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        return moment.astimezone(UTC)

    def close(self) -> None:
        self._engine.dispose()
        if self._file is not None:
            self._file.closed()

    def require_file(self, *, may_be_made: bool = False) -> None:
        """Refuse a SQLite file that is not there, before SQLite says the same in more obscure words.

        Raises:
            NotFoundError: it does not exist and shall not be made, or nothing was ever stored in it.
            UnreachableError: it cannot be made.
        """
        if self._file is None:
            return
        path = self._file.path
        if may_be_made:
            if not path.parent.is_dir():
                raise UnreachableError(
                    f"{self.shown}: the folder of the file does not exist (create it first)"
                )
        elif not path.exists():
            raise NotFoundError(f"{self.shown}: there is no such file (a search creates it)")
        elif creation_was_cut_off(path):
            raise NotFoundError(
                f"{self.shown}: there are no studies of aster-dse here (a search creates them)"
            )

    @contextmanager
    def _one_line_errors(self) -> Iterator[None]:
        try:
            yield
        except exc.DBAPIError as error:
            if isinstance(error, exc.OperationalError | exc.InterfaceError) or self._is_no_database(error):
                # The original names the connection's arguments in its frames: it is told, not chained.
                raise UnreachableError(f"{self.shown}: {self._reason(error)}") from None
            raise

    @staticmethod
    def _is_no_database(error: exc.DBAPIError) -> bool:
        return type(error.orig) is sqlite3.DatabaseError

    def _reason(self, error: exc.DBAPIError) -> str:
        said = " ".join(str(error.orig).split()) or type(error.orig).__name__
        for secret in self._secrets:
            said = said.replace(secret, "***")
        if self.is_sqlite:
            if "locked" in said:
                return f"{said} (another program held it for {BUSY_TIMEOUT_S:.0f} s; end that one)"
            if "not a database" in said:
                return f"{said} (choose another file)"
            if self.read_only and ("unable to open" in said or "readonly" in said):
                return (
                    f"{said} (SQLite must create a -shm file beside a database in WAL mode, even to read it: "
                    "give write access to the folder, or copy the database to one that has it)"
                )
        return said
