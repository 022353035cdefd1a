"""Databases for the tests: a SQLite file or a PostgreSQL database of its own for each test that asks."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

USER, PASSWORD = "aster", "s3cr@t/word"


@dataclass(frozen=True)
class PostgresServer:
    """A PostgreSQL server on a loopback port, for this process of the test run."""

    port: int

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{database}"

    def create(self, template: str = "template0") -> str:
        name = f"t{uuid.uuid4().hex[:16]}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)


def _binaries() -> Path | None:
    """The newest PostgreSQL that has both programs."""
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(installed, key=lambda path: float(path.parent.name), reverse=True)
    on_path = [Path(found).parent for found in [shutil.which("initdb")] if found]
    for folder in [*newest, *on_path]:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    return None


def _unprivileged() -> dict[str, int | list[int]]:
    """Arguments of a subprocess that PostgreSQL, which refuses to run as root, can run in."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    raise RuntimeError("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real server, started once per test process; skipped where PostgreSQL is not installed."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL's initdb and pg_ctl are not installed")
    account = _unprivileged()
    # Not pytest's own folder, which no other user may enter.
    root = Path(tempfile.mkdtemp(prefix="aster-pg-", dir="/tmp"))
    data, log, secret = root / "data", root / "log", root / "password"
    secret.write_text(PASSWORD + "\n", encoding="utf-8")
    if account:
        for path in (root, secret):
            os.chown(path, int(str(account["user"])), int(str(account["group"])))

    def run(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(binaries / program), "-D", str(data), *arguments],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **account,  # type: ignore[call-overload]
        )
        if done.returncode:
            said = log.read_text(encoding="utf-8") if log.exists() else ""
            raise RuntimeError(f"{program} failed: {done.stdout}\n{said}")

    try:
        run(
            "initdb", "-U", USER, f"--pwfile={secret}", "--auth=scram-sha-256",
            "--encoding=UTF8", "--locale=C", "--no-sync",
        )  # fmt: skip
        server = PostgresServer(_free_port())
        settings = {
            "port": server.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            # Nothing here has to survive a power cut.
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "32MB",
        }
        with (data / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.writelines(f"{key} = '{value}'\n" for key, value in settings.items())
        # Its output goes to the log: a server that inherited our pipe would keep it open for ever.
        run("pg_ctl", "start", "-w", "-t", "60", "-l", str(log))
        try:
            yield server
        finally:
            run("pg_ctl", "stop", "-w", "-m", "immediate")
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    from aster_dse.store import upgrade

    name = postgres_server.create()
    upgrade(postgres_server.url(name))
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from aster_dse.store import upgrade

    path = tmp_path_factory.mktemp("template") / "template.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A SQLite database with the tables and nothing in them."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'aster.db')}"


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """A PostgreSQL database with the tables and nothing in them."""
    name = postgres_server.create(postgres_template)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A PostgreSQL database without a table."""
    name = postgres_server.create()
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Whoever asks is run once on each kind of database."""
    kind: str = request.param
    return kind


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest) -> str:
    """A database with the tables and nothing in them, of each kind in turn."""
    url: str = request.getfixturevalue("sqlite_url" if backend == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def empty_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without a table, of each kind in turn; for SQLite a file yet to be made."""
    if backend == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url
