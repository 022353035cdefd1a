"""A store on each kind of database, and one study in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from store_examples import create_study

from aster_dse.store import StudyRow, StudyStore


@pytest.fixture
def store(database_url: str) -> Iterator[StudyStore]:
    with StudyStore(database_url) as opened:
        yield opened


@pytest.fixture
def study(store: StudyStore) -> StudyRow:
    return create_study(store)
