"""What is exported comes back when it is evaluated again from nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from command_line import Home, aster


@pytest.fixture(scope="module")
def exported(searched: Home) -> Path:
    """The best of the search in a file."""
    file = searched.folder / "best.yaml"
    ran = searched.aster(
        "export", "s", "--select", "knee,best:energy_uj,best:accuracy,best:area_mm2", "-o", file
    )
    assert (ran.code, ran.out) == (0, "")
    return file


def test_exported_points_have_a_test_figure_with_its_interval(exported: Path) -> None:
    for point in yaml.safe_load(exported.read_text("utf-8"))["points"]:
        test = point["test"]
        assert test["low"] <= test["accuracy"] <= test["high"]
        assert (test["samples"], test["confidence"]) == (299, 0.95)


def test_without_a_file_it_goes_to_stdout(searched: Home) -> None:
    ran = searched.aster("export", "s", "--select", "knee", "--format", "json")
    assert len(ran.document["points"]) == 1


def test_the_format_is_what_the_name_says(searched: Home, tmp_path: Path) -> None:
    for name, begin in (("a.json", "{"), ("a.csv", "study,trial"), ("a.yml", "# Config")):
        searched.aster("export", "s", "--select", "knee", "-o", tmp_path / name)
        assert (tmp_path / name).read_text("utf-8").startswith(begin)


def test_networks_that_are_elsewhere_leave_no_test_figure(searched: Home, tmp_path: Path) -> None:
    ran = searched.aster("export", "s", "--format", "json", "--artifacts", tmp_path)
    assert {point["test"] for point in ran.document["points"]} == {None}


def test_everything_comes_back(exported: Path) -> None:
    ran = aster("reproduce", exported, "--json")
    assert ran.code == 0
    document = ran.document
    assert document["agrees"]
    assert document["stored"].keys() == document["now"].keys() == document["relative_difference"].keys()
    for name, stored in document["stored"].items():
        assert document["now"][name]["accuracy"] == stored["accuracy"]
        assert max(document["relative_difference"][name].values()) <= 1e-9
    assert len(document["points"]) == len(document["stored"])


def test_one_point_is_an_object_and_a_difference_ends_with_1(exported: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(exported.read_text("utf-8"))
    del content["sha256"]
    content["points"][0]["metrics"]["energy_uj"] *= 1.5
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps(content), encoding="utf-8")
    ran = aster("reproduce", forged, "--point", 0, "--json")
    assert ran.code == 1
    assert ran.document["relative_difference"]["energy_uj"] == pytest.approx(1 / 3)
    assert ran.document["relative_difference"]["accuracy"] == 0.0
    assert not ran.document["agrees"]
    assert "1 of 1 configurations came out differently" in ran.complaint


@pytest.mark.parametrize(
    ("words", "code"),
    [(["none.yaml"], 3), (["FILE", "--point", "99"], 2), (["FILE", "--point", "0", "--points", "1"], 2)],
    ids=str,
)
def test_what_cannot_be_reproduced(words: list[str], code: int, exported: Path) -> None:
    ran = aster("reproduce", *[exported if word == "FILE" else word for word in words])
    assert (ran.code, ran.out) == (code, "")
    assert ran.complaint
