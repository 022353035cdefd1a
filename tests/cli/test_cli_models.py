"""What a study's figures are computed with: kept with the study, compared, and carried along."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import SPACE, Home, Ran, aster

from aster_dse.hardware import sources
from aster_dse.hardware.documents import shipped_text
from aster_dse.store import StudyReader, StudyRow

LIBRARY = shipped_text("libraries", "neurosim")


def dearer(text: str, factor: float = 9.0) -> str:
    """A library whose row drivers, adders and registers take so many times the energy."""
    content = yaml.safe_load(text)
    for name in ("row_drive_energy", "adder_energy", "register_energy"):
        nodes = content[name]["at_nm"]
        content[name]["at_nm"] = {node: factor * value for node, value in nodes.items()}
    return yaml.safe_dump(content, sort_keys=False)


@pytest.fixture
def own(continued: Home) -> Home:
    """A study ``own`` of two trials, on a library of the user's beside the space; nothing was trained."""
    space = SPACE.replace("hardware: {", "hardware: {library: my-lib.yaml, ")
    continued.space.write_text(space, encoding="utf-8")
    library_of(continued).write_text(LIBRARY, encoding="utf-8")
    ran = continued.search("--study", "own")
    assert ran.code == 0, ran.err
    return continued


def library_of(home: Home) -> Path:
    return home.folder / "my-lib.yaml"


def resume(home: Home, *words: object) -> Ran:
    return home.aster("resume", "own", "--workers", 0, *words)


def study(home: Home, name: str = "own") -> StudyRow:
    with StudyReader(home.storage) as reader:
        return reader.study(name)


def figures(home: Home, name: str = "own") -> list[tuple[Any, ...]]:
    """Every evaluation of a study."""
    with StudyReader(home.storage) as reader:
        row = reader.study(name)
        frame = reader.evaluations(row.id, columns=["accuracy", "energy_uj", "area_mm2", "told_order"])
    return list(frame.sort_values(["trial", "index"]).drop(columns=["id"]).itertuples(index=False, name=None))


def test_a_relative_library_lies_beside_the_space_that_names_it(
    own: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert aster("space", "check", own.space).code == 0
    again = own.search("--study", "own", "--json")
    assert again.code == 0, again.err
    assert again.document["trials"]["complete"] == 2
    # A path on the command line is one from here.
    missing = own.search("--study", "other", "--set", "hardware.library=my-lib.yaml")
    assert missing.code == 2
    assert str(tmp_path / "my-lib.yaml") in missing.complaint


def test_a_library_that_a_preset_or_a_hardware_file_names_lies_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "my-lib.yaml").write_text(LIBRARY, encoding="utf-8")
    preset = yaml.safe_load(shipped_text("presets", "neurosim-rram-32nm"))
    preset["knobs"]["library"] = "my-lib.yaml"
    (parts / "my-preset.yaml").write_text(yaml.safe_dump(preset), encoding="utf-8")
    (parts / "library.yaml").write_text("library: my-lib.yaml\n", encoding="utf-8")
    (parts / "preset.yaml").write_text("base: my-preset.yaml\n", encoding="utf-8")
    (tmp_path / "tiny.yaml").write_text(
        SPACE.replace("hardware: {", "hardware: {base: parts/my-preset.yaml, ")
    )
    monkeypatch.chdir(tmp_path)
    for hardware in ("library.yaml", "preset.yaml"):
        ran = aster("hardware", "estimate", "--network", "digits", "--hardware", parts / hardware)
        assert ran.code == 0, ran.err
    monkeypatch.chdir(parts)
    assert aster("space", "check", tmp_path / "tiny.yaml").code == 0


def test_a_study_keeps_its_library_and_goes_on_without_the_file(own: Home) -> None:
    library_of(own).unlink()
    model = study(own).model
    assert model is not None
    assert model.texts == {"my-lib.yaml": LIBRARY}
    before = figures(own)
    ran = resume(own)
    assert ran.code == 0, ran.err
    assert "my-lib.yaml is gone" in ran.err
    assert figures(own) == before
    exported = yaml.safe_load(own.aster("export", "own", "--select", "knee").out)
    (library,) = [entry for entry in exported["model"]["libraries"].values() if "text" in entry]
    assert library["text"] == LIBRARY
    assert len(library["sha256"]) == 64
    shown = own.aster("status", "own", "--json").document["model"]
    assert shown["libraries"]["my-lib.yaml"]["digest"] == library["digest"]


def test_a_changed_library_is_refused_with_its_figures(own: Home) -> None:
    before = figures(own)
    library_of(own).write_text("# A remark changes nothing.\n" + LIBRARY, encoding="utf-8")
    assert resume(own).code == 0
    library_of(own).write_text(dearer(LIBRARY), encoding="utf-8")
    for ran in (resume(own, "--trials", 3), own.search("--study", "own", "--trials", 3)):
        assert ran.code == 2
        assert "library my-lib.yaml: adder_energy.at_nm.22: 0.0171 -> 0.1539" in ran.complaint
        assert "--rescore" in ran.complaint
    assert figures(own) == before


def test_networks_are_scored_anew_on_a_changed_library(own: Home) -> None:
    before = study(own)
    library_of(own).write_text(dearer(LIBRARY), encoding="utf-8")
    fresh = own.search("--study", "fresh", "--json").document
    ran = resume(own, "--rescore", "--json")
    assert ran.code == 0, ran.err
    assert "started" in ran.err
    assert ran.document["trials"]["complete"] == 2
    assert ran.document["hypervolume"] == fresh["hypervolume"]
    assert figures(own) == figures(own, "fresh")
    after = study(own)
    assert after.model == study(own, "fresh").model != before.model
    assert after.reference_point == study(own, "fresh").reference_point
    assert resume(own).code == 0


