"""evaluate, sweep, hardware sweep, hardware estimate and show, of networks as real arrays compute them."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command_line import Home, aster
from network_commands import OFFICIAL

DESIGN = ("--set", "hardware.rows=32", "--set", "hardware.adc_levels=8", "--set", "hardware.adc_range=mse")
FEW = ("--set", "hardware.validation_samples=60")
STUDY = """\
name: real
workload: {name: digits-dvs, resolution: 16, timesteps: 2}
network: {width: 8, depth: 1}
training: {epochs: 2, learning_rate: {low: 0.005, high: 0.02, log: true}}
policy: {exit_threshold: {low: 0.2, high: 0.9999999, scale: neglog10}}
hardware:
  arrays: real
  validation_samples: 50
  adc_range: mse
  rows: {choices: [32, 64]}
  layers: "head: compute=digital weight_bits=16"
objectives: {accuracy: max, energy_uj: min}
search: {trials: 1, inner: 100, seed: 1}
"""


@pytest.fixture(scope="module")
def network(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the trained network, beside which passes may lie."""
    return Path(shutil.copytree(trained, tmp_path_factory.mktemp("arrays") / "network"))


@pytest.fixture(scope="module")
def evaluated(network: Path) -> dict[str, Any]:
    ran = aster("evaluate", network, "--arrays", "real", *DESIGN, "--exit-threshold", 0.6, "--json")
    assert ran.code == 0, ran.err
    document: dict[str, Any] = ran.document
    return document


def test_evaluate_gives_the_arrays_accuracy_and_the_plain_networks(
    network: Path, evaluated: dict[str, Any]
) -> None:
    plain = aster("evaluate", network, "--exit-threshold", 0.6, "--json").document
    assert evaluated["accuracy_ideal"] == plain["accuracy"]
    assert (evaluated["arrays"], evaluated["chips"], evaluated["accuracy_std"]) == ("real", 1, 0.0)
    assert evaluated["accuracy"] == evaluated["accuracy_min"]
    assert evaluated["interval"][0] < evaluated["accuracy"] < evaluated["interval"][1]
    assert evaluated["accuracy"] == pytest.approx(
        sum(row["accuracy"] * row["samples"] for row in evaluated["per_class"]) / evaluated["samples"]
    )
    steps = sum(step * share for step, share in enumerate(evaluated["exit_histogram"], 1))
    assert evaluated["mean_timesteps"] == pytest.approx(steps)
    assert evaluated["hardware"]["adc_levels"] == 8
    assert evaluated["energy_uj"] > 0


def test_passes_are_kept_and_found_again(network: Path, evaluated: dict[str, Any]) -> None:
    file = network.parent / "design.yaml"
    file.write_text("{arrays: real, rows: 32, adc_levels: 8, adc_range: mse}")
    again = aster("evaluate", network, "--hardware", file, "--exit-threshold", 0.6, "--json")
    assert "pass" not in again.err
    assert again.document == evaluated


def test_several_chips_are_averaged(network: Path) -> None:
    words = ("--set", "hardware.conditions=variation=0.2", "--set", "hardware.chips=3", *FEW)
    found = aster("evaluate", network, "--arrays", "real", *DESIGN, *words, "--split", "test", "--json")
    assert found.code == 0, found.err
    document = found.document
    assert (document["samples"], document["chips"], document["split"]) == (60, 3, "test")
    assert document["accuracy_min"] <= document["accuracy"]
    assert sum(row["samples"] for row in document["per_class"]) == 60
    text = aster("evaluate", network, "--arrays", "real", *DESIGN, *words, "--split", "test").out
    assert "mean of 3 chips (worst" in text


def test_sweep_agrees_with_evaluate(network: Path, evaluated: dict[str, Any], tmp_path: Path) -> None:
    output = tmp_path / "sweep.csv"
    words = ("--arrays", "real", *DESIGN, "--exit", "0.6,1", "-o", output, "--json")
    document = aster("sweep", network, *words).document
    assert document["arrays"] == "real"
    for name in ("accuracy", "accuracy_ideal", "mean_timesteps", "energy_uj", "latency_us"):
        assert document[name][0][0] == pytest.approx(evaluated[name]), name
    rows = list(csv.DictReader(output.open()))
    assert float(rows[0]["accuracy_ideal"]) == pytest.approx(evaluated["accuracy_ideal"])
    assert len(rows) == len(document["skip"]) * 2


