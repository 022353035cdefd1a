"""A database file that is deleted, replaced, emptied or left unfinished: noticed, nothing stored is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from store_examples import begin, create_study, finish, result

from aster_dse.errors import ExistsError, NotFoundError, UnreachableError
from aster_dse.store import StudyReader, StudyStore
from aster_dse.store.address import sqlite_address
from aster_dse.store.errors import DatabaseGoneError


def delete(path: Path, _other: Path) -> None:
    path.unlink()


def delete_all_files(path: Path, _other: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def replace(path: Path, other: Path) -> None:
    other.rename(path)


def move(path: Path, _other: Path) -> None:
    path.rename(path.with_name("moved.db"))


@pytest.fixture
def other(sqlite_template: Path, tmp_path: Path) -> Path:
    """Another database of the same schema."""
    path = Path(shutil.copy(sqlite_template, tmp_path / "other.db"))
    with StudyStore(f"sqlite:///{path}") as store:
        create_study(store)
    return path


@pytest.mark.parametrize("what", [delete, delete_all_files, replace, move])
def test_the_next_write_says_that_the_file_is_gone_and_where_its_copy_is(
    what: Callable[[Path, Path], None], sqlite_url: str, other: Path, tmp_path: Path
) -> None:
    path = tmp_path / "aster.db"
    with StudyStore(sqlite_url) as store:
        study = create_study(store)
        finish(store, study, 0)
        begin(store, study, 1)
        what(path, other)
        with pytest.raises(DatabaseGoneError) as caught:
            store.finish_trial(study.id, result(1), [0])
        assert caught.value.exit_code == 5
        copy = caught.value.copy
        assert copy == tmp_path / "aster.rescued.db"
        assert f"--storage {sqlite_address(copy)}" in str(caught.value)
        assert "\n" not in str(caught.value)
        # Whatever else is written by then is in the copy too.
        with pytest.raises(DatabaseGoneError) as again:
            begin(store, study, 2)
        assert again.value.copy == copy
    with StudyStore(sqlite_address(copy)) as saved:
        assert [trial.state for trial in saved.trials(study.id)] == ["complete", "complete", "running"]
        assert len(saved.evaluations(study.id)) == 8


def test_a_file_that_is_gone_is_not_made_anew_by_another_thread(sqlite_url: str, tmp_path: Path) -> None:
    """Its connection is a new one."""
    with StudyStore(sqlite_url) as store:
        study = create_study(store)
        with suppress(DatabaseGoneError), store._database.reading():
            (tmp_path / "aster.db").unlink()
            with pytest.raises(DatabaseGoneError):
                store.study(study.name)
        assert not (tmp_path / "aster.db").exists()


def test_a_copy_is_made_elsewhere_where_the_folder_is_gone(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, here = tmp_path / "folder", tmp_path / "here"
    folder.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    shutil.copy(sqlite_template, folder / "aster.db")
    with StudyStore(f"sqlite:///{folder}/aster.db") as store:
        study = create_study(store)
        shutil.rmtree(folder)
        with pytest.raises(DatabaseGoneError, match=r"here/aster.rescued.db"):
            begin(store, study, 0)
    with StudyReader(f"sqlite:///{here}/aster.rescued.db") as reader:
        assert len(reader.trials(study.id)) == 1


@pytest.mark.parametrize("what", ["another database", "an older copy", "nothing", "text"])
def test_a_file_that_is_overwritten_in_place_is_noticed(
    what: str, sqlite_url: str, other: Path, tmp_path: Path
) -> None:
    path = tmp_path / "aster.db"
    with StudyStore(sqlite_url) as store:
        study = create_study(store)
    contents = {"another database": other, "an older copy": path}
    content = contents[what].read_bytes() if what in contents else what.encode() * 2000 * (what == "text")
    with StudyStore(sqlite_url) as store:
        finish(store, study, 0)
    with StudyStore(sqlite_url) as store:
        finish(store, study, 1)
        path.write_bytes(content)
        with pytest.raises(UnreachableError) as caught:
            finish(store, study, 2)
        assert caught.value.exit_code == 5
        assert "\n" not in str(caught.value)


def test_writes_that_are_undone_and_writes_of_others_are_no_alarm(sqlite_url: str) -> None:
    with StudyStore(sqlite_url) as store, StudyStore(sqlite_url) as other:
        study = create_study(store)
        for number in range(4):
            with pytest.raises(NotFoundError):
                store.requeue(study.id, 99)
            begin(other if number % 2 else store, study, number)
            with pytest.raises(ExistsError):
                create_study(other)
        assert len(store.trials(study.id)) == 4


def test_a_reader_follows_to_the_file_that_is_there(sqlite_url: str, other: Path, tmp_path: Path) -> None:
    with StudyStore(sqlite_url) as store:
        create_study(store, "first")
    with StudyReader(sqlite_url) as reader:
        assert [study.name for study in reader.studies()] == ["first"]
        other.rename(tmp_path / "aster.db")
        assert [study.name for study in reader.studies()] == ["digits"]
        (tmp_path / "aster.db").unlink()
        with pytest.raises(NotFoundError, match="no such file"):
            reader.studies()


def empty(path: Path) -> None:
    path.touch()


def killed_while_making_it(path: Path) -> None:
    script = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")  # so that pages reach the file before the end
connection.execute("BEGIN IMMEDIATE")
connection.execute("CREATE TABLE t (x)")
for _ in range(100):
    connection.execute("INSERT INTO t VALUES (randomblob(1000))")
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert path.stat().st_size > 0
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        sqlite3.connect(f"file:{path}?mode=ro", uri=True).execute("SELECT * FROM t")


def killed_before_its_first_table(path: Path) -> None:
    script = "import os, sqlite3, sys\nconnection = sqlite3.connect(sys.argv[1])\n"
    script += "connection.execute('PRAGMA journal_mode = WAL')\nos._exit(9)"
    subprocess.run([sys.executable, "-c", script, str(path)], check=False)


def stored(folder: Path) -> dict[str, bytes]:
    """What the files hold, but for SQLite's index of its log; an empty log is as good as none."""
    kept = {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.endswith("-shm")}
    return {name: content for name, content in kept.items() if content or not name.endswith("-wal")}


@pytest.mark.parametrize("made", [empty, killed_while_making_it, killed_before_its_first_table])
def test_a_file_in_which_nothing_was_stored_has_no_studies(
    made: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "aster.db"
    made(path)
    before = stored(tmp_path)
    with pytest.raises(NotFoundError, match="there are no studies of aster-dse here") as caught:
        StudyReader(f"sqlite:///{path}")
    assert caught.value.exit_code == 3
    assert stored(tmp_path) == before
    with StudyStore(f"sqlite:///{path}") as store:
        create_study(store)
    assert os.listdir(tmp_path) == ["aster.db"]
