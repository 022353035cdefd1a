from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hostile_folder import make_hostile

from aster_dse.workers.cluster import local_cluster


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where clusters are started: modules there must not be taken for those that are installed."""
    return make_hostile(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="session")
def ray_cluster(hostile: Path) -> Iterator[None]:
    """One local cluster of two workers for all tests of a process: to start one takes seconds."""
    with ExitStack() as cluster:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # workers import the tests' jobs
            patch.chdir(hostile)
            cluster.enter_context(local_cluster(2, object_store_mib=80))
        yield
