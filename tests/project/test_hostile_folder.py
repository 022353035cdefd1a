"""The installed program in a working directory with files of the same names as its modules."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.request
from pathlib import Path

import pytest
from hostile_folder import make_hostile

pytestmark = pytest.mark.xdist_group("wheel")  # built once
SPACE = """\
name: tiny
workload: {name: digits-dvs, resolution: 16, timesteps: 2}
network: {width: 8, depth: 1}
training: {epochs: 1, learning_rate: {low: 0.005, high: 0.02, log: true}}
policy: {exit_threshold: {low: 0.2, high: 0.9999999, scale: neglog10}}
objectives: {accuracy: max, energy_uj: min}
search: {trials: 2, inner: 500, seed: 1}
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = make_hostile(tmp_path / "hostile")
    (folder / "tiny.yaml").write_text(SPACE)
    return folder


def environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept | {"OMP_NUM_THREADS": "1"} | variables


def run(here: Path, *words: object, **variables: str) -> str:
    """Standard output of a command that ends well."""
    ran = subprocess.run(
        list(map(str, words)),
        cwd=here,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_what_is_shipped_is_found_and_costs_are_estimated(installed: Path, here: Path) -> None:
    assert "digits_dvs" in run(here, installed / "aster-dse", "spaces")
    assert "energy" in run(here, installed / "aster-dse", "hardware", "estimate")


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        (["-P"], {}),
        ([], {"PYTHONSAFEPATH": "1"}),
    ],
)
def test_as_a_module_it_is_safe_where_python_is_told_so(
    installed: Path, here: Path, options: list[str], variables: dict[str, str]
) -> None:
    command = [installed / "python", *options, "-m", "aster_dse", "hardware", "estimate"]
    assert "energy" in run(here, *command, **variables)


def test_as_a_module_it_takes_only_itself_from_the_working_directory(installed: Path, here: Path) -> None:
    (here / "aster_dse").rename(here / "mine")
    assert "energy" in run(here, installed / "python", "-m", "aster_dse", "hardware", "estimate")


def test_an_empty_element_of_pythonpath_is_not_the_working_directory(installed: Path, here: Path) -> None:
    for name in ("aster_dse", "random.py", "platform.py"):
        (here / name).rename(here / f"mine-{name}")  # Python itself, and the script, would import those first
    command = (installed / "aster-dse", "hardware", "estimate")
    assert "energy" in run(here, *command, PYTHONPATH=f":{here.parent}")


@pytest.mark.slow
def test_search_export_and_dashboard(installed: Path, here: Path) -> None:
    program = installed / "aster-dse"
    run(here, program, "search", "tiny.yaml", "--study", "s", "--workers", "2")
    trials = json.loads(run(here, program, "trials", "s", "--json"))
    assert [trial["state"] for trial in trials] == ["complete", "complete"]
    run(here, program, "export", "s", "--select", "pareto", "-o", "best.yaml")
    assert "energy_uj" in (here / "best.yaml").read_text()
    serving = subprocess.Popen(
        [program, "dashboard", "--port", "0"],
        cwd=here,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert serving.stdout is not None
        link = re.search(r"http://\S+", serving.stdout.readline())
        assert link is not None
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        page = browser.open(link.group()).read().decode()
        assert "ASTER-DSE" in page
    finally:
        serving.terminate()
        assert str(here) not in serving.communicate(timeout=60)[1]
