"""Scoring the networks of a study anew, and figures that are all of one library, on a real store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from analytic_jobs import SPACE, AnalyticJobs, content, nothing, search, space

from aster_dse.errors import InputError
from aster_dse.hardware.documents import shipped_text
from aster_dse.hardware.sources import ModelRecord, model_record
from aster_dse.search.driver import run_search
from aster_dse.search.protocol import NetworkJob, NetworkResult, Outcome
from aster_dse.search.serial import SerialExecutor
from aster_dse.search.study import check_same_model, open_study
from aster_dse.space import load_space
from aster_dse.store import StudyReader, StudyStore


def test_a_library_edited_in_the_middle_of_a_search_changes_no_job(tmp_path: Path, database_url: str) -> None:
    library = tmp_path / "mine.yaml"
    text = shipped_text("libraries", "neurosim")
    library.write_text(text, encoding="utf-8")

    def edit(_: NetworkJob, result: NetworkResult) -> Outcome:
        library.write_text("name: broken", encoding="utf-8")
        return result

    jobs = AnalyticJobs(edit)
    summary = search(database_url, space(f"hardware.library={library}"), 3, jobs=jobs)
    assert summary.complete == 3
    assert [dict(job.user_files) for job in jobs.jobs] == [{str(library): text}] * 3


def rescored(url: str, searched: ModelRecord, jobs: AnalyticJobs, trials: int) -> None:
    with StudyStore(url) as store:
        run_search(
            store,
            store.study("s"),
            space(*HALVING),
            SerialExecutor(run=jobs, load=nothing),
            artifacts=Path("artifacts"),
            trials=trials,
            rescored=searched,
        )


HALVING = ("training.epochs=27", "search.early_stopping=3", "search.first_look=0.1")


def test_rescoring_replaces_every_figure_once(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    jobs = AnalyticJobs()
    summary = search(database_url, space(*HALVING), 12, jobs=jobs)
    assert summary.paused
    before = {row[0]: row for row in content(database_url)}
    with StudyReader(database_url) as reader:
        study = reader.study("s")
        counts, looks = reader.counts(study.id), reader.looks(study.id)
        hours = {trial.number: trial.wall_s for trial in reader.trials(study.id)}
    assert study.model == model_record(space(*HALVING))
    other = replace(study.model, cost_model=study.model.cost_model + 1)
    rescored(database_url, other, jobs, 12)
    with StudyReader(database_url) as reader:
        after = reader.study("s")
        assert after.model == other
        assert after.reference_point == study.reference_point
        again = reader.counts(study.id)
        assert (again.complete + again.paused, again.running, again.failed) == (12, 0, 0)
        assert again.complete >= counts.complete
        assert again.reused == counts.reused == 0
        assert {look.trial for look in looks} >= {look.trial for look in reader.looks(study.id)}
        for trial in reader.trials(study.id):
            assert trial.wall_s > hours[trial.number]
            attempts = reader.attempts(study.id, trial.number)
            assert "lost" not in [str(attempt.state) for attempt in attempts]
    ended = {row[0]: row for row in content(database_url)}
    assert {number: row[2] for number, row in ended.items()} == {n: row[2] for n, row in before.items()}


def test_a_new_version_of_the_model_is_told_from_the_old_one(database_url: str) -> None:
    search(database_url, space(), 1)
    with StudyStore(database_url) as store:
        study = store.study("s")
        assert study.model is not None
        check_same_model(study, study.model.now())
        ideal = replace(study.model, numerics=study.model.numerics + 1)
        check_same_model(study, ideal)
        real = replace(
            study, space={**study.space, "hardware": {**study.space["hardware"], "arrays": "real"}}
        )
        with pytest.raises(InputError, match="numerics of real arrays: version"):
            check_same_model(real, ideal)
        # An extension brings its own libraries along.
        wider = space("hardware.library={choices: [neurosim, aster-mixed]}", "search.trials=2")
        narrow = space("hardware.library=neurosim")
        row = open_study(store, narrow, "wide", code_version="test")
        assert row.model is not None
        known = {source.name for source in row.model.sources}
        row = open_study(store, wider, "wide", extend=True, code_version="test")
        assert row.model is not None
        assert {source.name for source in row.model.sources} == known | {"neurosim", "aster-mixed"}


def test_presets_and_the_libraries_that_they_name_are_recorded_too(tmp_path: Path) -> None:
    preset = yaml.safe_load(shipped_text("presets", "neurosim-rram-32nm"))
    preset["knobs"]["library"] = "inside.yaml"
    (tmp_path / "parts").mkdir()
    named = tmp_path / "parts" / "preset.yaml"
    named.write_text(yaml.safe_dump(preset), encoding="utf-8")
    (tmp_path / "parts" / "inside.yaml").write_text(shipped_text("libraries", "neurosim"), encoding="utf-8")
    file = tmp_path / "space.yaml"
    hardware = {**SPACE["hardware"], "base": {"choices": ["parts/preset.yaml", "isaac-32nm"]}}
    file.write_text(yaml.safe_dump({**SPACE, "hardware": hardware}), encoding="utf-8")
    before = model_record(load_space(file))
    assert [(source.kind, source.name) for source in before.sources] == [
        ("preset", "parts/preset.yaml"),
        ("preset", "isaac-32nm"),
        ("library", "parts/inside.yaml"),
        ("library", "isaac-32nm"),
    ]
    assert set(before.texts) == {"parts/preset.yaml", "parts/inside.yaml"}
    own = model_record(load_space(file).override("hardware.library=neurosim"))
    assert [source.name for source in own.sources if source.kind == "library"] == ["neurosim"]
    preset["fabric"]["router_cycles"] += 1
    named.write_text(yaml.safe_dump(preset), encoding="utf-8")
    cycles = preset["fabric"]["router_cycles"]
    assert before.changes(model_record(load_space(file)), real_arrays=False) == [
        f"preset parts/preset.yaml: fabric.router_cycles: {cycles - 1} -> {cycles}"
    ]
    # Names on the command line are seen from here, those in the file from the file.
    assert load_space(file).override("hardware.base=here.yaml").fixed["hardware.base"] == str(
        Path("here.yaml").absolute()
    )
    assert ModelRecord.from_dict(before.as_dict()) == before
