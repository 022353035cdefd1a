"""Who only estimates hardware installs neither torch, Ray nor Dash; what is missing is said in one line."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from declared_environment import link_environment

pytestmark = pytest.mark.xdist_group("wheel")  # built once
ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("aster_dse", "workers", "dashboard", "search_spaces", "tests/workers")


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python with the wheel and what it requires without any extra."""
    return link_environment(tmp_path_factory.mktemp("bare"), wheel)


def run(python: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(python), "-P", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def aster(python: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(python, folder, "-m", "aster_dse", *words)


@pytest.mark.parametrize("command", ["hardware estimate", "hardware compare", "spaces"])
def test_hardware_is_estimated_without_any_extra(bare: Path, tmp_path: Path, command: str) -> None:
    for absent in ("torch", "ray", "dash", "optuna", "sqlalchemy", "plotly"):
        assert not list(bare.parents[1].glob(f"lib/python*/site-packages/{absent}"))
    ran = aster(bare, tmp_path, *command.split())
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout


@pytest.mark.parametrize(
    ("command", "extra", "package"),
    [
        ("search digits_dvs", "search", "ray[default]"),
        ("resume s", "search", "optuna"),
        ("dashboard", "dashboard", "dash"),
        ("studies", "store", "sqlalchemy"),
        ("train digits-dvs", "networks", "torch"),
        ("hardware estimate -o x.png", "figures", "kaleido"),
    ],
)
def test_a_missing_extra_is_one_line(
    bare: Path, tmp_path: Path, command: str, extra: str, package: str
) -> None:
    ran = aster(bare, tmp_path, *command.split())
    assert ran.returncode == 2
    (line,) = ran.stderr.splitlines()
    assert line.startswith("aster-dse: error: ")
    assert f"the extra `{extra}`" in line
    remedy = line.partition("(pip install ")[2]
    assert re.search(rf"{re.escape(package)}[<>=]", remedy)
    assert "aster" not in remedy
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_says_what_is_missing(bare: Path, tmp_path: Path) -> None:
    ran = aster(bare, tmp_path, "doctor")
    assert "checks need attention: torch" in ran.stderr
    assert "pip install ray" in ran.stdout


@pytest.mark.parametrize(
    ("extra", "modules"),
    [
        ("search", "aster_dse.search.driver, aster_dse.workers.parallel, aster_dse.export.reproduce"),
        ("dashboard", "aster_dse.dashboard.app, aster_dse.dashboard.server"),
    ],
)
@pytest.mark.slow
def test_an_extra_is_complete(wheel: Path, tmp_path: Path, extra: str, modules: str) -> None:
    python = link_environment(tmp_path / extra, wheel, extra)
    ran = run(python, tmp_path, "-c", f"import {modules}")
    assert ran.returncode == 0, ran.stderr


def test_nothing_sends_people_to_a_package_index_for_this_package() -> None:
    """It is in none: who takes the name there would run code on the users' machines."""
    files = [ROOT / name for name in ("README.md", "Makefile", "ray_cluster.yaml")]
    for folder, endings in (("docs", "*.md"), ("benchmarks", "*.py"), *((name, "*.py") for name in PACKAGES)):
        files += (ROOT / folder).rglob(endings)
    pattern = re.compile(r"pip[^\n]* install\s[^`\n]*(?<![\w./~-])['\"]?aster[-_]dse(?![\w./*-])")
    assert [str(path) for path in files if pattern.search(path.read_text(encoding="utf-8"))] == []
