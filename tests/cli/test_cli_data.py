"""Figures of a data set in a folder are of that very data, in every command."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import yaml
from command_line import Home, Ran, aster
from PIL import Image

from aster_dse.cli.data import identified_data
from aster_dse.space import SearchSpace

SPACE = """\
name: pets
workload: {name: image-folder, folder: pets, classes: 2, resolution: 32, timesteps: 1, validation_share: 0.3}
network: {width: {choices: [8, 16]}, depth: 1}
training: {epochs: 1, batch_size: 8}
hardware: {rows: {choices: [64, 128]}}
objectives: {accuracy: max, energy_uj: min}
search: {trials: 1, inner: 8, seed: 1}
"""


def pictures(folder: Path, seed: int = 0) -> Path:
    random = np.random.default_rng(seed)
    for name in ("cat", "dog"):
        for part, count in (("train", 6), ("val", 2)):
            (folder / part / name).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = random.integers(0, 256, (32, 32, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("pets")
    pictures(folder / "data" / "pets")
    (folder / "tiny.yaml").write_text(SPACE, encoding="utf-8")
    home = Home(folder)
    ran = home.search("--data", folder / "data")
    assert ran.code == 0, ran.err
    resume = ran.out.splitlines()[-1]
    assert "resume pets --trials 2 " in resume
    assert resume.endswith(f" --data {folder / 'data'}")
    return home


@pytest.fixture
def pets(first: Home, tmp_path: Path) -> Home:
    """A finished study, its data beside it, to do with as one likes."""
    return Home(Path(shutil.copytree(first.folder, tmp_path / "copy")))


def lies(home: Home) -> tuple[str, Path]:
    return "--data", home.folder / "data"


def exchange_labels(home: Home) -> None:
    train = home.folder / "data/pets/train"
    (train / "cat").rename(train / "aside")
    (train / "dog").rename(train / "cat")
    (train / "aside").rename(train / "dog")


def trained(ran: Ran) -> int:
    assert ran.code == 0, ran.err
    return int(ran.document["trainings"])


def status(home: Home, study: str = "pets") -> dict[str, object]:
    document: dict[str, object] = home.aster("status", study, "--json").document
    return document


def test_a_new_study_takes_trained_networks_of_the_same_data_only(pets: Home) -> None:
    assert trained(pets.search("--study", "same", *lies(pets), "--json")) == 0
    exchange_labels(pets)
    assert trained(pets.search("--study", "other labels", *lies(pets), "--json")) == 1


def test_another_folder_of_data_with_a_set_of_that_name_is_other_data(
    pets: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(pets.folder / "more" / "pets", seed=1)
    monkeypatch.setenv("ASTER_DSE_DATA", str(pets.folder / "more"))
    assert trained(pets.search("--study", "elsewhere", "--json")) == 1


def test_a_study_does_not_go_on_with_other_data(pets: Home) -> None:
    exchange_labels(pets)
    for command in (
        ("resume", "pets", "--trials", 2, "--workers", 0),
        ("search", pets.space, "--trials", 2, "--workers", 0),
        ("repeat", "pets", "--workers", 0),
        ("export", "pets"),
    ):
        ran = pets.aster(*command, *lies(pets))
        assert ran.code == 2, ran.out
        assert "holds data " in ran.complaint
        assert "--data" in ran.complaint
    assert status(pets)["trials"] == {"complete": 1, "failed": 0, "paused": 0, "running": 0}
    exchange_labels(pets)
    assert pets.aster("resume", "pets", "--trials", 2, "--workers", 0, *lies(pets)).code == 0


def test_a_data_set_that_is_not_there_is_said_before_a_study_is_made(pets: Home) -> None:
    ran = pets.search("--study", "new", "--data", pets.folder / "nowhere")
    assert ran.code == 3
    assert "nowhere/pets" in ran.complaint
    assert [study["study"] for study in pets.aster("studies", "--json").document] == ["pets"]


def test_what_is_exported_says_its_data_and_is_reproduced_on_no_other(pets: Home) -> None:
    file = pets.folder / "front.json"
    assert pets.aster("export", "pets", "-o", file, *lies(pets)).code == 0
    document = json.loads(file.read_text())
    (entry,) = document["data"]
    (known,) = status(pets)["data"]  # type: ignore[misc]
    (point,) = document["points"]
    assert entry["sha256"] == known["sha256"] == point["data"] == point["configuration"]["workload"]["data"]
    assert (entry["name"], entry["folder"], entry["files"]) == ("image-folder", "pets", 16)
    assert point["reproduce"].endswith(f"--data {pets.folder / 'data'}")
    again = aster("reproduce", file, *lies(pets), "--json")
    assert again.code == 0, again.err
    assert again.document["agrees"]
    exchange_labels(pets)
    other = aster("reproduce", file, *lies(pets))
    assert other.code == 2
    assert "holds data " in other.complaint
    assert "trained anew" not in other.err  # nothing is trained on it


def as_an_older_version_left_it(home: Home) -> None:
    """Without a word about data, in the study, its trials and the networks' folders."""
    with sqlite3.connect(home.folder / "aster_dse.db") as database:
        database.execute("UPDATE aster_studies SET data = NULL")
        database.execute(
            "UPDATE aster_trials SET checksum = NULL, candidate = json_remove(candidate, '$.workload.data')"
        )