def test_rescoring_trains_nothing_and_counts_as_before(continued: Home) -> None:
    before = continued.aster("status", "s", "--json").document
    rows = figures(continued, "s")
    ran = continued.aster("resume", "s", "--rescore", "--workers", 0, "--json")
    assert ran.code == 0, ran.err
    assert "epoch" not in ran.err
    after = continued.aster("status", "s", "--json").document
    assert (after["trainings"], after["trainings_reused"]) == (2, 0)
    assert after["hypervolume"] == before["hypervolume"]
    assert figures(continued, "s") == rows


def test_rescoring_needs_the_networks(continued: Home) -> None:
    rows = figures(continued, "s")
    elsewhere = continued.folder / "elsewhere"
    ran = continued.aster("resume", "s", "--rescore", "--workers", 0, "--artifacts", elsewhere)
    assert ran.code == 2
    assert "2 of 2 networks" in ran.complaint
    assert figures(continued, "s") == rows


def test_another_cost_model_is_refused(continued: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "COST_MODEL_VERSION", sources.COST_MODEL_VERSION + 1)
    ran = continued.aster("resume", "s", "--trials", 3, "--workers", 0)
    assert ran.code == 2
    assert "cost model: version" in ran.complaint
    repeated = continued.aster("repeat", "s", "--seeds", 1, "--workers", 0)
    assert repeated.code == 2
    assert "cost model: version" in repeated.complaint


def test_another_version_of_a_shipped_library_is_refused(continued: Home) -> None:
    def other_version(model: dict[str, Any]) -> None:
        for source in model["sources"]:
            if source["kind"] == "library":
                source["digest"] = "0" * 20
                source["content"]["adder_energy"]["per_size"] = 0.125

    rewrite_model(continued, other_version)
    ran = continued.aster("resume", "s", "--trials", 3, "--workers", 0)
    assert ran.code == 2
    assert "adder_energy.per_size: 0.125 ->" in ran.complaint


def test_a_study_of_an_older_version_goes_on_with_a_note(continued: Home) -> None:
    with closing(sqlite3.connect(continued.folder / "aster_dse.db")) as database:
        database.execute("UPDATE aster_studies SET model = NULL")
        database.commit()
    ran = continued.aster("resume", "s", "--workers", 0)
    assert ran.code == 0, ran.err
    assert "unknown" in ran.err
    assert continued.aster("status", "s", "--json").document["model"] == "unknown"
    exported = yaml.safe_load(continued.aster("export", "s", "--select", "knee").out)
    assert exported["model"] == "unknown"


def rewrite_model(home: Home, change: Any) -> None:
    """Change what a study says that its figures are computed with."""
    with closing(sqlite3.connect(home.folder / "aster_dse.db")) as database:
        (text,) = database.execute("SELECT model FROM aster_studies").fetchone()
        model = json.loads(text)
        change(model)
        database.execute("UPDATE aster_studies SET model = ?", (json.dumps(model),))
        database.commit()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (["hardware.column_mux={choices: [3, 7]}"], "hardware.column_mux: 3 does not divide"),
        (["hardware.library=nope.yaml"], "hardware.library: cannot read"),
        (["hardware.tiles=4", "hardware.area_budget_mm2=5"], "hardware.area_budget_mm2"),
        (["training.rand_augment=3"], "training.rand_augment: is an augmentation of images"),
        (
            ["network.event_mode=true", "network.num_heads=7", "network.width=24"],
            "network.num_heads: 7 does not divide the width 24",
        ),
        (["search.gpu_hours=1"], "search.gpu_hours"),
        (["training.amp=fp16"], "training.amp: fp16 needs a GPU"),
        (["search.resources_per_training.workers=2"], "--workers"),
    ],
)
def test_a_space_that_cannot_be_searched_leaves_no_study(
    home: Home, settings: list[str], problem: str
) -> None:
    words = [word for setting in settings for word in ("--set", setting)]
    ran = home.search("--study", "s", *words)
    assert ran.code == 2
    assert problem in ran.complaint
    listed = home.aster("studies", "--json")
    assert listed.code == 3 or listed.document == []
    if not settings[0].startswith(("search.", "training.amp")):
        fixed = {setting.partition("=")[0]: yaml.safe_load(setting.partition("=")[2]) for setting in settings}
        content = yaml.safe_load(SPACE)
        for path, value in fixed.items():
            content[path.partition(".")[0]][path.partition(".")[2]] = value
        home.space.write_text(yaml.safe_dump(content), encoding="utf-8")
        checked = aster("space", "check", home.space)
        assert checked.code == 2
        assert problem in checked.complaint


def test_a_choice_that_can_never_be_used_is_said_by_check_and_search(continued: Home) -> None:
    setting = "hardware.adc_kind={choices: [sar, table]}"
    ran = continued.search(
        "--study", "t", "--trials", 1, "--set", setting, "--set", "hardware.library=neurosim"
    )
    assert ran.code == 0, ran.err
    said = (
        "note: hardware.adc_kind: table can never be used: hardware.adc_kind: library neurosim has no figures"
    )
    assert said in ran.err
    entries = "{library: neurosim, adc_kind: {choices: [sar, table]}, "
    continued.space.write_text(SPACE.replace("hardware: {", f"hardware: {entries}"), encoding="utf-8")
    assert said in aster("space", "check", continued.space).out
    (note,) = aster("space", "check", continued.space, "--json").document["notes"]
    assert said.endswith(note[: len(said) - 6])
