"""The wheel holds all that a user needs who has no checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_contents(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="the build back end comes with the test extra")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "--no-index",
            "--wheel-dir",
            str(tmp_path),
            str(ROOT),
        ],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("aster_dse-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    packages = ("aster_dse", "workers", "dashboard", "search_spaces")
    shipped = [
        str(path.relative_to(ROOT))
        for package in packages
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    ]
    assert {name for name in shipped if name not in names} == set()
    assert {name.split("/")[0] for name in names} <= {*packages, wheel.name.split("-py3")[0] + ".dist-info"}