def test_results_without_a_word_about_their_data_are_marked_and_not_served(pets: Home) -> None:
    as_an_older_version_left_it(pets)
    shown = pets.aster("status", "pets")
    assert "data unverified" in shown.out
    assert status(pets)["data_unverified"] == [0]
    assert "data unverified" in pets.aster("pareto", "pets").out
    assert pets.aster("pareto", "pets", "--json").document[0]["data"] == "unverified"
    assert pets.aster("show", "pets", 0, "--json").document["data"] == "unverified"
    more = pets.aster("resume", "pets", "--trials", 2, "--workers", 0, *lies(pets))
    assert more.code == 0, more.err
    assert "data unverified: 1 trials of pets" in more.err
    old, new = pets.aster("trials", "pets", "--json").document
    assert (old["data"], len(new["data"])) == ("unverified", 64)
    exchange_labels(pets)
    assert pets.aster("resume", "pets", "--trials", 3, "--workers", 0, *lies(pets)).code == 2


def test_data_changed_in_mid_search_ends_it_with_the_trial_interrupted(
    pets: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aster_dse.search import job

    plain = job.train

    def disturbed(*arguments: object, **options: object) -> object:
        found = plain(*arguments, **options)  # type: ignore[arg-type]
        pictures(pets.folder / "data/pets", seed=2)
        return found

    monkeypatch.setattr(job, "train", disturbed)
    ran = pets.search("--study", "disturbed", "--set", "training.seed=7", *lies(pets))
    assert ran.code == 2
    assert "holds data " in ran.complaint
    assert status(pets, "disturbed")["trials"] == {"complete": 0, "failed": 0, "paused": 0, "running": 1}
    (resume,) = (line for line in pets.aster("status", "disturbed").out.splitlines() if "resume with" in line)
    assert "resume with: aster-dse resume disturbed " in resume
    assert resume.endswith(f" --data {pets.folder / 'data'}")
    (row,) = pets.aster("trials", "disturbed", "--json").document
    left = pets.folder / "aster_dse_artifacts" / row["training_key"]
    assert not list(left.glob("*.safetensors"))


def test_a_long_reading_of_files_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from aster_dse.cli import network_progress

    monkeypatch.setattr(network_progress, "FIRST_AFTER_S", 0.0)
    monkeypatch.setenv("ASTER_DSE_CACHE", str(tmp_path / "cache"))
    pictures(tmp_path / "pets")
    (entry,) = identified_data(load_space_text(SPACE), tmp_path)
    said = capsys.readouterr().err
    assert "identifying the data: 0 of 0 MiB, about " in said
    assert f"pets: data {entry.sha256[:12]} (16 files, " in said


def load_space_text(text: str) -> SearchSpace:
    return SearchSpace.from_mapping(yaml.safe_load(text))


def test_one_training_and_what_is_measured_on_it_say_their_data(tmp_path: Path) -> None:
    pictures(tmp_path / "data" / "pets")
    knobs = ("folder=pets", "classes=2", "resolution=32", "timesteps=1", "validation_share=0.3")
    words = [word for knob in knobs for word in ("--set", f"workload.{knob}")]
    words += ["--set", "network.width=8", "--set", "network.depth=1", "--set", "training.epochs=1"]
    words += ["--data", str(tmp_path / "data"), "-o", str(tmp_path / "net"), "--json"]
    first = aster("train", "image-folder", *words)
    assert first.code == 0, first.err
    data = first.document["data"]
    measured = ("evaluate", tmp_path / "net", "--data", tmp_path / "data", "--json")
    same = aster(*measured)
    assert (same.document["data"], same.document["data_of_training"]) == (data, data)
    assert "was trained on data" not in same.err
    pictures(tmp_path / "data" / "pets", seed=1)
    other = aster(*measured)
    assert other.code == 0
    assert other.document["data"] != other.document["data_of_training"] == data
    assert f"the network was trained on data {data[:12]}" in other.err
    refused = aster("train", "image-folder", *words)
    assert refused.code == 3
    assert "workload.data" in refused.complaint
