"""A real store, and applications over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from aster_dse.dashboard.access import Access
from aster_dse.dashboard.app import build_app
from aster_dse.store import StudyReader, StudyStore

TOKEN = "a token of twenty-six characters"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'studies.db'}"


@pytest.fixture
def store(url: str) -> Iterator[StudyStore]:
    with StudyStore(url) as opened:
        yield opened


@pytest.fixture
def reader(store: StudyStore, url: str) -> Iterator[StudyReader]:
    assert store.studies() == []
    with StudyReader(url) as opened:
        yield opened


@pytest.fixture
def stranger(reader: StudyReader) -> FlaskClient:
    """A browser that has not signed in."""
    return build_app(reader, Access(TOKEN)).server.test_client()


@pytest.fixture
def visitor(stranger: FlaskClient) -> FlaskClient:
    """A browser that has."""
    answer = stranger.post("/sign-in", data={"token": TOKEN}, headers={"Origin": "http://localhost"})
    assert answer.status_code == 200
    return stranger
