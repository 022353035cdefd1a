"""Addresses of databases: what is accepted, what is told when it fails, and what is never told."""

from __future__ import annotations

import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from aster_dse.errors import AsterError, InputError, UnreachableError
from aster_dse.store import StudyReader, StudyStore, upgrade
from aster_dse.store.database import Database

SECRET = "p/w:0rd%"
QUOTED = "p%2Fw%3A0rd%25"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("aster.db", "no database URL"),
        ("", "no database URL"),
        (f"postgresql://u:{SECRET}@host:port/x", "no database URL"),
        ("mysql://localhost/x", "mysql is not supported"),
        ("postgresql+psycopg2://localhost/x", "psycopg2 is not supported"),
        ("nonsense+driver://localhost/x", "is not supported"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite:///file:x.db?uri=true", "needs a file"),
    ],
)
@pytest.mark.parametrize("use", [StudyStore, StudyReader, upgrade])
def test_what_is_no_usable_address_is_told_with_the_remedy(url: str, problem: str, use: type) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        use(url)
    assert "sqlite:///FILE or postgresql+psycopg://" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_means_the_driver_that_ships(scheme: str) -> None:
    assert Database(f"{scheme}://u@host/x").shown == "postgresql+psycopg://u@host/x"


def test_a_password_is_never_shown() -> None:
    for url in (
        f"postgresql://u:{QUOTED}@host/x",
        f"postgresql://u@host/x?password={QUOTED}",
        f"postgresql://u@host/x?sslpassword={QUOTED}&sslmode=require",
    ):
        database = Database(url)
        said = f"{database!r} {database.shown} {database._engine!r}"
        assert SECRET not in said
        assert QUOTED not in said
        assert "u@host" in said or "u:***@host" in said


@pytest.mark.parametrize("use", [StudyStore, StudyReader, upgrade])
def test_a_server_that_is_not_there_is_told_without_the_password(use: type) -> None:
    with pytest.raises(UnreachableError) as caught:
        use(f"postgresql://u:{QUOTED}@127.0.0.1:1/x")
    said = "".join(traceback.format_exception(caught.value))
    assert SECRET not in said
    assert QUOTED not in said.split("use(f")[0]
    assert "postgresql+psycopg://u:***@127.0.0.1:1/x" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("change", [{"password": SECRET}, {"username": SECRET}, {"database": "absent"}])
def test_a_server_that_refuses_is_told_without_the_password(
    postgres_url: str, change: dict[str, str]
) -> None:
    url = make_url(postgres_url).set(password=SECRET).set(**change)
    with pytest.raises(UnreachableError) as caught:
        StudyStore(url.render_as_string(hide_password=False))
    assert "\n" not in str(caught.value)
    if "username" not in change:
        assert SECRET not in str(caught.value)
    assert "authentication failed" in str(caught.value) or "does not exist" in str(caught.value)


def test_a_store_shows_where_it_is_and_no_more(postgres_url: str) -> None:
    with StudyStore(postgres_url) as store:
        assert store.url in repr(store)
        assert ":***@" in store.url
        password = make_url(postgres_url).password
        assert password is not None
        assert password not in repr(vars(store))


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="folder of the file does not exist"):
        StudyStore(f"sqlite:///{tmp_path}/absent/x.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("use", [StudyStore, StudyReader, upgrade])
def test_a_file_of_another_kind_is_told_and_kept(tmp_path: Path, use: type) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database\n" * 100, encoding="utf-8")
    with pytest.raises(UnreachableError, match="not a database"):
        use(f"sqlite:///{path}")
    assert path.read_text(encoding="utf-8") == "no database\n" * 100


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(AsterError, match="unable to open"):
        StudyStore(f"sqlite:///{tmp_path}")


def test_the_store_is_light_to_import() -> None:
    heavy = "{'torch', 'ray', 'optuna', 'dash', 'plotly', 'sklearn', 'pandas', 'alembic', 'psycopg'}"
    script = f"import sys, aster_dse.store; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