def test_hardware_sweep_needs_a_pass_for_what_changes_numbers(network: Path, tmp_path: Path) -> None:
    output = tmp_path / "sweep.json"
    ran = aster(
        "hardware", "sweep", network, "--over", "adc_levels=4,8", "--over", "adc_range=mse,worst",
        "--over", "column_mux=4,8", "--set", "rows=32", "-o", output, "--exit-threshold", 0.6, "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "8 designs compute in 4 ways" in ran.err
    document = ran.document
    assert json.loads(output.read_text()) == document
    assert len(document["designs"]) == 8
    for first, second in zip(document["designs"][::2], document["designs"][1::2], strict=True):
        assert first["accuracy"] == second["accuracy"]
        assert first["area_mm2"] > second["area_mm2"]
    one = aster(
        "evaluate", network, "--arrays", "real", *DESIGN, "--set", "hardware.column_mux=4",
        "--exit-threshold", 0.6, "--json",
    ).document  # fmt: skip
    (same,) = [
        row
        for row in document["designs"]
        if row["knobs"] == {"adc_levels": 8, "adc_range": "mse", "column_mux": 4}
    ]
    for name in ("accuracy", "accuracy_ideal", "energy_uj", "latency_us", "area_mm2"):
        assert same[name] == one[name]
    assert same["interval"] == one["interval"]


@pytest.mark.parametrize("suffix", ["html", "csv"])
def test_hardware_sweep_writes_files(network: Path, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"sweep.{suffix}"
    words = ("--over", "adc_levels=4,8", "--set", "rows=32", "--set", "adc_range=mse")
    ran = aster("hardware", "sweep", network, *words, "-o", output)
    assert ran.code == 0, ran.err
    assert "accuracy ideal" in " ".join(ran.out.split())
    text = output.read_text()
    assert "adc_levels" in text
    if suffix == "csv":
        assert [row["adc_levels"] for row in csv.DictReader(output.open())] == ["4", "8"]
    else:
        assert "area, mm" in text


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--over", "levels"], "--over levels: there is no knob levels to sweep"),
        (["--over", "chips=1,2"], "--over chips=1,2: there is no knob chips to sweep"),
        (["--over", "rows=48"], "--over rows=48: 48 is not one of 16, 32"),
        (["--over", "rows", "--over", "rows=32"], "--over rows=32: rows is given twice"),
        (["--over", "clock_mhz"], "--over: clock_mhz has no list of values"),
        (["--over", "rows", "-o", "a.txt"], "--output: a.txt does not say in its ending what to write"),
        (["--over", "rows", "--conditions", "variation=x"], '--conditions: variation: "x" is no number'),
        (["--over", "rows", "--base", "mine"], "hardware.base: 'mine' is no known preset"),
        (["--over", "weight_bits=1"], "--over: no design can exist"),
        (["--over", "rows", "--set", "arrays=ideal"], "hardware.arrays: ideal arrays change nothing"),
    ],
)
def test_hardware_sweep_refuses_bad_words(network: Path, words: list[str], complaint: str) -> None:
    ran = aster("hardware", "sweep", network, *words)
    assert ran.code == 2
    assert ran.complaint.startswith(complaint)


def test_recorded_inputs_cannot_be_calibrated_on() -> None:
    ran = aster("evaluate", OFFICIAL / "sdt_static_lif.safetensors", "--arrays", "real")
    assert ran.code == 2
    assert "recorded inputs have no training samples" in ran.complaint
    assert "--workload NAME" in ran.complaint


def test_estimate_names_the_ranges_and_where_accuracy_comes_from() -> None:
    words = ("--set", "hardware.arrays=real", "--set", "hardware.adc_range=mse")
    ran = aster("hardware", "estimate", *words)
    assert "aster-dse hardware sweep CHECKPOINT" in ran.out
    document = aster("hardware", "estimate", *words, "--json").document
    assert document["accuracy"] is None
    assert document["ranges"]["adc_range"] == "mse"
    assert 0.05 < document["ranges"]["energy_share"] < 0.5
    assert "ranges" not in aster("hardware", "estimate", "--json").document


@pytest.mark.parametrize("base", ["isaac-32nm", "neurosim-rram-32nm", "zigzag-aimc-28nm"])
def test_presets_with_offset_columns_say_what_that_means(base: str) -> None:
    asked = ("hardware", "estimate", "--set", f"hardware.base={base}", "--json")
    assert any(note.startswith("accuracy: ") for note in aster(*asked).document["notes"])
    changed = aster(*asked, "--set", "hardware.column_kind=pair").document
    assert not any(note.startswith("accuracy: ") for note in changed["notes"])


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("real")
    (folder / "tiny.yaml").write_text(STUDY, encoding="utf-8")
    home = Home(folder)
    ran = home.search("--study", "s", "--json")
    assert ran.code == 0, ran.err
    return home


def test_show_says_what_each_layers_arrays_do(study: Home) -> None:
    document = study.aster("show", "s", 0, "--layers", "--json").document
    assert document["accuracy_samples"] == 50
    effects = document["layers"]
    assert (effects["sets"], effects["samples"]) == (4, 50)
    layers = {effect["name"]: effect for effect in effects["layers"]}
    assert layers["head"]["arrays"] == "digital, 16-bit weights"
    assert layers["head"]["logits"] < 1e-3 < max(effect["logits"] for effect in effects["layers"])
    total = sum(effect["points"] for effect in effects["layers"])
    assert effects["remainder"]["points"] == pytest.approx(effects["together"]["points"] - total)
    assert all(effect["standard_error"] >= 0.0 for effect in effects["layers"])


def test_show_needs_the_networks_files_and_real_arrays(study: Home, searched: Home, tmp_path: Path) -> None:
    gone = study.aster("show", "s", 0, "--layers", "--artifacts", tmp_path)
    assert gone.code == 3
    assert "the trained network is not there" in gone.complaint
    ideal = searched.aster("show", "s", 0, "--layers")
    assert ideal.code == 2
    assert "judges its networks by ideal arrays" in ideal.complaint
