"""A trial's work: trained once, traced once, resumed where it was killed, scored the same in any company."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from aster_dse.evaluation.question import InnerQuestion
from aster_dse.search.job import run_job
from aster_dse.search.protocol import EpochReport, NetworkFailure, NetworkJob, NetworkPause, NetworkResult
from aster_dse.search.scoring import TestScorer
from aster_dse.space import METRICS, Candidate, NetworkConfig, SearchSpace, TrainingConfig, WorkloadConfig

CANDIDATE = Candidate(
    workload=WorkloadConfig(name="digits-dvs", resolution=8, timesteps=3),
    network=NetworkConfig(width=8, depth=2, pooling="1000", stem="4-2-1-1"),
    training=TrainingConfig(epochs=3, warmup_epochs=0.5, bn_weight_init=2.0),
)
INNER: tuple[dict[str, Any], ...] = (
    {},
    {"policy.exit_threshold": 0.2},
    {"policy.timesteps": 1, "hardware.rows": 64},
    {"policy.skip_threshold": 1.0},
    {"hardware.event_gating": False, "hardware.adc_levels": 8},
)


def _job(artifacts: Path, **changes: Any) -> NetworkJob:
    job = NetworkJob("s", 3, CANDIDATE, INNER, ("accuracy >= 0.99", "area_mm2 <= 1000"), str(artifacts))
    return replace(job, **changes)


def _run(job: NetworkJob) -> NetworkResult:
    outcome = run_job(job)
    assert isinstance(outcome, NetworkResult), outcome
    return outcome


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("artifacts")


@pytest.fixture(scope="module")
def first(artifacts: Path) -> tuple[NetworkResult, list[EpochReport]]:
    reports: list[EpochReport] = []
    outcome = run_job(_job(artifacts), on_report=reports.append)
    assert isinstance(outcome, NetworkResult)
    return outcome, reports


def test_a_result_says_everything(first: tuple[NetworkResult, list[EpochReport]], artifacts: Path) -> None:
    result, reports = first
    assert not result.reused
    assert result.trial == 3
    assert [r.epoch for r in reports] == [1, 2, 3]
    assert result.training["epochs"] == 3
    assert reports[-1].accuracy == result.training["accuracy"] == result.evaluations[0].metrics["accuracy"]
    assert [e.assignment for e in result.evaluations] == list(INNER)
    for evaluation in result.evaluations:
        assert evaluation.metrics.keys() == METRICS.keys()
        cost = evaluation.detail["hardware"]
        assert sum(cost["energy_pj_by_layer"].values()) == pytest.approx(cost["energy_uj"] * 1e6, rel=1e-12)
        assert sum(cost["energy_pj_by_component"].values()) == pytest.approx(
            cost["energy_uj"] * 1e6, rel=1e-12
        )
        assert not evaluation.feasible
        assert evaluation.violation == pytest.approx((0.99 - evaluation.metrics["accuracy"]) / 0.99)
    assert (artifacts / result.training_key / "network.safetensors").read_bytes() == result.files[
        "network.safetensors"
    ]


def test_shortcuts_save(first: tuple[NetworkResult, list[EpochReport]]) -> None:
    full, early, short, skipping, _ = first[0].evaluations
    assert full.metrics["mean_timesteps"] == 3.0
    assert full.detail["exit_histogram"] == [0.0, 0.0, 1.0]
    assert early.metrics["mean_timesteps"] < 3.0
    assert early.metrics["energy_uj"] < full.metrics["energy_uj"]
    assert short.metrics["mean_timesteps"] == 1.0
    assert skipping.detail["skipped_blocks"] == [0, 1]
    assert skipping.metrics["energy_uj"] < full.metrics["energy_uj"]


def test_nothing_is_trained_twice(first: tuple[NetworkResult, list[EpochReport]], artifacts: Path) -> None:
    reports: list[EpochReport] = []
    again = run_job(_job(artifacts), on_report=reports.append)
    assert isinstance(again, NetworkResult)
    assert again.reused
    assert not reports
    assert again.evaluations == first[0].evaluations


def test_company_changes_no_score(first: tuple[NetworkResult, list[EpochReport]], artifacts: Path) -> None:
    for inner, expected in zip(INNER, first[0].evaluations, strict=True):
        alone = _run(_job(artifacts, inner=(inner,))).evaluations[0]
        assert alone.metrics == pytest.approx(expected.metrics, rel=1e-12)


def test_a_fresh_training_gives_the_same(
    first: tuple[NetworkResult, list[EpochReport]], tmp_path: Path
) -> None:
    again = _run(_job(tmp_path))
    assert not again.reused
    assert again.evaluations == first[0].evaluations
    assert _tensors(again) == _tensors(first[0])


def _tensors(result: NetworkResult) -> bytes:
    """The weights' bytes; the header before them also holds how long the training took."""
    content = result.files["network.safetensors"]
    return content[8 + int.from_bytes(content[:8], "little") :]


