"""Looking at what a search found."""

from __future__ import annotations

import os
import shutil
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from command_line import DIVERGES, PROGRAM, Home, Ran, aster, start

from aster_dse.space import METRICS


def test_studies_lists_counts_and_objectives(searched: Home) -> None:
    (study,) = searched.aster("studies", "--json").document
    assert study["study"] == "s"
    assert study["objectives"] == {"accuracy": "max", "energy_uj": "min", "area_mm2": "min"}
    assert study["trials"] == {"complete": 2, "failed": 0, "paused": 0, "running": 0}
    assert "accuracy, energy_uj, area_mm2" in searched.aster("studies").out


def test_status_agrees_with_the_search(searched: Home, first_search: tuple[Home, Ran]) -> None:
    document = first_search[1].document
    status = searched.aster("status", "s", "--json").document
    assert status["hypervolume"] == pytest.approx(document["hypervolume"], rel=1e-12)
    assert status["front_size"] == len(document["pareto"])
    best = max(point["metrics"]["accuracy"] for point in document["pareto"])
    assert status["best"]["accuracy"] == best
    assert (status["driver"], status["time_left_s"], status["failures"]) == (None, None, [])
    assert "2 of 2 ended" in searched.aster("status", "s").out


def test_failures_are_told_with_their_reasons(home: Home) -> None:
    home.search(*DIVERGES)
    failures = home.aster("status", "tiny", "--json").document["failures"]
    assert [failure["kind"] for failure in failures] == ["diverged", "diverged"]
    assert "the loss became" in failures[0]["reason"]
    assert failures[0]["reason"] in home.aster("status", "tiny").out
    rows = home.aster("trials", "tiny", "--state", "failed", "--limit", 1, "--json").document
    assert [row["trial"] for row in rows] == [1]
    shown = home.aster("show", "tiny", 1, "--json").document
    assert shown["failure"]["reason"] == rows[0]["failure"]["reason"]
    assert shown["attempts"][0]["state"] == "failed"
    assert home.aster("show", "tiny", 1).code == 0


def test_trials_by_state(searched: Home) -> None:
    rows = searched.aster("trials", "s", "--json").document
    assert [(row["trial"], row["state"], row["evaluations"] >= 1) for row in rows] == [
        (0, "complete", True),
        (1, "complete", True),
    ]
    assert searched.aster("trials", "s", "--state", "failed", "--json").document == []
    assert "complete" in searched.aster("trials", "s").out


def test_show_has_everything_and_it_adds_up(searched: Home) -> None:
    shown = searched.aster("show", "s", 0, "--json").document
    assert set(shown["metrics"]) == set(METRICS)
    assert set(shown["objectives"]) == {"accuracy", "energy_uj", "area_mm2"}
    assert shown["constraints"] == [
        {"expression": "area_mm2 <= 50", "value": shown["metrics"]["area_mm2"], "violation": 0.0}
    ]
    cost = shown["breakdown"]
    for part in ("energy_pj_by_component", "energy_pj_by_layer"):
        assert sum(cost[part].values()) * 1e-6 == pytest.approx(shown["metrics"]["energy_uj"], rel=1e-9)
    assert sum(shown["exit_histogram"]) == pytest.approx(1.0)
    assert all(len(rates) == 2 for rates in shown["firing_rate"].values())
    assert [attempt["state"] for attempt in shown["attempts"]] == ["complete"]
    assert len(shown["training"]["history"]) == 2
    assert {file["kind"] for file in shown["artifacts"]} >= {"checkpoint", "trace"}


def test_layers_are_shown_in_the_order_in_which_they_run(searched: Home) -> None:
    layers = list(searched.aster("show", "s", 0, "--json").document["breakdown"]["energy_pj_by_layer"])
    some = ["stem.0", "stem.3", "block.0.q", "block.0.sdsa", "block.0.fc1", "head"]
    assert [layer for layer in layers if layer in some] == some


def test_show_takes_any_configuration_of_the_trial(searched: Home) -> None:
    shown = searched.aster("show", "s", 0, "--index", 1, "--json").document
    assert (shown["trial"], shown["index"]) == (0, 1)
    text = searched.aster("show", "s", 0, "--index", 1).out
    assert "trial 0, configuration 1" in text
    assert "energy by component" in text


def test_pareto_is_not_dominated_and_best_accuracy_comes_first(searched: Home) -> None:
    points = searched.aster("pareto", "s", "--json").document
    found = [point["metrics"] for point in points]
    figures = [(-figure["accuracy"], figure["energy_uj"], figure["area_mm2"]) for figure in found]
    assert figures == sorted(figures)
    for one in figures:
        others = [other for other in figures if other != one]
        assert not any(all(a <= b for a, b in zip(other, one, strict=True)) for other in others)


