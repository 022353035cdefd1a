"""A job on real arrays: its passes are told, kept, found again, and one that fails leaves the others."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from array_jobs import SPACE, array_job, space

from aster_dse.activity.files import load_trace
from aster_dse.errors import InputError
from aster_dse.evaluation.on_arrays import computing_of
from aster_dse.hardware import resolve
from aster_dse.numerics import network_passes
from aster_dse.numerics.calibration import array_layers, calibrate, folded_layers
from aster_dse.numerics.cells import Chip
from aster_dse.numerics.passes import array_logits
from aster_dse.policy import exits
from aster_dse.search.driver import run_search
from aster_dse.search.job import run_job
from aster_dse.search.protocol import (
    EpochReport,
    NetworkFailure,
    NetworkJob,
    NetworkPause,
    NetworkResult,
    PassReport,
    Report,
)
from aster_dse.search.scoring import TestScorer
from aster_dse.search.serial import SerialExecutor
from aster_dse.search.study import open_study
from aster_dse.space import SearchSpace, assign
from aster_dse.store import StudyStore
from aster_dse.training import load_trained
from aster_dse.training.trained import Feed
from aster_dse.workload import load_workload


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("artifacts")


@pytest.fixture(scope="module")
def first(artifacts: Path) -> tuple[NetworkResult, list[Report]]:
    reports: list[Report] = []
    outcome = run_job(array_job(artifacts), on_report=reports.append)
    assert isinstance(outcome, NetworkResult), outcome
    return outcome, reports


@pytest.fixture
def copied(first: tuple[NetworkResult, list[Report]], artifacts: Path, tmp_path: Path) -> Path:
    """A folder with the trained network and all its passes, to do with as one likes."""
    assert first[0].training["passes_made"]
    return Path(shutil.copytree(artifacts, tmp_path / "copied"))


def passes_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/pass-*.npz"))


def again(folder: Path) -> NetworkResult:
    outcome = run_job(array_job(folder))
    assert isinstance(outcome, NetworkResult), outcome
    return outcome


def test_passes_are_told_after_the_epochs_and_counted(
    first: tuple[NetworkResult, list[Report]], artifacts: Path
) -> None:
    result, reports = first
    assert all(isinstance(report, EpochReport) for report in reports[:2])
    passes = reports[2:]
    # Of at most six classes, two chips, once to choose and once to verify.
    assert passes == [PassReport(0, number, 16) for number in range(1, len(passes) + 1)]
    assert result.training["passes_made"] == len(passes) == len(passes_in(artifacts))
    assert 1 <= result.training["array_classes"] <= 4
    assert result.training["passes_failed"] == []
    assert {p.name for p in artifacts.glob("*/*.npz")} == {n for n in result.files if n.endswith(".npz")}
    for evaluation in result.evaluations:
        assert evaluation.metrics["accuracy_min"] <= evaluation.metrics["accuracy"]


def test_a_second_job_makes_none(first: tuple[NetworkResult, list[Report]], copied: Path) -> None:
    found = again(copied)
    assert (found.reused, found.training["passes_made"]) == (True, 0)
    assert found.evaluations == first[0].evaluations


def test_one_that_is_missing_or_damaged_is_made_again(
    first: tuple[NetworkResult, list[Report]], copied: Path
) -> None:
    missing, damaged, *_ = passes_in(copied)
    missing.unlink()
    damaged.write_bytes(damaged.read_bytes()[:100])
    found = again(copied)
    assert (found.training["passes_made"], found.training["calibrations_made"]) == (2, 0)
    assert found.evaluations == first[0].evaluations


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from array_jobs import array_job
from aster_dse.search.job import run_job
from aster_dse.search.protocol import PassReport

def die(report):
    if isinstance(report, PassReport) and report.number == 3:
        os.kill(os.getpid(), signal.SIGKILL)

run_job(array_job(Path(sys.argv[1])), on_report=die)
"""


