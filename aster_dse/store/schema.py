"""Bringing a database to the schema of this version, and telling whether it has it."""

from __future__ import annotations

import re
import threading
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from aster_dse.commands import command
from aster_dse.errors import AsterError, NotFoundError
from aster_dse.store.database import Database
from aster_dse.store.tables import HEAD, VERSION_TABLE, metadata

__all__ = ["open_schema", "require_place", "require_schema", "upgrade"]

MIGRATIONS = Path(__file__).parent / "migrations"

_ADVISORY_LOCK = 0x4153544552  # "ASTER": PostgreSQL's name for the right to change the schema.

# Alembic's `op` and `context` are proxies shared by the whole process.
_ALEMBIC = threading.Lock()


def _revision(database: Database, connection: Connection) -> str | None:
    """The revision of a database; None where it has none of our tables.

    Raises:
        AsterError: it has tables, and does not say of which revision.
    """
    there, found = inspect(connection).has_table, list[str]()
    if there(VERSION_TABLE):
        found = [str(row) for row in connection.scalars(text(f"SELECT version_num FROM {VERSION_TABLE}"))]
    if len(found) == 1 and re.fullmatch(r"\d{4}", found[0]):
        return found[0]
    if not found and not any(there(name) for name in metadata.tables):
        return None
    has = f"{', '.join(map(repr, found))} for a revision" if found else "no row"
    raise AsterError(
        f"{database.shown}: has tables of aster-dse but no schema row: {VERSION_TABLE} has {has}; it "
        "was damaged or copied in part (restore a whole copy; nothing was changed here)"
    )


def _known() -> frozenset[str]:
    return frozenset(path.stem.split("_")[0].removeprefix("r") for path in MIGRATIONS.glob("versions/r*.py"))


def _refuse_other(database: Database, revision: str) -> None:
    shown = database.shown
    if revision == HEAD:
        return
    if revision in _known():
        raise AsterError(
            f"{shown}: made by an older version, revision {revision} "
            f"(run: {command('db upgrade', places=database.places)})"
        )
    raise AsterError(
        f"{shown}: made by a newer version of aster-dse, revision {revision} "
        f"where this one knows up to {HEAD} (install the newer version)"
    )


def upgrade(url: str, *, create: bool = True) -> str:
    """Bring a database to the newest revision.

    All of it happens in one transaction, which others that open the database wait for.

    Args:
        create: make the tables where there are none.

    Returns:
        The revision that the database has now.

    Raises:
        NotFoundError: there are no tables, and none shall be made.
        AsterError: it is of a revision that only a newer version knows, or does not say of which it is.
        UnreachableError: it cannot be reached or written.
    """
    if not create:
        reader = Database(url, read_only=True)
        try:
            _require_tables(reader)
        finally:
            reader.close()
    database = Database(url)
    try:
        database.require_file(may_be_made=create)
        _upgrade(database)
    finally:
        database.close()
    return HEAD


def require_place(url: str) -> None:
    """Refuse a place in which no database can be; nothing is opened or made.

    Raises:
        InputError: the address is none.
        UnreachableError: the folder of the file does not exist.
    """
    database = Database(url)
    try:
        database.require_file(may_be_made=True)
    finally:
        database.close()


def _upgrade(database: Database) -> None:
    from alembic import command
    from alembic.config import Config

    with database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        revision = _revision(database, connection)
        if revision is not None and revision not in _known():
            _refuse_other(database, revision)
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        with _ALEMBIC:
            command.upgrade(config, "head")


def open_schema(database: Database) -> None:
    """Make a database fit to work with: an empty one gets the tables, another revision is refused."""
    database.require_file(may_be_made=True)
    with database.reading() as connection:
        revision = _revision(database, connection)
    if revision is None:
        _upgrade(database)
    else:
        _refuse_other(database, revision)


def require_schema(database: Database) -> None:
    """The same for a reader, which creates nothing."""
    _refuse_other(database, _require_tables(database))


def _require_tables(database: Database) -> str:
    """The revision of a database that has one."""
    database.require_file()
    with database.reading() as connection:
        revision = _revision(database, connection)
    if revision is None:
        raise NotFoundError(
            f"{database.shown}: there are no studies of aster-dse here (a search creates them)"
        )
    return revision