def test_pareto_by_other_metrics(searched: Home) -> None:
    (fastest,) = searched.aster("pareto", "s", "--objectives", "latency_us", "--json").document
    rows = searched.aster("trials", "s", "--json").document
    counts = [(row["trial"], row["evaluations"]) for row in rows]
    everything = [
        searched.aster("show", "s", trial, "--index", index, "--json").document["metrics"]["latency_us"]
        for trial, count in counts
        for index in range(count)
    ]
    assert fastest["metrics"]["latency_us"] == min(everything)
    ran = searched.aster("pareto", "s", "--objectives", "latency")
    assert (ran.code, "did you mean latency_us?" in ran.complaint) == (2, True)


def test_tables_are_not_cut_where_there_is_no_terminal(searched: Home) -> None:
    ran = searched.aster("pareto", "s")
    assert "energy" in ran.out
    assert "…" not in ran.out


def test_a_closed_pipe_is_no_traceback(searched: Home) -> None:
    command = f"'{PROGRAM}' show s 0 --json | head -n 1"
    environment = {**os.environ, "ASTER_DSE_STORAGE": searched.storage}
    ran = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("{\n", "")


def test_delete_asks_first(continued: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(""))
    assert continued.aster("delete", "s").code == 1
    assert len(continued.aster("studies", "--json").document) == 1
    deleted = continued.aster("delete", "s", "--yes", "--json").document
    assert len(deleted["unused_networks"]) == 2
    assert continued.aster("studies", "--json").document == []


def test_a_configuration_says_how_far_its_accuracy_can_be_trusted(searched: Home) -> None:
    shown = searched.aster("show", "s", 0, "--json").document
    low, high = shown["accuracy_interval"]
    assert low < shown["metrics"]["accuracy"] < high
    samples = shown["training"]["validation_samples"]
    assert (
        f"accuracy on {samples} validation samples: 95 % interval {low:.4f}"
        in searched.aster("show", "s", 0).out
    )


def test_importance_needs_a_study_of_some_size(searched: Home) -> None:
    ran = searched.aster("importance", "s")
    assert (ran.code, ran.out) == (1, "")
    assert "too few to tell what is important" in ran.complaint
    ran = searched.aster("importance", "s", "--objectives", "speed")
    assert ran.code == 2


def test_spaces_that_ship_are_listed_and_checked() -> None:
    listed = aster("spaces", "--json").document
    assert {space["space"] for space in listed} >= {
        "cifar10",
        "cifar10_dvs",
        "digits",
        "digits_dvs",
        "imagenet",
    }
    checked = aster("space", "check", "digits_dvs", "--json").document
    assert checked["networks"] is None
    assert "policy.exit_threshold" in checked["searched"]
    assert "network.width" in aster("space", "check", "digits_dvs").out
    assert aster("space", "check", "--schema").document["title"] == "aster-dse search space"


def test_doctor_finds_this_machine_fit(searched: Home) -> None:
    checks = searched.aster("doctor", "--json").document
    assert all(set(check) == {"check", "ok", "detail", "hint"} for check in checks)
    assert {"python", "torch", "ray import", "storage", "artifacts folder", "disk"} <= {
        check["check"] for check in checks
    }
    assert all(check["hint"] for check in checks if not check["ok"])


def test_doctor_misses_no_data_sets(tmp_path: Path) -> None:
    checks = aster("doctor", "--data", tmp_path, "--json").document
    none = next(check for check in checks if check["check"] == "data sets")
    assert none["ok"]
    assert "the digits need none" in none["detail"]
    assert "ASTER_DSE_DATA" in none["hint"]


@pytest.mark.parametrize(("switch", "said"), [("off", "off, by ASTER_DSE_KERNELS"), ("", ".so")])
def test_doctor_says_what_computes_the_spikes(
    monkeypatch: pytest.MonkeyPatch, switch: str, said: str
) -> None:
    monkeypatch.setenv("ASTER_DSE_KERNELS", switch)
    checks = aster("doctor", "--json").document
    kernels = next(check for check in checks if check["check"] == "compiled kernels")
    assert kernels["ok"]
    if switch or shutil.which("cc"):
        assert said in kernels["detail"]


def test_hardware_estimate_adds_up() -> None:
    ran = aster(
        "hardware", "estimate", "--network", "sdt-2-256-cifar", "--firing-rate", 0.1, "--json"
    ).document
    total_pj = ran["energy_uj"] * 1e6
    assert sum(ran["by_component"]["energy_pj"].values()) == pytest.approx(total_pj, rel=1e-9)
    assert sum(layer["energy_pj"] for layer in ran["by_layer"]) == pytest.approx(total_pj, rel=1e-9)
    assert sum(ran["by_component"]["area_um2"].values()) * 1e-6 == pytest.approx(ran["area_mm2"], rel=1e-9)


