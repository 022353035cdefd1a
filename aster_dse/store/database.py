"""The connection to a database, SQLite in WAL mode or PostgreSQL: errors on one line, no passwords."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, quote_plus

from sqlalchemy import Connection, Engine, create_engine, event, exc, text
from sqlalchemy.engine import URL

from aster_dse.commands import Places
from aster_dse.errors import InputError, NotFoundError, UnreachableError
from aster_dse.storage_url import SECRET_OPTIONS, parse_url

__all__ = ["Database"]

BUSY_TIMEOUT_S = 30.0
"""A writer waits this long for another one's transaction, which lasts milliseconds."""

CONNECT_TIMEOUT_S = 10

_REMEDY = "sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"


def _parse(url: str) -> URL:
    """``url`` with its driver made explicit; a message never repeats the text, which may hold a password."""
    try:
        parsed = parse_url(url)
    except (exc.ArgumentError, ValueError):
        raise InputError("storage", "the text is no database URL", _REMEDY) from None
    if parsed.drivername in {"postgres", "postgresql"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
            raise InputError("storage", "SQLite needs a file, which other processes can read", _REMEDY)
    elif parsed.drivername != "postgresql+psycopg":
        raise InputError("storage", f"{parsed.drivername} is not supported", _REMEDY)
    return parsed


def _shown(url: URL) -> str:
    return url.difference_update_query(SECRET_OPTIONS).render_as_string(hide_password=True)


def _secrets(url: URL) -> tuple[str, ...]:
    plain = [url.password, *(url.query[key] for key in url.query if key in SECRET_OPTIONS)]
    words = [word for value in plain if value for word in ([value] if isinstance(value, str) else value)]
    return tuple({form for word in words for form in (str(word), quote(str(word)), quote_plus(str(word)))})


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


class Database:
    """One database, for reading and writing or for reading alone. Opens no connection until one is asked for.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql+psycopg://...``; ``postgresql://`` means the latter.
        read_only: have the database itself refuse every write.
    """

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        self._url = _parse(url)
        self._secrets = _secrets(self._url)
        self.read_only = read_only
        self.shown = _shown(self._url)
        """The URL without its password."""
        self.places = Places(storage=url)
        """For the commands that messages name."""
        self._engine = self._sqlite() if self.is_sqlite else self._postgresql()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.shown!r}, read_only={self.read_only})"

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def _file(self) -> Path:
        return Path(self._url.database or "")

    def _sqlite(self) -> Engine:
        url = self._url
        if self.read_only:
            query = {**url.query, "mode": "ro", "uri": "true"}
            url = url.set(database=f"file:{quote(str(self._file.absolute()))}", query=query)
        # With isolation_level None the driver begins no transaction of its own: a reader then takes no lock
        # that a writer waits for, and a writer takes its lock at once instead of failing when it upgrades.
        engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S, "isolation_level": None})
        read_only = self.read_only

        @event.listens_for(engine, "connect")
        def configure(connection: Any, _record: Any) -> None:
            if not isinstance(connection, sqlite3.Connection):
                connection = connection.driver_connection
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
        secret = {key: value for key, value in self._url.query.items() if key in SECRET_OPTIONS}
        url = self._url.difference_update_query(secret)
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
            return create_engine(
                url, connect_args=arguments, pool_pre_ping=True, isolation_level=cast(Any, isolation)
            )
        except ModuleNotFoundError as error:
            raise UnreachableError(
                f"{self.shown}: PostgreSQL needs {error.name} (pip install 'psycopg[binary]>=3.2')"
            ) from None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that writes nothing."""
        with self._one_line_errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: all of it is stored when the block ends, or none of it when the block raises."""
        engine = self._engine.execution_options(aster_write=True)
        with self._one_line_errors(), engine.begin() as connection:
            yield connection

    def now(self, connection: Connection) -> datetime:
        """The time by the one clock that all who share the database agree on."""
        if self.is_sqlite:
            return datetime.now(UTC)
        moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        return moment.astimezone(UTC)

    def close(self) -> None:
        self._engine.dispose()

    def require_file(self) -> None:
        """Refuse a SQLite file that is not there, before SQLite says the same in more obscure words."""
        if not self.is_sqlite:
            return
        if not self._file.exists():
            if self.read_only:
                raise NotFoundError(f"{self.shown}: there is no such file (a search creates it)")
            if not self._file.absolute().parent.is_dir():
                raise UnreachableError(
                    f"{self.shown}: the folder of the file does not exist (create it first)"
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