@pytest.mark.parametrize("name", ["trace.npz", "network.safetensors"])
def test_damaged_files_are_made_again(
    first: tuple[NetworkResult, list[EpochReport]], tmp_path: Path, name: str
) -> None:
    folder = tmp_path / first[0].training_key
    folder.mkdir()
    for kept, content in first[0].files.items():
        (folder / kept).write_bytes(content if kept != name else content[: len(content) // 2])
    again = _run(_job(tmp_path))
    assert again.evaluations == first[0].evaluations
    assert again.reused == (name == "trace.npz")


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from test_job import _job
from aster_dse.search.job import run_job

def die(report):
    if report.epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)

run_job(_job(Path(sys.argv[1])), on_report=die)
"""


def test_a_killed_training_goes_on_from_its_last_epoch(
    first: tuple[NetworkResult, list[EpochReport]], tmp_path: Path
) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path), os.path.dirname(__file__)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    reports: list[EpochReport] = []
    outcome = run_job(_job(tmp_path), on_report=reports.append)
    assert isinstance(outcome, NetworkResult)
    assert [r.epoch for r in reports] == [3]
    assert outcome.training["resumed_from_epoch"] == 2
    assert outcome.evaluations == first[0].evaluations


def _question(**changes: Any) -> InnerQuestion:
    space = SearchSpace.from_mapping(
        {
            "name": "paused",
            "workload": {"name": "digits-dvs"},
            "policy": {"timesteps": {"low": 1, "high": 3}},
            "hardware": {"rows": {"choices": [32, 64]}},
            "objectives": {"accuracy": "max", "energy_uj": "min"},
        }
    )
    bounds = ("accuracy >= 0.99", "area_mm2 <= 1000")
    question = InnerQuestion(space.inner, {}, space.objectives, bounds, count=1000, seed=0)
    return replace(question, **changes)


def test_a_paused_training_goes_on_elsewhere_and_ends_the_same(
    first: tuple[NetworkResult, list[EpochReport]], tmp_path: Path
) -> None:
    paused = run_job(_job(tmp_path / "here", question=_question(), pause_at=1))
    assert isinstance(paused, NetworkPause)
    assert (paused.epoch, list(paused.files)) == (1, ["epoch.safetensors"])
    assert paused.training_key == first[0].training_key
    assert paused.accuracy == first[0].training["history"][0]["accuracy"]
    # A bound on the accuracy is for the end; what the network can do by now is seen without it.
    assert paused.evaluations
    assert all(evaluation.feasible for evaluation in paused.evaluations)
    assert {path.name for path in (tmp_path / "here" / paused.training_key).iterdir()} == {
        "epoch.safetensors",
        "epoch.safetensors.sha256",
        "lock",
    }
    reports: list[EpochReport] = []
    outcome = run_job(_job(tmp_path / "there", files=paused.files), on_report=reports.append)
    assert isinstance(outcome, NetworkResult)
    assert [report.epoch for report in reports] == [2, 3]
    assert outcome.evaluations == first[0].evaluations
    assert _tensors(outcome) == _tensors(first[0])


def test_a_checkpoint_that_came_farther_stays(tmp_path: Path) -> None:
    first = run_job(_job(tmp_path, question=_question(), pause_at=1))
    second = run_job(_job(tmp_path, question=_question(), pause_at=2))
    assert isinstance(first, NetworkPause)
    assert isinstance(second, NetworkPause)
    assert second.epoch == 2
    reports: list[EpochReport] = []
    run_job(_job(tmp_path, files=first.files), on_report=reports.append)
    assert [report.epoch for report in reports] == [3]


def test_a_network_that_is_found_trained_does_not_pause(
    first: tuple[NetworkResult, list[EpochReport]], artifacts: Path
) -> None:
    del first
    outcome = run_job(_job(artifacts, question=_question(), pause_at=1))
    assert isinstance(outcome, NetworkResult)
    assert outcome.reused


def test_two_that_want_one_network_train_it_once(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        results = list(pool.map(_run, [_job(tmp_path)] * 2))
    assert sorted(r.reused for r in results) == [False, True]
    assert results[0].evaluations == results[1].evaluations


@pytest.mark.usefixtures("first")
def test_what_cannot_exist_is_a_typed_failure(artifacts: Path) -> None:
    outcome = run_job(_job(artifacts, inner=({"hardware.column_mux": 7},)))
    assert isinstance(outcome, NetworkFailure)
    assert outcome.kind == "input"
    assert "hardware.column_mux" in outcome.reason


@pytest.mark.usefixtures("first")
def test_the_test_split_is_scored_with_its_interval(artifacts: Path, tmp_path: Path) -> None:
    score = TestScorer(artifacts)(CANDIDATE)
    assert score is not None
    assert score.samples == 299
    assert 0.0 <= score.low < score.accuracy < score.high <= 1.0
    assert TestScorer(tmp_path)(CANDIDATE) is None
