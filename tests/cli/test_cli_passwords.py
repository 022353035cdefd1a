"""No part of a password is printed, however the address around it is written."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from command_line import aster
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from aster_dse.errors import AsterError, InputError
from aster_dse.store import StudyReader
from aster_dse.store.database import Database

PARTS = ("Kq7x", "Wz3v", "Jh9y")
"""What a password is made of here, found in no message by accident."""

ADDRESSES = (
    *(
        f"{scheme}://user:{{}}@127.0.0.1:1/db"
        for scheme in ("postgresql", "postgres", "postgresql+psycopg", "mysql", "postgresq", "sqlite", "x+y")
    ),
    "postgresql:/user:{}@127.0.0.1:1/db",
    "postgresql:user:{}@127.0.0.1:1/db",
    "user:{}@127.0.0.1:1/db",
    " postgresql://user:{}@127.0.0.1:1/db",
    "postgresql://user:{}@127.0.0.1:port/db",
    "postgresql://user:{}@127.0.0.1:99999/db",
    "postgresql://user:{}@[::1/db",
    "postgresql://user:{}@::1/db",
    "postgresql://user:{}@127.0.0.1:1",
    "postgresql://user:{}@",
    "postgresql://user:{}/db",
    "postgresql://user:{}",
    "postgresql://:{}@127.0.0.1:1/db",
    "postgresql://us/er:{}@127.0.0.1:1/db",
    "postgresql://us@er:{}@127.0.0.1:1/db",
    "postgresql://user:{}@127.0.0.1:1/db?sslmode=disable",
    "postgresql://user@127.0.0.1:1/db?password={}",
    "postgresql://user@127.0.0.1:1/db?password={}&sslmode=disable",
    "postgresql://user:{}@127.0.0.1:1/db?pasword={}",
    "host=127.0.0.1 port=1 user=user password={}",
)

passwords = st.lists(st.text("@/%:#?[] &=+\\'\"", max_size=2), min_size=4, max_size=4).map(
    lambda gaps: gaps[0] + "".join(part + gap for part, gap in zip(PARTS, gaps[1:], strict=True))
)


def leaks(said: str) -> bool:
    return any(part in said for part in PARTS)


def reads_as_another_address(address: str, password: str) -> bool:
    """Without the host, a password with an @ and a / is a password, a host and a database."""
    return "@1" not in address and "@[" not in address and "@:" not in address and "@" in password


@given(address=st.sampled_from(ADDRESSES), password=passwords)
@example("postgresql://user:{}@127.0.0.1:1/db", "Kq7x@Wz3v/Jh9y")
@example("postgresql://user:{}@127.0.0.1:1/db", "Kq7x@Wz3v?Jh9y")
@example("postgresql://us/er:{}@127.0.0.1:1/db", "Kq7xWz3vJh9y")
@example("postgresql://user@127.0.0.1:1/db?password={}", "Kq7x&Wz3v=Jh9y")
@example("sqlite://user:{}@127.0.0.1:1/db", "Kq7xWz3vJh9y")
@settings(max_examples=150, deadline=None)
def test_no_part_of_a_password_is_shown(address: str, password: str) -> None:
    assume(not reads_as_another_address(address, password))
    url = address.format(password, password)
    with suppress(InputError):
        database = Database(url, read_only=True)
        assert not leaks(f"{database!r} {database.shown} {database._engine!r}")
    with pytest.raises(AsterError) as caught:
        StudyReader(url)
    assert not leaks(str(caught.value))
    assert "\n" not in str(caught.value)


@given(
    password=passwords,
    before=st.sampled_from(
        [["studies", "--storage"], ["studies"], ["status"], ["resume"], ["space", "check"], ["search"]]
    ),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_part_is_repeated_from_where_no_address_belongs(
    before: list[str], password: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = aster(*before, f"postgresql://user:{password}@127.0.0.1:1/db")
    assert ran.code in (2, 3, 5)
    assert not leaks(ran.out + ran.err)
    assert ran.complaint


@given(password=passwords)
@settings(max_examples=12, deadline=None)
def test_no_part_is_repeated_where_the_shell_splits_an_address(password: str) -> None:
    assume("\\" not in password and "'" not in password and '"' not in password)
    ran = aster("studies", "--storage", *f"postgresql://user:{password}@127.0.0.1:1/db".split())
    assert ran.code in (2, 5)
    assert not leaks(ran.out + ran.err)


@pytest.mark.parametrize(
    "password", ["p%40ss", "p/w:0rd%", "a b", "#1?", "[x]", "p%2Fw", "ünï", "host", "e", "x=1&y"]
)
def test_what_can_be_read_in_one_way_is_taken(password: str) -> None:
    database = Database(f"postgresql://user:{password}@127.0.0.1:1/db")
    assert database.shown == "postgresql+psycopg://user:***@127.0.0.1:1/db"
    with pytest.raises(AsterError, match="Connection refused"):
        StudyReader(f"postgresql://user:{password}@127.0.0.1:1/db")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://localhost/db",
        "postgresql://user@localhost:5432/db",
        "postgresql:///db?host=/var/run/postgresql",
        "postgresql://user@a,b:5432/db",
        "postgresql://user:p@[::1]:5432/db",
        "postgresql://user@db-1.example.org/db?sslmode=require&application_name=x",
        "postgresql://?service=ours",
    ],
)
def test_usual_addresses_are_taken(url: str) -> None:
    assert Database(url).shown.startswith("postgresql+psycopg://")


def test_the_advice_names_the_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = aster("studies", "--storage", "postgresql://user:p@ss@127.0.0.1:1/db")
    assert ran.code == 2
    assert "@ as %40" in ran.complaint


def test_doctor_says_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = aster("doctor", "--json", "--storage", "postgresql://user:Kq7x@Wz3v/Jh9y@127.0.0.1:1/db")
    assert ran.code == 1
    assert "storage" in [check["check"] for check in ran.document if not check["ok"]]
    assert not leaks(ran.out + ran.err)
