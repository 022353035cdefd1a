"""Which networks a repeat trains, and what it makes of their figures."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aster_dse.evaluation import METRICS, Evaluation
from aster_dse.export import Point
from aster_dse.export.points import inner_assignment
from aster_dse.export.repeats import repeat, spread_of, waiting_networks
from aster_dse.search.protocol import NetworkFailure, NetworkJob, NetworkResult, Outcome
from aster_dse.search.serial import SerialExecutor
from aster_dse.space import Candidate, assign
from aster_dse.store import RepeatRow

FIGURES = dict.fromkeys(METRICS, 1.0)
CANDIDATE = Candidate.model_validate({"workload": {"name": "digits"}})


def point(trial: int, index: int, **knobs: Any) -> Point:
    candidate = assign(CANDIDATE, {name.replace("__", "."): value for name, value in knobs.items()})
    return Point("s", trial, index, FIGURES, 0.0, candidate, candidate.training_key())


def row(seed: int, trial: int = 0, index: int = 0, **figures: float) -> RepeatRow:
    return RepeatRow(trial, index, seed, f"key{seed}", {**FIGURES, **figures})


def test_points_of_one_network_share_its_trainings() -> None:
    points = [point(0, 0), point(0, 3, policy__exit_threshold=0.5), point(1, 0, network__depth=1)]
    networks = waiting_networks(points, 3, [])
    assert [(c.network.depth, c.training.seed) for c, _ in networks] == [
        (2, 1), (2, 2), (2, 3), (1, 1), (1, 2), (1, 3),
    ]  # fmt: skip
    assert [[(p.trial, p.index) for p in members] for _, members in networks] == [[(0, 0), (0, 3)]] * 3 + [
        [(1, 0)]
    ] * 3


def test_only_what_is_missing_is_trained_and_seeds_wrap() -> None:
    last = point(0, 0, training__seed=2**32 - 1)
    assert [c.training.seed for c, _ in waiting_networks([last], 2, [])] == [0, 1]
    assert [c.training.seed for c, _ in waiting_networks([last], 3, [row(1)])] == [0, 2]
    assert waiting_networks([point(0, 0)], 1, [row(1)]) == []
    assert len(waiting_networks([point(0, 1)], 1, [row(1)])) == 1


def test_the_points_are_evaluated_as_they_are_and_a_failure_is_told() -> None:
    jobs = []

    def run(job: NetworkJob, **_: Any) -> Outcome:
        jobs.append(job)
        if job.candidate.training.seed == 2:
            return NetworkFailure(job.trial, job.candidate.training_key(), "diverged", "the loss is nan")
        figures = {**FIGURES, "accuracy": job.candidate.training.seed / 10}
        scored = tuple(Evaluation(dict(inner), figures) for inner in job.inner)
        return NetworkResult(job.trial, job.candidate.training_key(), False, {}, scored, 1.0)

    points = [point(4, 0), point(4, 2, policy__timesteps=1)]
    executor = SerialExecutor(run=run, load=lambda _: None)  # type: ignore[arg-type, return-value]
    found = list(repeat("s", waiting_networks(points, 3, []), executor, artifacts=Path("there")))
    assert [job.inner for job in jobs] == [tuple(inner_assignment(p.candidate) for p in points)] * 3
    assert [(r.trial, r.index, r.seed, r.metrics["accuracy"]) for rows, _ in found for r in rows] == [
        (4, 0, 1, 0.1), (4, 2, 1, 0.1), (4, 0, 3, 0.3), (4, 2, 3, 0.3),
    ]  # fmt: skip
    assert [failure.reason for _, failure in found if failure] == ["the loss is nan"]


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        ({**FIGURES, "energy_uj": math.nan}, "energy_uj of evaluation 0 is nan"),
        ({**FIGURES, "latency_us": math.inf}, "latency_us of evaluation 0 is inf"),
        ({name: 1.0 for name in METRICS if name != "area_mm2"}, "evaluation 0 has no area_mm2"),
    ],
)
def test_figures_that_are_none_are_a_failure_and_files_from_elsewhere_are_kept(
    tmp_path: Path, figures: dict[str, float], reason: str
) -> None:
    def run(job: NetworkJob, **_: Any) -> Outcome:
        sound = job.candidate.training.seed == 1
        scored = tuple(Evaluation(dict(inner), FIGURES if sound else figures) for inner in job.inner)
        key = job.candidate.training_key()
        return NetworkResult(job.trial, key, False, {}, scored, 1.0, files={"model.bin": b"weights"})

    executor = SerialExecutor(run=run, load=lambda _: None)  # type: ignore[arg-type, return-value]
    networks = waiting_networks([point(0, 0)], 2, [])
    (rows, fine), (none, failure) = repeat("s", networks, executor, artifacts=tmp_path)
    assert ([row.seed for row in rows], fine, none) == ([1], None, [])
    assert failure is not None
    assert failure.reason == reason
    assert (tmp_path / rows[0].training_key / "model.bin").read_bytes() == b"weights"


def test_once_told_to_stop_it_begins_no_further_network() -> None:
    stop = threading.Event()

    def run(job: NetworkJob, **_: Any) -> Outcome:
        stop.set()
        scored = tuple(Evaluation(dict(inner), FIGURES) for inner in job.inner)
        return NetworkResult(job.trial, job.candidate.training_key(), False, {}, scored, 1.0)

    executor = SerialExecutor(run=run, load=lambda _: None)  # type: ignore[arg-type, return-value]
    networks = waiting_networks([point(0, 0)], 3, [])
    assert len(list(repeat("s", networks, executor, artifacts=Path("there"), stop=stop))) == 1


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8))
def test_a_spread_is_of_the_repeats_alone(values: list[float]) -> None:
    spread = spread_of([row(seed, accuracy=value) for seed, value in enumerate(values)])["accuracy"]
    assert (spread.seeds, spread.least, spread.greatest) == (len(values), min(values), max(values))
    assert spread.mean == pytest.approx(sum(values) / len(values), abs=1e-6)
    if len(values) == 1:
        assert spread.deviation is None
    else:
        expected = (sum((v - spread.mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5
        assert spread.deviation == pytest.approx(expected, abs=1e-6)


def test_nothing_repeated_is_no_spread() -> None:
    assert spread_of([]) == {}
