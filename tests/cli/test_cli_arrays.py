"""A search on real arrays from the command line: what is printed, exported and computed again."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
import yaml
from command_line import Home, Ran, aster

SPACE = """\
name: arrays
workload: {name: digits-dvs, resolution: 8, timesteps: 2}
network: {width: 8, depth: 1, pooling: "1000", stem: "4-2-1-1"}
training: {epochs: 2, warmup_epochs: 0.5, bn_weight_init: 2.0, learning_rate: {choices: [0.02, 0.03]}}
policy: {exit_threshold: {low: 0.2, high: 0.99}}
hardware: {arrays: real, conditions: variation=0.1, chips: 2, adc_levels: {choices: [4, 32]}}
objectives: {accuracy: max, energy_uj: min}
constraints: ["area_mm2 <= 50"]
search: {trials: 1, inner: 500, seed: 1}
"""


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Ran]:
    folder = tmp_path_factory.mktemp("arrays")
    (folder / "tiny.yaml").write_text(SPACE, encoding="utf-8")
    home = Home(folder)
    return home, home.search("--study", "r", "--json")


@pytest.fixture(scope="module")
def real(first: tuple[Home, Ran]) -> Home:
    return first[0]


@pytest.fixture
def copy(real: Home, tmp_path: Path) -> Home:
    """To do with as one likes."""
    return Home(Path(shutil.copytree(real.folder, tmp_path / "copy")))


@pytest.fixture(scope="module")
def exported(real: Home) -> Path:
    file = real.folder / "front.yaml"
    assert real.aster("export", "r", "-o", file).code == 0
    return file


def test_a_search_says_how_many_classes_and_passes_were_run(first: tuple[Home, Ran]) -> None:
    home, ran = first
    assert ran.code == 0, ran.err
    document = ran.document
    assert 1 <= document["array_classes"] <= 2
    # Two chips for each class to choose on, two to verify on.
    assert document["array_classes"] < document["passes_made"] / 2 <= 2 * document["array_classes"]
    assert {point["arrays"] for point in document["pareto"]} == {"real"}
    assert f"best on arrays {document['pareto'][0]['metrics']['accuracy']:.4g}" in ran.err
    again = home.search("--study", "r")
    assert "classes of arrays run" not in again.out
    assert "accuracy ideal" in again.out
    assert "accuracy of real arrays, cells with variation=0.1, mean over 2 chips, verified" in again.out


def test_what_is_shown_says_which_accuracy_it_is(real: Home) -> None:
    said = "accuracy of real arrays, cells with variation=0.1, mean over 2 chips, verified"
    for words in (("pareto", "r"), ("show", "r", 0), ("status", "r"), ("trials", "r")):
        assert said in real.aster(*words).out, words
    (row,) = real.aster("trials", "r", "--json").document
    front = real.aster("pareto", "r", "--json").document
    best = max(front, key=lambda point: point["metrics"]["accuracy"])
    assert row["accuracy"] == best["metrics"]["accuracy"]
    assert row["passes"]["passes_failed"] == []
    facts = real.aster("show", "r", 0, "--json").document
    kinds = {file["kind"] for file in facts["artifacts"]}
    assert kinds == {"checkpoint", "trace", "pass", "calibration"}
    shown = real.aster("show", "r", 0).out
    assert "passes: " in shown
    assert "pass files: " in shown
    status = real.aster("status", "r", "--json").document
    assert (status["arrays"], status["passes_made"]) == ("real", row["passes"]["passes_made"])
    low, high = best["accuracy_interval"]
    assert low < best["metrics"]["accuracy"] < high


def test_an_export_states_chips_calibration_and_the_test_split_through_the_arrays(exported: Path) -> None:
    for point in yaml.safe_load(exported.read_text("utf-8"))["points"]:
        assert point["arrays"] == {
            "conditions": "variation=0.1",
            "chips": 2,
            "first_chip": 2,
            "calibration_set": 1,
            "selection_calibration_set": 0,
            "numerics_version": 1,
        }
        test = point["test"]
        assert (test["samples"], test["chips"]) == (299, 2)
        assert test["accuracy_min"] <= test["accuracy"]
        assert test["low"] < test["accuracy"] < test["high"]
        assert 0.0 <= test["accuracy_ideal"] <= 1.0


def test_a_table_has_them_in_columns(real: Home) -> None:
    ran = real.aster("export", "r", "--format", "csv")
    for row in csv.DictReader(io.StringIO(ran.out)):
        assert (row["arrays"], row["arrays_chips"], row["test_chips"]) == ("real", "2", "2")


def test_everything_comes_back_the_test_split_too(exported: Path) -> None:
    ran = aster("reproduce", exported, "--point", 0, "--json")
    assert ran.code == 0, ran.err
    document = ran.document
    assert {"accuracy_std", "chip_yield", "test_accuracy", "test_accuracy_ideal"} <= document["now"].keys()
    assert set(document["relative_difference"].values()) == {0.0}


def test_what_another_version_of_the_numerics_computed_is_not_compared(
    exported: Path, tmp_path: Path
) -> None:
    content = yaml.safe_load(exported.read_text("utf-8"))
    content["points"][0]["arrays"]["numerics_version"] = 99
    del content["sha256"]  # of what it was
    other = tmp_path / "other.json"
    other.write_text(json.dumps(content), encoding="utf-8")
    ran = aster("reproduce", other, "--point", 0)
    assert (ran.code, ran.out) == (2, "")
    assert "arrays.numerics_version: 99" in ran.complaint


def test_other_seeds_are_judged_on_real_arrays_too(real: Home) -> None:
    (found,) = real.aster("repeat", "r", "--seeds", 1, "--workers", 0, "--json").document["configurations"]
    (row,) = found["repeats"]
    assert row["metrics"]["accuracy_min"] <= row["metrics"]["accuracy"]
    # The two chips that the searched network was verified on.
    assert len(list(real.folder.glob(f"*/{row['training_key']}/pass-*.npz"))) == 2


def test_only_networks_are_taken_to_begin_with(copy: Home) -> None:
    ideal = ("--set", "hardware.arrays=ideal", "--set", "hardware.conditions=none")
    ideal = (*ideal, "--set", "hardware.chips=null", "--json")
    ran = copy.search("--study", "i", "--start-from", "r", *ideal)
    assert ran.code == 0, ran.err
    assert "begins with 1 networks of r; policies and accelerators are not taken" in ran.err
    assert (ran.document["trainings_reused"], ran.document["passes_made"]) == (1, 0)
    assert {point["arrays"] for point in ran.document["pareto"]} == {"ideal"}
    assert "accuracy of ideal arrays: that of the plain network" in copy.aster("pareto", "i").out
    refused = copy.search("--study", "r", *ideal, "--extend")
    assert refused.code == 2
    assert "hardware.arrays: real -> ideal" in refused.complaint


def test_files_that_no_study_uses_are_told(copy: Home) -> None:
    before = copy.aster("doctor", "--json").document
    (line,) = [check for check in before if check["check"] == "trained networks"]
    assert " passes" in line["detail"]
    assert "no study uses" not in line["detail"]
    deleted = copy.aster("delete", "r", "--yes", "--json").document
    assert deleted["unused_files"]["pass"]["files"] >= 4
    assert {"calibration", "lock", "checkpoint", "trace"} <= deleted["unused_files"].keys()
    (line,) = [c for c in copy.aster("doctor", "--json").document if c["check"] == "trained networks"]
    assert "no study uses" in line["detail"]
