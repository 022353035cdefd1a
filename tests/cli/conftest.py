"""One small real search for all tests that only look at it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import SPACE, Home, Ran
from network_commands import small_training


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ASTER_DSE_STORAGE", "ASTER_DSE_ARTIFACTS", "ASTER_DSE_DEBUG", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A folder with a space file and nothing searched."""
    (tmp_path / "tiny.yaml").write_text(SPACE, encoding="utf-8")
    return Home(tmp_path)


@pytest.fixture(scope="session")
def first_search(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Ran]:
    """A finished search of two trials, and what it printed with ``--json``."""
    folder = tmp_path_factory.mktemp("searched")
    (folder / "tiny.yaml").write_text(SPACE, encoding="utf-8")
    home = Home(folder)
    return home, home.search("--study", "s", "--json")


@pytest.fixture(scope="session")
def searched(first_search: tuple[Home, Ran]) -> Home:
    """The folder of a finished search, to be looked at and not changed."""
    return first_search[0]


@pytest.fixture
def continued(searched: Home, tmp_path: Path) -> Home:
    """A copy of it, to do with as one likes."""
    return Home(Path(shutil.copytree(searched.folder, tmp_path / "copy")))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small network trained on digits-dvs, to be looked at and not changed."""
    folder = tmp_path_factory.mktemp("trained") / "network"
    ran = small_training(folder)
    assert ran.code == 0, ran.err
    return folder