def test_a_worker_killed_between_passes_leaves_those_it_made(
    first: tuple[NetworkResult, list[Report]], copied: Path
) -> None:
    total = len(passes_in(copied))
    for path in copied.glob("*/*-*.npz"):
        path.unlink()
    command = [sys.executable, "-c", KILLED, str(copied), os.path.dirname(__file__)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert len(passes_in(copied)) == 2
    found = again(copied)
    assert found.training["passes_made"] == total - 2
    assert found.evaluations == first[0].evaluations


def failing(monkeypatch: pytest.MonkeyPatch, when: Any) -> None:
    """Have passes fail on some arrays."""
    real = network_passes.run_pass

    def run_pass(trained: Any, workload: Any, layers: Any, plain: Any, **options: Any) -> Any:
        if when(layers[0]):
            raise RuntimeError("these arrays are on fire")
        return real(trained, workload, layers, plain, **options)

    monkeypatch.setattr(network_passes, "run_pass", run_pass)


def without_passes(folder: Path) -> Path:
    for path in passes_in(folder):
        path.unlink()
    return folder


def test_a_pass_that_fails_is_told_and_the_others_go_on(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, lambda layer: layer.arrays.adc_levels == 32)
    found = again(without_passes(copied))
    reasons = found.training["passes_failed"]
    assert reasons
    for reason in reasons:
        assert reason.startswith(f"network {found.training_key} on arrays of ")
        assert "32 levels" in reason
        assert reason.endswith("calibration set 0: these arrays are on fire")
    assert {evaluation.assignment["hardware.adc_levels"] for evaluation in found.evaluations} == {4}


def test_one_that_fails_when_it_is_verified_takes_its_own_configurations_along(
    first: tuple[NetworkResult, list[Report]], copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified = {e.assignment["hardware.rows"] for e in first[0].evaluations}
    lost = min(verified)
    failing(monkeypatch, lambda layer: layer.chip.number >= 2 and layer.arrays.rows == lost)
    outcome = run_job(array_job(without_passes(copied)))
    if verified == {lost}:
        assert isinstance(outcome, NetworkFailure)
    else:
        assert isinstance(outcome, NetworkResult)
        assert {e.assignment["hardware.rows"] for e in outcome.evaluations} == verified - {lost}
        assert any("calibration set 1" in reason for reason in outcome.training["passes_failed"])


def test_where_all_fail_the_trial_does(
    first: tuple[NetworkResult, list[Report]], copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, lambda layer: layer is not None)
    outcome = run_job(array_job(without_passes(copied)))
    assert isinstance(outcome, NetworkFailure)
    assert outcome.kind == "error"
    assert outcome.reason.startswith(f"network {first[0].training_key} on arrays of ")
    assert outcome.reason.endswith("these arrays are on fire")


def test_a_look_leaves_nothing_but_the_checkpoint(tmp_path: Path) -> None:
    reports: list[Report] = []
    paused = run_job(array_job(tmp_path, pause_at=1), on_report=reports.append)
    assert isinstance(paused, NetworkPause)
    looks = [report for report in reports if isinstance(report, PassReport)]
    # Two classes at most, two chips, nothing verified.
    assert looks
    assert {report.at_most for report in looks} == {4}
    folder = tmp_path / paused.training_key
    names = {path.name for path in folder.iterdir()}
    assert names == {"epoch.safetensors", "epoch.safetensors.sha256", "lock"}
    # What a worker that was killed during a look left.
    (folder / "look-1").mkdir()
    (folder / "look-1" / "pass-0.npz").write_bytes(b"")
    assert isinstance(run_job(array_job(tmp_path, inner=({},), question=None)), NetworkResult)
    assert not (folder / "look-1").exists()


class OtherDisk(SerialExecutor):
    """A worker that does not see the driver's disk."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def submit(self, job: NetworkJob) -> None:
        super().submit(replace(job, artifacts=str(self.folder)))


def test_passes_travel_and_are_catalogued(copied: Path, sqlite_url: str, tmp_path: Path) -> None:
    here = tmp_path / "here"
    with StudyStore(sqlite_url) as store:
        study = open_study(store, space(), "s", code_version="0")
        summary = run_search(store, study, space(), OtherDisk(copied), artifacts=here, trials=1)
        (trial,) = store.trials(study.id)
        kinds = [file.kind for file in store.artifacts(trial.training_key)]
        (training,) = store.trainings(study.id)
    assert (summary.complete, summary.failed) == (1, 0)
    assert summary.array_classes >= 1
    assert passes_in(here)
    assert kinds.count("pass") == len(passes_in(here))
    assert (kinds.count("checkpoint"), kinds.count("trace")) == (1, 1)
    assert trial.passes is not None
    assert trial.passes["array_classes"] == summary.array_classes
    assert trial.passes["passes_made"] == summary.passes_made
    # They are of the trial: another study may ask other passes of the same network.
    assert not {"passes_made", "passes_failed"} & training.detail.keys()


def test_another_kind_of_arrays_is_another_study(sqlite_url: str) -> None:
    ideal = {**SPACE, "hardware": {"rows": {"choices": [32, 128]}, "adc_levels": {"choices": [4, 32]}}}
    with StudyStore(sqlite_url) as store:
        open_study(store, SearchSpace.from_mapping(ideal), "s", code_version="0")
        with pytest.raises(InputError, match=r"hardware.arrays: ideal -> real.*would not compare") as refused:
            open_study(store, space(), "s", extend=True, code_version="0")
    assert "\n" not in str(refused.value)


def test_the_test_split_runs_through_the_verified_chips(
    first: tuple[NetworkResult, list[Report]], copied: Path
) -> None:
    point = assign(array_job(copied).candidate, dict(first[0].evaluations[0].assignment))
    score = TestScorer(copied)(point)
    assert score is not None
    assert (score.samples, score.chips) == (299, 2)
    assert score.low < score.accuracy < score.high

    folder = copied / point.training_key()
    trained, workload = load_trained(folder), load_workload(point.workload)
    accelerator = resolve(point.hardware)
    arrays = computing_of(accelerator, trained.geometry, 1).arrays
    folded = folded_layers(trained, workload)
    shares = []
    for number in (2, 3):
        chip = Chip(accelerator.conditions, number)
        calibration = calibrate(trained, workload, folded, arrays, chip)
        layers = array_layers(trained.geometry, folded, arrays, chip, calibration)
        feed = Feed(workload.test, workload, next(trained.model.parameters()).device)
        logits = array_logits(trained, workload, layers, feed)[0]
        left = exits(logits, point.policy.exit_threshold, metric=point.policy.exit_metric)
        shares.append(float((left.predictions == workload.test.labels).mean()))
    assert score.accuracy == pytest.approx(np.mean(shares), abs=1e-12)
    assert score.accuracy_min == min(shares)
    assert score.accuracy_std == pytest.approx(np.std(shares, ddof=1), abs=1e-12)

    ideal = point.model_copy(update={"hardware": point.hardware.model_copy(update={"arrays": "ideal"})})
    plain = TestScorer(copied)(ideal)
    assert plain is not None
    assert (plain.accuracy, plain.chips) == (score.accuracy_ideal, None)
    # The trace of the search is of validation samples; those of the test split lie beside it.
    sizes = {len(load_trace(path, trained.geometry).labels) for path in passes_in(copied)}
    assert sizes == {299, 300}
