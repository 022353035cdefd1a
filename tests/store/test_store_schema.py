"""The schema: made by its migrations, the same as the code expects, and of no other version."""

from __future__ import annotations

import os
import re
import shlex
import sqlite3
import threading
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.engine import make_url
from store_examples import begin, create_study, finish, pause

from aster_dse.cli import main
from aster_dse.errors import AsterError
from aster_dse.evaluation.metric_values import complete_metrics
from aster_dse.space import METRICS
from aster_dse.store import RepeatRow, StudyReader, StudyStore, upgrade
from aster_dse.store.database import Database
from aster_dse.store.encoding import pack_json
from aster_dse.store.schema import MIGRATIONS
from aster_dse.store.shown import shown_metrics
from aster_dse.store.tables import HEAD, VERSION_TABLE, looks, metadata


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


ARRAYS = ("accuracy_ideal", "accuracy_min", "accuracy_std", "chip_yield")
"""Columns of revision 0004."""
WEIGHTS = (
    ("aster_trials", "weights"),
    ("aster_trainings", "weights"),
    *((f"aster_{table}", "checksum") for table in ("trials", "evaluations", "repeats", "analyses")),
)
"""Tables and columns of revision 0008."""


def test_what_was_stored_before_is_of_ideal_arrays(database_url: str) -> None:
    with StudyStore(database_url) as store:
        study = create_study(store)
        finish(store, study, 0)
        figures = {**store.evaluations(study.id).iloc[0][list(METRICS)].to_dict(), "latency_us": 5.0}
        for seed, area in ((1, 4.0), (2, 4.5)):
            row = RepeatRow(0, 0, seed, "key", {**figures, "area_mm2": area})
            store.keep_repeats(study.id, [row])
    database = Database(database_url)
    with database.writing() as connection:
        for table in ("aster_evaluations", "aster_repeats"):
            for name in ARRAYS:
                connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {name}"))
        connection.execute(text("UPDATE aster_evaluations SET violation = 0.5 WHERE position = 1"))
        connection.execute(text("ALTER TABLE aster_trials DROP COLUMN passes"))
        for table, name in WEIGHTS:
            connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {name}"))
        connection.execute(text("ALTER TABLE aster_studies DROP COLUMN data"))
        connection.execute(text("ALTER TABLE aster_studies DROP COLUMN model"))
    database.close()
    set_revision(database_url, "0003")
    assert upgrade(database_url) == HEAD
    with StudyStore(database_url) as store:
        frame = store.evaluations(study.id).sort_values("index")
        assert (frame["accuracy_ideal"] == frame["accuracy"]).all()
        assert (frame["accuracy_min"] == frame["accuracy"]).all()
        assert (frame["accuracy_std"] == 0.0).all()
        assert (frame["chip_yield"] == frame["feasible"].astype(float)).all()
        assert not frame["feasible"].all()
        first, second = (row.metrics for row in store.repeats(study.id))
        assert first["accuracy_ideal"] == first["accuracy"]
        assert (first["chip_yield"], second["chip_yield"]) == (1.0, 0.0)
        finish(store, study, 1)


def test_the_advice_for_an_older_database_is_a_command_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = "sqlite:///it's old.db"
    with StudyStore(url) as store:
        create_study(store)
    set_back(url)
    before = sorted(os.listdir())
    with pytest.raises(AsterError, match="older version, revision 0001") as caught:
        StudyReader(url)
    advised = re.search(r"\(run: aster-dse (.*)\)", str(caught.value))
    assert advised is not None
    assert main(shlex.split(advised[1])) == 0
    assert sorted(os.listdir()) == before
    with StudyReader(url) as reader:
        assert [study.name for study in reader.studies()] == ["digits"]


def test_the_advice_holds_no_password(postgres_url: str) -> None:
    set_revision(postgres_url, "0001")
    with pytest.raises(AsterError, match=r"db upgrade --storage '?postgresql\+psycopg://\w+@") as caught:
        StudyReader(postgres_url)
    password = make_url(postgres_url).password
    assert password is not None
    assert password not in str(caught.value)


