"""The wheel holds all that a user needs who has no checkout, as one package."""

from __future__ import annotations

import ast
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("wheel")  # built once
ROOT = Path(__file__).resolve().parents[2]
LINKED = ("workers", "dashboard", "search_spaces")
"""Folders beside the package in the repository, inside it where it is installed."""


def files_in(folder: Path, name: str) -> set[str]:
    """Files below a folder, as they are called below ``name``."""
    return {
        str(Path(name) / path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }


def test_it_holds_the_linked_folders_and_installs_one_package(wheel: Path) -> None:
    shipped = files_in(ROOT / "aster_dse", "aster_dse")
    for name in LINKED:
        shipped |= files_in(ROOT / name, f"aster_dse/{name}")
    names = set(zipfile.ZipFile(wheel).namelist())
    metadata = wheel.name.split("-py3")[0] + ".dist-info"
    assert {name for name in names if not name.startswith(f"{metadata}/")} == shipped


@pytest.mark.parametrize("name", LINKED)
def test_a_linked_folder_is_a_link(name: str) -> None:
    """A copy in its place would be shipped, and the folder that people edit would not."""
    link = ROOT / "aster_dse" / name
    assert link.is_symlink()
    assert link.resolve() == ROOT / name


def test_nothing_imports_a_linked_folder_by_its_bare_name() -> None:
    """A checkout has them on Python's path, an installed program has not, and a user's folder may."""
    found = []
    for folder in ("aster_dse", *LINKED, "tests", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    modules = [node.module]
                found += [f"{path}: {name}" for name in modules if name.split(".")[0] in LINKED]
    assert found == []
