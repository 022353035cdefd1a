from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aster_dse.workers.cluster import local_cluster


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """One local cluster of two workers for all tests of a process: to start one takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # workers import the tests' jobs
        with local_cluster(2, object_store_mib=80):
            yield
