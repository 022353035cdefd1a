"""Commands to try next can be typed as they are printed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from aster_dse.commands import command


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "my tools" / "aster-dse"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_by_its_path_where_the_shell_would_not_find_it(
    program: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command("studies") == f"'{program}' studies"
    assert command("studies", anywhere=True) == "aster-dse studies"


def test_by_its_name_where_it_is_on_the_path(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", str(program.parent))
    assert command("studies") == "aster-dse studies"


def test_by_its_name_where_it_was_not_called_as_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["-c"])
    assert command("studies") == "aster-dse studies"
