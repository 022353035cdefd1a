"""Bringing a database to the schema of this version, and telling whether it has it."""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from aster_dse.commands import command
from aster_dse.errors import AsterError, NotFoundError
from aster_dse.store.database import Database
from aster_dse.store.tables import HEAD, VERSION_TABLE

__all__ = ["open_schema", "require_schema", "upgrade"]

MIGRATIONS = Path(__file__).parent / "migrations"

_ADVISORY_LOCK = 0x4153544552  # "ASTER": PostgreSQL's name for the right to change the schema.

# Alembic's `op` and `context` are proxies shared by the whole process.
_ALEMBIC = threading.Lock()


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one_or_none()


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


def upgrade(url: str) -> str:
    """Bring a database to the newest revision, creating the tables where there are none.

    All of it happens in one transaction, which others that open the database wait for.

    Returns:
        The revision that the database has now.

    Raises:
        AsterError: it is of a revision that only a newer version knows.
        UnreachableError: it cannot be reached or written.
    """
    database = Database(url)
    try:
        database.require_file()
        _upgrade(database)
    finally:
        database.close()
    return HEAD


def _upgrade(database: Database) -> None:
    from alembic import command
    from alembic.config import Config

    with database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        revision = _revision(connection)
        if revision is not None and revision not in _known():
            _refuse_other(database, revision)
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        with _ALEMBIC:
            command.upgrade(config, "head")


def open_schema(database: Database) -> None:
    """Make a database fit to work with: an empty one gets the tables, another revision is refused."""
    database.require_file()
    with database.reading() as connection:
        revision = _revision(connection)
    if revision is None:
        _upgrade(database)
    else:
        _refuse_other(database, revision)


def require_schema(database: Database) -> None:
    """The same for a reader, which creates nothing."""
    database.require_file()
    with database.reading() as connection:
        revision = _revision(connection)
    if revision is None:
        raise NotFoundError(
            f"{database.shown}: there are no studies of aster-dse here (a search creates them)"
        )
    _refuse_other(database, revision)
