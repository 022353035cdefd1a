"""A network that was made anew and came out differently: figures of the old one do not stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch

from aster_dse.search.automatic import Choice
from aster_dse.search.driver import run_search
from aster_dse.search.job import run_job
from aster_dse.search.protocol import (
    EpochReport,
    FileReport,
    NetworkFailure,
    NetworkJob,
    NetworkPause,
    NetworkResult,
    Outcome,
    PassReport,
)
from aster_dse.search.serial import SerialExecutor
from aster_dse.search.study import open_study
from aster_dse.search.telling import Progress, SearchSummary
from aster_dse.space import Candidate, SearchSpace
from aster_dse.store import StudyStore
from aster_dse.stored_files import keep

SPACE: dict[str, Any] = {
    "name": "made-anew",
    "workload": {"name": "digits-dvs", "resolution": 8, "timesteps": 2},
    "network": {"width": 8, "depth": 1, "pooling": "1000", "stem": "4-2-1-1"},
    "training": {"epochs": 1, "warmup_epochs": 0.0, "bn_weight_init": 2.0},
    "policy": {"exit_threshold": {"choices": [0.2, 0.5]}},
    "hardware": {"rows": {"choices": [32, 128]}},
    "objectives": {"accuracy": "max", "energy_uj": "min"},
    "search": {"inner": 10, "seed": 1},
}


class Listener:
    """Keeps what is said of files."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def sampler_chosen(self, choice: Choice) -> None: ...

    def trial_started(self, number: int, candidate: Candidate) -> None: ...

    def epoch(self, report: EpochReport) -> None: ...

    def passes(self, report: PassReport) -> None: ...

    def file(self, report: FileReport) -> None:
        self.said.append(report.text)

    def trial_ended(self, outcome: Outcome, progress: Progress) -> None: ...


def search(folder: Path, study: str) -> tuple[SearchSummary, list[str]]:
    space = SearchSpace.from_mapping(SPACE)
    listener = Listener()
    with StudyStore(f"sqlite:///{folder / 'studies.db'}") as store:
        row = open_study(store, space, study, code_version="test")
        executor = SerialExecutor()
        summary = run_search(
            store, row, space, executor, artifacts=folder / "artifacts", trials=1, observer=listener
        )
    return summary, listener.said


def figures(folder: Path, study: str) -> list[tuple[dict[str, Any], dict[str, float], int | None]]:
    with StudyStore(f"sqlite:///{folder / 'studies.db'}") as store:
        row = store.study(study)
        assert store.stale_trials(row.id) == []
        frame = store.evaluations(row.id)
        found = store.evaluations_at(row.id, list(zip(frame["trial"], frame["index"], strict=True)))
        return [(e.evaluation.assignment, e.evaluation.metrics, e.told_order) for e in found]


def made_elsewhere(folder: Path) -> None:
    """In the place of the network another one of the same configuration, as another machine makes it."""
    (path,) = (folder / "artifacts").glob("*/network.safetensors")
    with safetensors.safe_open(path, framework="pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for name in tensors:
        if name.endswith("bn.weight"):
            tensors[name] *= 0.8
    keep(path, safetensors.torch.save(tensors, metadata))


def as_scored_now(folder: Path, assignments: list[dict[str, Any]]) -> list[dict[str, float]]:
    space = SearchSpace.from_mapping(SPACE)
    candidate = space.candidate({p.path: p.from_unit(0.5) for p in space.parameters})
    outcome = run_job(NetworkJob("s", 0, candidate, tuple(assignments), (), str(folder / "artifacts")))
    assert isinstance(outcome, NetworkResult)
    assert outcome.reused
    return [evaluation.metrics for evaluation in outcome.evaluations]


def test_evaluations_of_weights_that_are_gone_are_scored_anew_in_every_study(tmp_path: Path) -> None:
    search(tmp_path, "first")
    before = figures(tmp_path, "first")
    made_elsewhere(tmp_path)
    summary, said = search(tmp_path, "second")
    assert summary.trainings_reused == 1
    after = figures(tmp_path, "first")
    assert [(row[0], row[2]) for row in after] == [(row[0], row[2]) for row in before]
    assert [row[1] for row in after] != [row[1] for row in before]
    assert [row[1] for row in after] == as_scored_now(tmp_path, [row[0] for row in after])
    assert any("study first, trial 0: its network was made anew and differs" in line for line in said)
    assert any("trace of another network" in line for line in said)


def test_a_study_that_another_driver_holds_is_scored_anew_when_it_is_next_driven(tmp_path: Path) -> None:
    search(tmp_path, "first")
    before = figures(tmp_path, "first")
    made_elsewhere(tmp_path)
    with StudyStore(f"sqlite:///{tmp_path / 'studies.db'}") as other:
        row = other.study("first")
        with other.lease(row.id):
            _, said = search(tmp_path, "second")
        assert any("study first: evaluations of networks that were made anew remain" in line for line in said)
        assert [trial.number for trial in other.stale_trials(row.id)] == [0]
    _, said = search(tmp_path, "first")
    assert any("scored anew" in line for line in said)
    after = figures(tmp_path, "first")
    assert [row[1] for row in after] != [row[1] for row in before]
    assert [row[1] for row in after] == as_scored_now(tmp_path, [row[0] for row in after])


@pytest.mark.parametrize("name", ["network.safetensors", "trace.npz"])
def test_a_network_that_comes_out_the_same_leaves_all_figures_as_they_are(tmp_path: Path, name: str) -> None:
    search(tmp_path, "first")
    before = figures(tmp_path, "first")
    (path,) = (tmp_path / "artifacts").glob(f"*/{name}")
    path.write_bytes(path.read_bytes()[:-100])
    summary, said = search(tmp_path, "second")
    assert summary.complete == 1
    assert len(said) == 1
    assert "set aside" in said[0]
    assert figures(tmp_path, "first") == before == figures(tmp_path, "second")


def test_pauses_and_failures_are_no_outcome_of_scoring_anew(tmp_path: Path) -> None:
    """They are said, and the old figures stay marked."""
    search(tmp_path, "first")
    made_elsewhere(tmp_path)
    with StudyStore(f"sqlite:///{tmp_path / 'studies.db'}") as store:
        held = store.study("first")
        with store.lease(held.id):
            search(tmp_path, "second")

    def fails(job: NetworkJob, **_: Any) -> Outcome:
        return NetworkFailure(job.trial, job.candidate.training_key(), "memory", "no memory")

    listener = Listener()
    space = SearchSpace.from_mapping(SPACE)
    with StudyStore(f"sqlite:///{tmp_path / 'studies.db'}") as store:
        study = store.study("first")
        executor = SerialExecutor(run=fails)
        run_search(store, study, space, executor, artifacts=tmp_path / "a", trials=1, observer=listener)
        assert len(store.stale_trials(study.id)) == 1
    assert any("cannot be scored anew: no memory" in line for line in listener.said)
    assert NetworkPause.__name__ not in "".join(listener.said)