def test_hardware_estimate_draws_the_breakdown_and_derives_figures(tmp_path: Path) -> None:
    ran = aster("hardware", "estimate", "-o", tmp_path / "cost.html", "--json")
    document = ran.document
    assert "plotly" in (tmp_path / "cost.html").read_text(encoding="utf-8")
    assert document["power_mw"] == pytest.approx(document["energy_uj"] / document["latency_us"] * 1e3)
    assert document["inferences_per_s"] == pytest.approx(1e6 / document["latency_us"])
    assert document["edp_uj_us"] == pytest.approx(document["energy_uj"] * document["latency_us"])
    assert document["tops_per_w"] > 0
    refused = aster("hardware", "estimate", "-o", tmp_path / "cost.pdf")
    assert (refused.code, ".png or .html" in refused.complaint) == (2, True)


def test_hardware_compare_puts_every_ratio_over_ours() -> None:
    document = aster("hardware", "compare", "--network", "sdt-2-256-cifar", "--json").document
    ours, *others = document["alternatives"]
    estimated = aster("hardware", "estimate", "--network", "sdt-2-256-cifar", "--json").document
    assert (ours["energy_uj"], ours["energy_ratio"]) == (estimated["energy_uj"], 1.0)
    assert all(row["energy_ratio"] == row["energy_uj"] / ours["energy_uj"] for row in others)
    assert "Loihi" in aster("hardware", "compare").out


def test_a_reader_that_has_read_enough_is_no_reason_to_complain(tmp_path: Path) -> None:
    process = start("hardware", "validate", folder=tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 1


def test_hardware_validate_prints_both_figures() -> None:
    rows = aster("hardware", "validate", "--json").document
    keys = {"what", "unit", "theirs", "ours", "difference", "tolerance", "agrees", "source", "note"}
    assert {frozenset(row) for row in rows} == {frozenset(keys)}
    computed = [row for row in rows if row["note"] is None]
    out = aster("hardware", "validate").out
    assert f"{sum(row['agrees'] for row in computed)} of {len(computed)} figures agree" in out


def test_hardware_estimate_takes_knobs_files_and_rates(tmp_path: Path) -> None:
    def energy(*words: object) -> float:
        value: float = aster("hardware", "estimate", *words, "--json").document["energy_uj"]
        return value

    file = tmp_path / "chip.yaml"
    file.write_text("adc_levels: 256\n", encoding="utf-8")
    assert energy("--hardware", file) > energy()
    assert energy("--hardware", file, "--set", "hardware.adc_levels=32") == energy()
    assert energy("--firing-rate", 0.05) < energy("--firing-rate", 0.2)
    assert energy("--set", "network.width=64") > energy()
    assert "adc" in aster("hardware", "estimate").out
    file.write_text("adc_level: 256\n", encoding="utf-8")
    assert "adc_levels" in aster("hardware", "estimate", "--hardware", file).complaint


def test_slices_of_a_knob(searched: Home) -> None:
    found = searched.aster("slice", "s", "hardware.rows", "--json").document
    assert (found["study"], found["knob"]) == ("s", "hardware.rows")
    trials = searched.aster("trials", "s", "--json").document
    assert sum(one["configurations"] for one in found["slices"]) == sum(row["feasible"] for row in trials)
    assert {one["low"] for one in found["slices"]} <= {32, 64, 128}
    assert all(set(one["metrics"]) == {"accuracy", "energy_uj", "area_mm2"} for one in found["slices"])
    text = searched.aster("slice", "s", "policy.exit_threshold", "--bins", 3, "--objectives", "energy_uj").out
    assert "the best, and in brackets the median" in text
    ran = searched.aster("slice", "s", "hardware.column", "--json")
    assert (ran.code, ran.out) == (2, "")
    assert "'hardware.column' is not searched" in ran.complaint


def test_the_front_says_how_many_are_as_accurate(searched: Home) -> None:
    points = searched.aster("pareto", "s", "--json").document
    best = max(points, key=lambda point: point["metrics"]["accuracy"])
    low, high = best["accuracy_interval"]
    alike = sum(point["metrics"]["accuracy"] >= low for point in points)
    text = searched.aster("pareto", "s").out
    assert f"{alike} of {len(points)} are within the 95 % interval of the most accurate one" in text
    assert f"{low:.3f}-{high:.3f}" in text
    assert "interval" not in searched.aster("pareto", "s", "--objectives", "energy_uj,area_mm2").out