def test_upgrading_makes_nothing_where_nothing_is(empty_url: str, tmp_path: Path) -> None:
    before = os.listdir(tmp_path)
    assert main(["db", "upgrade", "--storage", empty_url]) == 3
    assert os.listdir(tmp_path) == before
    if empty_url.startswith("sqlite"):
        (tmp_path / "empty.db").touch()
        assert main(["db", "upgrade", "--storage", empty_url]) == 3
        assert (tmp_path / "empty.db").stat().st_size == 0
    else:
        assert tables(empty_url) == set()


@pytest.mark.parametrize(
    "statement",
    [
        f"DELETE FROM {VERSION_TABLE}",
        f"DROP TABLE {VERSION_TABLE}",
        f"UPDATE {VERSION_TABLE} SET version_num = 'xyz'",
        f"INSERT INTO {VERSION_TABLE} VALUES ('0001')",
    ],
)
def test_a_database_without_its_schema_row_is_said_to_be_that(database_url: str, statement: str) -> None:
    with StudyStore(database_url) as store:
        create_study(store)
    database = Database(database_url)
    with database.writing() as connection:
        connection.execute(text(statement))
    database.close()
    before = tables(database_url)
    for use in (StudyStore, StudyReader, upgrade):
        with pytest.raises(AsterError, match="tables of aster-dse but no schema row") as caught:
            use(database_url)
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 1
    assert main(["db", "upgrade", "--storage", database_url]) == 1
    assert tables(database_url) == before


def set_back(url: str) -> None:
    """Make a database what revision 0001 would have made of it."""
    database = Database(url)
    with database.writing() as connection:
        for table, name in WEIGHTS:
            connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {name}"))
        for table in ("aster_analyses", "aster_repeats", "aster_looks"):
            connection.execute(text(f"DROP TABLE {table}"))
        for name in ("paused_epoch", "passes"):
            connection.execute(text(f"ALTER TABLE aster_trials DROP COLUMN {name}"))
        for name in ARRAYS:
            connection.execute(text(f"ALTER TABLE aster_evaluations DROP COLUMN {name}"))
        connection.execute(text("ALTER TABLE aster_studies DROP COLUMN data"))
        connection.execute(text("ALTER TABLE aster_studies DROP COLUMN model"))
    database.close()
    set_revision(url, "0001")


def test_an_older_database_is_refused_until_it_is_upgraded(database_url: str) -> None:
    with StudyStore(database_url) as store:
        study = create_study(store)
        finish(store, study, 0)
        begin(store, study, 1)
    set_back(database_url)
    for use in (StudyStore, StudyReader):
        with pytest.raises(AsterError, match=r"revision 0001 .*aster-dse db upgrade --storage"):
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


def test_what_an_older_version_saw_of_a_network_that_pauses_is_read(database_url: str) -> None:
    """Its metrics are those of ideal arrays."""
    with StudyStore(database_url) as store:
        study = create_study(store)
        begin(store, study, 1)
        seen = pause(1, 2)
        old = [
            replace(kept, metrics={n: v for n, v in kept.metrics.items() if n not in ARRAYS})
            for kept in seen.evaluations
        ]
        packed = pack_json({"evaluations": [{**asdict(kept), "detail": {}} for kept in old]})
        assert store.pause_trial(study.id, seen)
        database = Database(database_url)
        with database.writing() as connection:
            connection.execute(looks.update().values(packed=packed))
        database.close()
        for kept, was in zip(store.looks(study.id)[0].evaluations, old, strict=True):
            assert kept.metrics == complete_metrics(was.metrics, feasible=was.feasible)


@pytest.mark.parametrize(
    ("hardware", "constraints", "extra"),
    [
        ({}, [], ()),
        ({"arrays": "ideal", "conditions": "variation=0.1"}, [], ()),
        ({"arrays": "real", "conditions": None}, [], ("accuracy_ideal",)),
        ({"arrays": "real", "conditions": "variation=0.1"}, [], ARRAYS),
        ({}, ["chip_yield >= 0.9"], ("chip_yield",)),
    ],
)
def test_metrics_of_the_arrays_are_shown_where_they_say_something(
    database_url: str, hardware: dict[str, str | None], constraints: list[str], extra: tuple[str, ...]
) -> None:
    with StudyStore(database_url) as store:
        study = create_study(store, space={"hardware": hardware}, constraints=constraints)
    assert shown_metrics(study) == tuple(n for n in METRICS if n not in ARRAYS or n in extra)
