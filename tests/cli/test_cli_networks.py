"""profile, evaluate and sweep: they agree with each other to the last bit, and with what others recorded."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import aster
from network_commands import OFFICIAL
from safetensors.torch import load_file

NAMES = ("sdt_static_lif", "sdt_event_erode_lif", "sdt_event_plif")


@pytest.fixture(scope="module")
def accelerator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hardware") / "small.yaml"
    path.write_text("rows: 64\nadc_levels: 16\n")
    return path


@pytest.fixture(scope="module")
def swept(trained: Path, accelerator: Path) -> dict[str, Any]:
    ran = aster("sweep", trained, "--exit", "0.5,0.9,0.999,1", "--hardware", accelerator, "--json")
    assert ran.code == 0, ran.err
    document: dict[str, Any] = ran.document
    return document


def test_evaluate_says_what_a_network_is_worth(trained: Path) -> None:
    document = aster("evaluate", trained, "--exit-threshold", 0.6, "--json").document
    assert document["accuracy"] == pytest.approx(
        sum(row["accuracy"] * row["samples"] for row in document["per_class"]) / document["samples"]
    )
    assert document["interval"][0] < document["accuracy"] < document["interval"][1]
    steps = sum(step * share for step, share in enumerate(document["exit_histogram"], 1))
    assert document["mean_timesteps"] == pytest.approx(steps)
    assert sum(document["exit_histogram"]) == pytest.approx(1)
    assert [row["class"] for row in document["per_class"]] == list("0123456789")
    assert document["skipped_blocks"] == []
    assert "energy_uj" not in document


def test_hardware_estimate_takes_the_shape_of_a_checkpoint(trained: Path) -> None:
    from aster_dse.training import load_trained

    geometry = load_trained(trained).geometry
    ran = aster("hardware", "estimate", "--network", trained, "--json").document
    assert [row["layer"] for row in ran["by_layer"] if row["layer"] in {s.name for s in geometry.synaptic}]
    official = aster("hardware", "estimate", "--network", OFFICIAL / "sdt_static_lif.safetensors", "--json")
    assert official.document["energy_uj"] > 0


def test_a_published_network_costs_the_same_by_either_of_its_names() -> None:
    one, other = (
        aster("hardware", "estimate", "--network", name, "--json").document
        for name in ("sdt-8-512", "imagenet-8-512")
    )
    assert one.pop("network") != other.pop("network")
    assert one == other


def test_the_accuracy_is_that_of_the_training(trained: Path) -> None:
    from aster_dse.training import load_trained

    assert aster("evaluate", trained, "--json").document["accuracy"] == load_trained(trained).accuracy


def test_every_cell_of_a_sweep_is_a_separate_evaluation(
    swept: dict[str, Any], trained: Path, accelerator: Path
) -> None:
    assert swept["skip"] == [0, 1, 2]
    for row, threshold in enumerate(swept["skip_threshold"]):
        for column, exit_threshold in enumerate(swept["exit"]):
            words = ["--exit-threshold", exit_threshold, "--hardware", accelerator]
            words += [] if threshold is None else ["--skip-threshold", repr(threshold)]
            alone = aster("evaluate", trained, *words, "--json").document
            assert alone["skipped_blocks"] == swept["skipped_blocks"][row]
            for figure in ("accuracy", "mean_timesteps", "energy_uj", "latency_us"):
                assert alone[figure] == swept[figure][row][column], (figure, threshold, exit_threshold)


def test_accuracy_does_not_depend_on_whether_events_are_counted(swept: dict[str, Any], trained: Path) -> None:
    without = aster("sweep", trained, "--exit", "0.5,0.9,0.999,1", "--json").document
    for figure in ("accuracy", "mean_timesteps", "skipped_blocks", "block_activity"):
        assert without[figure] == swept[figure]


def test_a_sweep_over_thresholds_has_the_rows_that_they_choose(swept: dict[str, Any], trained: Path) -> None:
    least = swept["skip_threshold"][1]
    ran = aster("sweep", trained, "--skip-threshold", f"0,{least!r},1", "--exit", "0.9,1", "--json")
    document = ran.document
    assert document["skip"] == [0.0, least, 1.0]
    assert [len(blocks) for blocks in document["skipped_blocks"]] == [0, 1, 2]
    assert [row[1] for row in document["accuracy"]] == [row[3] for row in swept["accuracy"]]


def test_entropy_is_another_metric(trained: Path) -> None:
    one = aster("sweep", trained, "--skip", 0, "--exit", 0.5, "--exit-metric", "entropy", "--json").document
    alone = aster("evaluate", trained, "--exit-threshold", 0.5, "--exit-metric", "entropy", "--json").document
    assert one["exit_metric"] == "entropy"
    assert one["mean_timesteps"][0][0] == alone["mean_timesteps"]


@pytest.mark.parametrize("form", ["ours", "aster"])
def test_a_firing_log_in_either_format_gives_the_same_skips(form: str, trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "firing.json"
    profiled = aster("profile", trained, "-o", path, "--format", form, "--json").document
    assert list(profiled["firing_rate"]) == ["t0", "t1", "t2"]
    assert profiled["non_zero"] == profiled["firing_rate"], "spikes are 0 or 1"
    assert profiled["accuracy"] == aster("evaluate", trained, "--json").document["accuracy"]
    path.write_text(f"before\n{path.read_text()}after\n")
    threshold = repr(min(profiled["block_activity"]))
    measured = aster("evaluate", trained, "--skip-threshold", threshold, "--json").document
    logged = aster(
        "evaluate", trained, "--skip-threshold", threshold, "--firing-log", path, "--json"
    ).document
    assert logged == measured
    assert len(logged["skipped_blocks"]) == 1


def test_fewer_steps_and_the_test_split(trained: Path) -> None:
    document = aster("evaluate", trained, "--timesteps", 2, "--split", "test", "--json").document
    assert document["exit_histogram"] == [0, 1, 0]
    assert (document["split"], document["samples"]) == ("test", 299)


def test_logits_are_kept_in_the_format_in_which_they_are_compared(trained: Path, tmp_path: Path) -> None:
    aster("evaluate", trained, "--logits", tmp_path / "out.npz", "--skip-threshold", 1, "--json")
    with np.load(tmp_path / "out.npz", allow_pickle=False) as stored:
        assert stored["logits_skip_0,1"].shape == (3, 300, 10)
        assert stored["labels"].shape == (300,)


@pytest.mark.parametrize("name", NAMES)
def test_a_published_checkpoint_loads_as_it_is_and_agrees(name: str) -> None:
    ran = aster("evaluate", OFFICIAL / f"{name}.safetensors", "--json")
    assert ran.code == 0, ran.err
    document = ran.document
    assert document["accuracy"] is None
    assert document["agreement"]["agrees"] is True
    assert len(document["agreement"]["exits"]) == 12
    assert "using the inputs recorded beside the checkpoint" in ran.err
    shown = aster("evaluate", OFFICIAL / f"{name}.safetensors").out
    assert "agrees with what was recorded" in shown


def test_answers_that_differ_end_with_1(tmp_path: Path) -> None:
    for suffix in ("npz", "json"):
        shutil.copy(OFFICIAL / f"sdt_event_plif.{suffix}", tmp_path / f"x.{suffix}")
    weights = load_file(OFFICIAL / "sdt_event_plif.safetensors")
    weights["head.bias"] += torch.arange(11.0)
    torch.save(weights, tmp_path / "x.pth")
    words = ["--set", "network.pooling=0111", "--set", "network.event_mode=false"]
    ran = aster("evaluate", tmp_path / "x.pth", *words, "--json")
    assert ran.code == 1
    assert ran.document["agreement"]["agrees"] is False
    assert "differ from those recorded" in ran.complaint


def test_a_network_of_others_is_measured_on_test_samples_which_it_cannot_have_seen(tmp_path: Path) -> None:
    torch.save(load_file(OFFICIAL / "sdt_event_erode_lif.safetensors"), tmp_path / "x.pth")
    knobs = [
        "network.pooling=0011",
        "network.event_mode=false",
        "workload.timesteps=2",
        "workload.resolution=16",
    ]
    words = ["--workload", "digits-dvs", *(word for knob in knobs for word in ("--set", knob))]
    document = aster("evaluate", tmp_path / "x.pth", *words, "--json").document
    assert (document["split"], document["samples"]) == ("test", 299)
    assert document["interval"][0] <= document["accuracy"] <= document["interval"][1]
    chosen = aster("sweep", tmp_path / "x.pth", *words, "--exit", "1", "--split", "validation", "--json")
    assert (chosen.document["split"], chosen.document["samples"]) == ("validation", 300)


def test_a_sweep_of_recorded_inputs_has_steps_only() -> None:
    ran = aster("sweep", OFFICIAL / "sdt_static_lif.safetensors", "--json")
    assert ran.document["accuracy"] is None
    assert np.array(ran.document["mean_timesteps"]).shape == (3, 9)


def test_recorded_inputs_are_profiled_and_skipped_by_their_own_log() -> None:
    path = OFFICIAL / "sdt_static_lif.safetensors"
    profiled = aster("profile", path, "--json").document
    published = json.loads((OFFICIAL / "sdt_static_lif.json").read_text())["firing_rate"]
    for step, rates in published.items():
        assert profiled["firing_rate"][step] == pytest.approx(rates, abs=1e-4)
    document = aster("evaluate", path, "--skip-threshold", 0.008, "--json").document
    assert document["skipped_blocks"] == [1]
    assert document["agreement"]["agrees"] is True


@pytest.mark.parametrize("suffix", [".csv", ".json", ".html"])
def test_a_sweep_is_written_as_its_file_is_named(suffix: str, trained: Path, tmp_path: Path) -> None:
    path = tmp_path / f"sweep{suffix}"
    ran = aster("sweep", trained, "--exit", "0.5,1", "-o", path, "--reference", "cifar10-dvs", "--json")
    assert ran.code == 0, ran.err
    if suffix == ".json":
        assert json.loads(path.read_text()) == ran.document
    elif suffix == ".csv":
        rows = list(csv.DictReader(path.read_text().splitlines()))
        assert [float(row["accuracy"]) for row in rows] == [
            x for row in ran.document["accuracy"] for x in row
        ]
    else:
        text = path.read_text()
        assert "ASTER as published" in text
        assert 'src="http' not in text
    assert ran.document["reference"]["name"] == "cifar10-dvs"


def test_without_a_browser_a_png_is_refused_in_one_line(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "no browser"))
    ran = aster("sweep", trained, "--skip", 0, "--exit", 1, "-o", tmp_path / "x.png")
    assert ran.code == 1
    assert "x.html instead" in ran.complaint
    assert "accuracy" in ran.out, "the figures were printed first"
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["evaluate", "none.safetensors"], 3, "none.safetensors: no such checkpoint"),
        (["evaluate", "text.pth"], 2, "text.pth: cannot be read"),
        (
            ["evaluate", "OFFICIAL", "--workload", "digits-dvs"],
            2,
            "reads 3 channels and tells 10 classes apart",
        ),
        (["evaluate", "OFFICIAL", "--workload", "mnist"], 2, "there is no data set 'mnist'"),
        (["evaluate", "OFFICIAL", "--hardware", "rows.yaml"], 2, "recorded inputs are not counted"),
        (["evaluate", "OFFICIAL", "--inputs", "none.npz"], 3, "none.npz: no such file of recorded inputs"),
        (
            ["evaluate", "OFFICIAL", "--inputs", "x.npz", "--workload", "digits"],
            2,
            "together with a data set",
        ),
        (["evaluate", "OFFICIAL", "--preset", "nothing"], 2, "nothing"),
        (["evaluate", "OFFICIAL", "--skip-threshold", "2"], 2, "'--skip-threshold'"),
        (["evaluate", "TRAINED", "--preset", "digits-dvs"], 2, "--preset: "),
        (["evaluate", "TRAINED", "--weights", "ema"], 2, "holds one copy of its weights"),
        (["evaluate", "OFFICIAL", "--weights", "ema"], 2, "holds no ema weights"),
        (["evaluate", "TRAINED", "--set", "network.width=64"], 2, "says what network it holds"),
        (
            ["evaluate", "TRAINED", "--firing-log", "text.pth", "--skip-threshold", "1"],
            2,
            "holds no firing log",
        ),
        (["evaluate", "TRAINED", "--hardware", "none.yaml"], 3, "none.yaml: there is no such file"),
        (["sweep", "TRAINED", "--skip", "5"], 2, "no threshold skips 5 of the 2 blocks"),
        (["sweep", "TRAINED", "--skip", "a"], 2, "'a' is no list of numbers"),
        (["sweep", "TRAINED", "--exit", "0.5,2"], 2, "2.0 is out of range"),
        (["sweep", "TRAINED", "--skip", "1", "--skip-threshold", "1"], 2, "both are given"),
        (["sweep", "TRAINED", "-o", "x.pdf"], 2, "x.pdf does not say in its ending what to write"),
        (["sweep", "TRAINED", "--reference", "mnist"], 2, "there are no curves 'mnist'"),
        (["profile", "TRAINED", "-o", "/dev/null/x"], 2, "/dev/null/x cannot be written"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_one_line(
    words: list[str], code: int, said: str, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.pth").write_text("no checkpoint")
    Path("rows.yaml").write_text("rows: 64\n")
    names = {"OFFICIAL": str(OFFICIAL / "sdt_static_lif.safetensors"), "TRAINED": str(trained)}
    ran = aster(*(names.get(word, word) for word in words))
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.complaint
