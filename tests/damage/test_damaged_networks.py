"""Damaged files of trained networks: each is said, set aside and made anew, and every figure is the same."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from damages import DAMAGES, flip

from aster_dse.errors import InputError
from aster_dse.evaluation.question import InnerQuestion
from aster_dse.search.job import run_job
from aster_dse.search.protocol import FileReport, NetworkJob, NetworkPause, NetworkResult, Report
from aster_dse.search.scoring import TestScorer
from aster_dse.space import Candidate, SearchSpace
from aster_dse.stored_files import digest_file, keep

SPACE: dict[str, Any] = {
    "name": "damaged",
    "workload": {"name": "digits-dvs", "resolution": 8, "timesteps": 2},
    "network": {"width": 8, "depth": 1, "pooling": "1000", "stem": "4-2-1-1"},
    "training": {"epochs": 2, "warmup_epochs": 0.5, "bn_weight_init": 2.0},
    "policy": {"exit_threshold": {"choices": [0.2, 0.5]}},
    "hardware": {
        "arrays": "real",
        "rows": {"choices": [32]},
        "adc_levels": {"choices": [4]},
    },
    "objectives": {"accuracy": "max", "energy_uj": "min"},
}


def job(artifacts: Path, **changes: Any) -> NetworkJob:
    space = SearchSpace.from_mapping(SPACE)
    question = InnerQuestion(
        parameters=space.inner,
        inactive={p.path: space.fixed[p.path] for p in space.inner},
        objectives=dict(space.objectives),
        constraints=(),
        count=10,
        seed=0,
    )
    return NetworkJob("s", 0, candidate(), (), (), str(artifacts), question=question, **changes)


def candidate() -> Candidate:
    space = SearchSpace.from_mapping(SPACE)
    return space.candidate({p.path: p.from_unit(0.5) for p in space.parameters})


def run(artifacts: Path, **changes: Any) -> tuple[NetworkResult, list[str]]:
    """The result, and what was said of files."""
    reports: list[Report] = []
    outcome = run_job(job(artifacts, **changes), on_report=reports.append)
    assert isinstance(outcome, NetworkResult), outcome
    return outcome, [report.text for report in reports if isinstance(report, FileReport)]


KINDS = ("network.safetensors", "trace.npz", "pass-*.npz", "calibration-*.npz")
CASES = [
    # One rule protects them all, so each kind is damaged in one way here and in every way in long runs.
    pytest.param(kind, damage, marks=() if place == kind_place else pytest.mark.slow)
    for kind_place, kind in enumerate(KINDS)
    for place, damage in enumerate(DAMAGES)
]


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("artifacts")


@pytest.fixture(scope="module")
def first(artifacts: Path) -> NetworkResult:
    result, said = run(artifacts)
    assert said == []
    return result


@pytest.fixture
def copied(first: NetworkResult, artifacts: Path, tmp_path: Path) -> Path:
    assert first.files
    return Path(shutil.copytree(artifacts, tmp_path / "copied"))


def file_in(artifacts: Path, pattern: str) -> Path:
    return next(path for path in sorted(artifacts.glob(f"*/{pattern}")))


@pytest.mark.parametrize(("pattern", "damage"), CASES)
def test_a_damaged_file_of_a_network_is_said_and_made_anew(
    first: NetworkResult, copied: Path, pattern: str, damage: str
) -> None:
    path = file_in(copied, pattern)
    DAMAGES[damage](path)
    spoilt = path.read_bytes()
    if pattern.startswith("calibration"):
        # It is looked at only where a pass is made.
        for kept in copied.glob("*/pass-*.npz"):
            kept.unlink()
    again, said = run(copied)
    assert again.evaluations == first.evaluations
    assert again.training["weights"] == first.training["weights"]
    assert again.reused == (pattern != "network.safetensors")
    assert len(said) == 1
    assert str(path) in said[0]
    assert path.with_name(path.name + ".aside").read_bytes() == spoilt
    assert run(copied)[1] == []


@pytest.mark.parametrize("damage", ["flipped", "replaced"])
def test_a_damaged_network_is_found_by_what_the_store_knows_where_no_digest_lies_beside_it(
    first: NetworkResult, copied: Path, damage: str
) -> None:
    path = file_in(copied, "trace.npz")
    digest_file(path).unlink()
    known = {path.name: keep(path.with_name("same"), path.read_bytes())}
    assert run(copied, expected=known)[1] == []
    digest_file(path).unlink()
    DAMAGES[damage](path)
    again, said = run(copied, expected=known)
    assert again.evaluations == first.evaluations
    assert len(said) == 1


@pytest.mark.parametrize(
    "damage", [pytest.param(d, marks=() if d == "flipped" else pytest.mark.slow) for d in DAMAGES]
)
def test_a_damaged_state_of_a_training_is_said_and_the_training_begun_anew(
    first: NetworkResult, tmp_path: Path, damage: str
) -> None:
    paused = run_job(job(tmp_path, pause_at=1))
    assert isinstance(paused, NetworkPause), paused
    path = file_in(tmp_path, "epoch.safetensors")
    DAMAGES[damage](path)
    again, said = run(tmp_path)
    assert again.training["weights"] == first.training["weights"]
    assert again.training["resumed_from_epoch"] == 0
    assert len(said) == 1
    assert "epoch.safetensors" in said[0]


def test_a_whole_state_that_the_driver_has_takes_the_place_of_a_damaged_one(
    first: NetworkResult, tmp_path: Path
) -> None:
    paused = run_job(job(tmp_path, pause_at=1))
    assert isinstance(paused, NetworkPause), paused
    flip(file_in(tmp_path, "epoch.safetensors"))
    again, said = run(tmp_path, files=paused.files)
    assert again.training["weights"] == first.training["weights"]
    assert again.training["resumed_from_epoch"] == 1
    assert len(said) == 1


def test_the_trace_of_another_network_is_not_served_even_with_its_own_digest(
    first: NetworkResult, copied: Path
) -> None:
    path = file_in(copied, "trace.npz")
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays["network"] = np.array("0" * 64)
    arrays["logits"] = -arrays["logits"]
    np.savez_compressed(path, **arrays)
    keep(path, path.read_bytes())
    again, said = run(copied)
    assert again.evaluations == first.evaluations
    assert said
    assert "another network" in said[0]


def test_the_test_accuracy_is_not_measured_on_a_damaged_network(copied: Path) -> None:
    flip(file_in(copied, "network.safetensors"), 0.9)
    with pytest.raises(InputError, match="damaged"):
        TestScorer(copied)(candidate())


def test_files_of_an_older_version_are_used_and_protected_from_then_on(
    first: NetworkResult, copied: Path
) -> None:
    for path in copied.rglob("*.sha256"):
        path.unlink()
    trace = file_in(copied, "trace.npz")
    with np.load(trace) as stored:
        arrays = {name: stored[name] for name in stored.files if name != "network"}
    np.savez_compressed(trace, **arrays)
    again, said = run(copied)
    assert again.reused
    assert (again.evaluations, said) == (first.evaluations, [])
    network = file_in(copied, "network.safetensors")
    flip(network, 0.9)
    again, said = run(copied)
    assert not again.reused
    assert again.training["weights"] == first.training["weights"]


def test_the_trace_of_an_older_version_is_not_served_for_a_network_made_anew(
    first: NetworkResult, copied: Path
) -> None:
    for path in copied.rglob("*.sha256"):
        path.unlink()
    trace = file_in(copied, "trace.npz")
    with np.load(trace) as stored:
        arrays = {name: stored[name] for name in stored.files if name != "network"}
    arrays["logits"] = -arrays["logits"]
    np.savez_compressed(trace, **arrays)
    file_in(copied, "network.safetensors").unlink()
    again, said = run(copied)
    assert again.evaluations == first.evaluations
    assert len(said) == 1


def test_a_network_whose_weights_are_no_numbers_is_not_served(first: NetworkResult, copied: Path) -> None:
    path = file_in(copied, "network.safetensors")
    with safetensors.safe_open(path, framework="pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    tensors["head.weight"][0, 0] = torch.nan
    keep(path, safetensors.torch.save(tensors, metadata))
    again, said = run(copied)
    assert again.evaluations == first.evaluations
    assert "1 of the" in said[0]
    assert "head.weight" in said[0]
