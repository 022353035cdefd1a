"""The schema: made by its migrations, the same as the code expects, and of no other version."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from store_examples import begin, create_study, finish, pause

from aster_dse.errors import AsterError
from aster_dse.store import StudyReader, StudyStore, upgrade
from aster_dse.store.database import Database
from aster_dse.store.schema import MIGRATIONS
from aster_dse.store.tables import HEAD, VERSION_TABLE, metadata


def tables(url: str) -> set[str]:
    database = Database(url)
    with database.reading() as connection:
        names = set(inspect(connection).get_table_names())
    database.close()
    return names


def set_revision(url: str, revision: str) -> None:
    database = Database(url)
    with database.writing() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = :new"), {"new": revision})
    database.close()


def test_an_empty_database_gets_the_tables(empty_url: str) -> None:
    with StudyStore(empty_url) as store:
        study = create_study(store)
        finish(store, study, 0)
    assert tables(empty_url) == {*metadata.tables, VERSION_TABLE}
    assert all(name.startswith("aster_") for name in tables(empty_url))


def test_the_migrations_lead_to_what_the_code_expects(empty_url: str) -> None:
    assert upgrade(empty_url) == HEAD
    database = Database(empty_url)
    with database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == HEAD
    database.close()


def test_the_newest_revision_is_the_one_the_code_names() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_upgrading_again_changes_nothing(database_url: str) -> None:
    with StudyStore(database_url) as store:
        study = create_study(store)
        finish(store, study, 0)
        assert upgrade(database_url) == HEAD
        assert len(store.evaluations(study.id)) == 4
    with StudyStore(database_url) as store:
        assert store.study("digits").name == "digits"


def test_many_that_open_an_empty_database_at_once_make_it_once(empty_url: str) -> None:
    starting = threading.Barrier(4)
    failed: list[BaseException] = []

    def open_it(number: int) -> None:
        try:
            starting.wait()
            with StudyStore(empty_url) as store:
                create_study(store, f"study {number}")
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=open_it, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with StudyReader(empty_url) as reader:
        assert len(reader.studies()) == 4


def test_a_newer_database_is_refused_in_one_line(database_url: str) -> None:
    set_revision(database_url, "9999")
    for use in (StudyStore, StudyReader, upgrade):
        with pytest.raises(AsterError, match="newer version of aster-dse, revision 9999") as caught:
            use(database_url)
        assert "\n" not in str(caught.value)


def set_back(url: str) -> None:
    """Make a database what revision 0001 would have made of it."""
    database = Database(url)
    with database.writing() as connection:
        for table in ("aster_analyses", "aster_repeats", "aster_looks"):
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text("ALTER TABLE aster_trials DROP COLUMN paused_epoch"))
    database.close()
    set_revision(url, "0001")


def test_an_older_database_is_refused_until_it_is_upgraded(database_url: str) -> None:
    with StudyStore(database_url) as store:
        study = create_study(store)
        finish(store, study, 0)
        begin(store, study, 1)
    set_back(database_url)
    for use in (StudyStore, StudyReader):
        with pytest.raises(AsterError, match=r"revision 0001 .*aster-dse db upgrade"):
            use(database_url)
    assert upgrade(database_url) == HEAD
    with StudyStore(database_url) as store:
        assert [trial.state for trial in store.trials(study.id)] == ["complete", "running"]
        assert len(store.evaluations(study.id)) == 4
        assert store.pause_trial(study.id, pause(1, 2))
        assert store.counts(study.id).paused == 1


def test_a_migration_that_fails_leaves_nothing_behind(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import op

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(op, "create_index", refuse)
        with pytest.raises(RuntimeError):
            upgrade(empty_url)
    assert tables(empty_url) == set()
    assert upgrade(empty_url) == HEAD


def test_other_tables_in_the_database_are_left_alone(empty_url: str) -> None:
    database = Database(empty_url)
    with database.writing() as connection:
        # The names that Optuna's storage uses.
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('v3.2.0.a')"))
        connection.execute(text("CREATE TABLE studies (study_id INTEGER)"))
    with StudyStore(empty_url) as store:
        create_study(store)
    with database.reading() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "v3.2.0.a"
    database.close()
    assert {"studies", "aster_studies"} <= tables(empty_url)


def test_sqlite_writes_ahead_and_checks_its_references(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.reading() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    database.close()
    assert settings == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 30_000}


def test_a_writer_takes_its_lock_when_it_begins(sqlite_url: str, tmp_path: Path) -> None:
    database = Database(sqlite_url)
    other = sqlite3.connect(tmp_path / "aster.db", timeout=0, isolation_level=None)
    with database.writing(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    with database.reading():
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
    other.close()
    database.close()
