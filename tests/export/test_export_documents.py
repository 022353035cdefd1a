"""Chosen points on paper: what is chosen, what a document holds, how it is written and read back."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aster_dse.errors import InfeasibleError, InputError, NotFoundError
from aster_dse.evaluation import Evaluation
from aster_dse.evaluation.metric_values import complete_metrics
from aster_dse.export import (
    FORMATS,
    build_document,
    load_document,
    render,
    select,
    study_front,
    write_atomically,
)
from aster_dse.search.protocol import NetworkFailure, NetworkResult
from aster_dse.space import Candidate, Constraint, SearchSpace, parse_constraint
from aster_dse.store import StudyRow, StudyStore

SPACE: dict[str, Any] = {
    "name": "paper",
    "workload": {"name": "digits-dvs"},
    "network": {"width": {"choices": [16, 32]}},
    "policy": {"exit_threshold": {"low": 0.2, "high": 0.99}, "skip_threshold": {"choices": [None, 0.1]}},
    "objectives": {"accuracy": "max", "energy_uj": "min"},
    "constraints": ["energy_uj <= 5"],
}

# (accuracy, energy in uJ) of the configurations of each trial.
FIGURES = {
    0: [(0.90, 1.0), (0.95, 2.0), (0.95, 2.0), (0.80, 3.0)],
    1: [(0.96, 4.0), (0.99, 9.0), (0.70, 0.9)],
}
FRONT = [(1, 0), (0, 1), (0, 0), (1, 2)]


@dataclass(frozen=True)
class Score:
    """What a test run would measure."""

    accuracy: float = 0.93
    low: float = 0.90
    high: float = 0.95
    samples: int = 299
    accuracy_ideal: float | None = None
    accuracy_min: float | None = None
    accuracy_std: float | None = None
    chips: int | None = None


def fill(store: StudyStore, figures: dict[int, list[tuple[float, float]]], name: str = "paper") -> StudyRow:
    """A study whose trials have these figures."""
    space = SearchSpace.from_mapping(SPACE)
    study = store.create_study(
        name,
        space=space.as_dict(),
        space_hash=space.hash,
        objectives=dict(space.objectives),
        constraints=[str(bound) for bound in space.constraints],
        seed=5,
        code_version="0.0.9",
    )
    for number, pairs in figures.items():
        inner = [
            {"policy.exit_threshold": 0.3 + 0.1 * index, "policy.skip_threshold": [None, 0.1][index % 2]}
            for index in range(len(pairs))
        ]
        assignment = {"network.width": 16 if number % 2 == 0 else 32, **inner[0]}
        candidate = space.candidate(assignment)
        store.begin_trial(
            study.id,
            number,
            assignment=assignment,
            candidate=candidate.model_dump(mode="json"),
            training_key=candidate.training_key(),
        )
        evaluations = tuple(
            Evaluation(point, metrics(*pair), max(0.0, pair[1] / 5 - 1))
            for point, pair in zip(inner, pairs, strict=True)
        )
        result = NetworkResult(number, candidate.training_key(), False, {"accuracy": 0.9}, evaluations, 1.0)
        store.finish_trial(study.id, result, [0])
    return study


def metrics(accuracy: float, energy_uj: float) -> dict[str, float]:
    found = {
        "accuracy": accuracy,
        "energy_uj": energy_uj,
        "latency_us": 100.0 / energy_uj,
        "area_mm2": 2.0,
        "mean_timesteps": 1.5,
        "edp_uj_us": 100.0,
    }
    return complete_metrics(found, feasible=True)


@pytest.fixture
def store(sqlite_url: str) -> StudyStore:
    return StudyStore(sqlite_url)


@pytest.fixture
def study(store: StudyStore) -> StudyRow:
    return fill(store, FIGURES)


def places(points: Any) -> list[tuple[int, int]]:
    return [(point.trial, point.index) for point in points]


def test_the_front_has_each_trade_off_once_best_accuracy_first(store: StudyStore, study: StudyRow) -> None:
    assert places(study_front(store, study)) == FRONT


def test_a_point_is_the_trials_configuration_with_its_own_inner_knobs(
    store: StudyStore, study: StudyRow
) -> None:
    point = select(store, study, "trial:0:1")[0]
    space = SearchSpace.from_mapping(SPACE)
    wanted = {"network.width": 16, "policy.exit_threshold": 0.4, "policy.skip_threshold": 0.1}
    assert point.candidate == space.candidate(wanted)
    assert point.as_dict()["configuration"]["hardware"] == {"base": "aster-rram-32nm"}


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        ("pareto", FRONT),
        ("knee", [(0, 0)]),
        ("best:accuracy", [(1, 0)]),
        ("best:energy_uj", [(1, 2)]),
        ("best:latency_us", [(1, 0)]),
        ("trial:1", [(1, 0), (1, 2)]),
        ("trial:1:1", [(1, 1)]),
        ("best:accuracy, knee, trial:1", [(1, 0), (0, 0), (1, 2)]),
    ],
)
def test_selections(
    selection: str, wanted: list[tuple[int, int]], store: StudyStore, study: StudyRow
) -> None:
    assert places(select(store, study, selection)) == wanted


@pytest.mark.parametrize(
    ("selection", "error", "said"),
    [
        ("paretto", InputError, "one of|pareto, knee"),
        ("best:", InputError, "accuracy"),
        ("best:energy", InputError, "did you mean best:energy_uj"),
        ("trial:x", InputError, "trial:N"),
        ("trial:1:2:3", InputError, "trial:N"),
        ("trial:7", NotFoundError, "7"),
        ("trial:1:9", NotFoundError, "9"),
        ("", InputError, "pareto"),
    ],
)
def test_bad_selections(
    selection: str, error: type[Exception], said: str, store: StudyStore, study: StudyRow
) -> None:
    with pytest.raises(error, match=said):
        select(store, study, selection)


def test_a_further_bound_narrows_the_choice(store: StudyStore, study: StudyRow) -> None:
    everything = select(store, study, "trial:0, trial:1")
    least = sorted(point.metrics["accuracy"] for point in everything)[-2]
    bound = parse_constraint(f"accuracy >= {least}")
    chosen = select(store, study, "best:energy_uj, trial:0, trial:1", where=[bound])
    assert chosen
    assert all(point.metrics["accuracy"] >= least for point in chosen)
    energies = [p.metrics["energy_uj"] for p in everything if p.feasible and p.metrics["accuracy"] >= least]
    assert chosen[0].metrics["energy_uj"] == min(energies)
    with pytest.raises(InfeasibleError, match=r"meets accuracy >= 2.*trial:1:0"):
        select(store, study, "knee", where=[Constraint("accuracy", ">=", 2.0)])


def test_nothing_feasible_is_told_with_the_nearest(store: StudyStore) -> None:
    study = fill(store, {0: [(0.9, 6.0), (0.8, 5.5)]})
    with pytest.raises(InfeasibleError, match=r"trial:0:1, off by 0\.1"):
        select(store, study, "pareto")
    assert study_front(store, study) == []
    assert places(study_front(store, study, feasible_only=False)) == [(0, 0), (0, 1)]
    assert places(select(store, study, "trial:0")) == [(0, 0), (0, 1)]


def test_a_study_without_figures(store: StudyStore) -> None:
    study = fill(store, {})
    assert study_front(store, study) == []
    with pytest.raises(NotFoundError, match="no evaluated configuration yet"):
        select(store, study, "knee")
    candidate = SearchSpace.from_mapping(SPACE).candidate(
        {"network.width": 16, "policy.exit_threshold": 0.5, "policy.skip_threshold": None}
    )
    store.begin_trial(
        study.id, 0, assignment={}, candidate=candidate.model_dump(mode="json"), training_key="k"
    )
    store.fail_trial(study.id, NetworkFailure(0, "k", "diverged", "the loss is NaN"))
    with pytest.raises(NotFoundError, match="trial 0 of study 'paper' is failed"):
        select(store, study, "trial:0")


def document(
    store: StudyStore, study: StudyRow, *, path: Path | None = None, score: Score | None = None
) -> Any:
    tested: list[Candidate] = []

    def test_score(candidate: Candidate) -> Score | None:
        tested.append(candidate)
        return score

    made = build_document(
        study, select(store, study, "pareto"), selection="pareto", test_score=test_score, path=path
    )
    assert len(tested) == len({(point.training_key(), point.policy) for point in tested})
    return made


@pytest.mark.parametrize("format", ["yaml", "json"])
def test_what_is_written_is_read_back_to_the_last_bit(
    format: str, store: StudyStore, study: StudyRow, tmp_path: Path
) -> None:
    made = document(store, study, score=Score())
    path = tmp_path / f"best.{format}"
    write_atomically(path, render(made, format))
    assert load_document(path) == made
    assert [entry.configuration for entry in load_document(path).points] == [
        point.candidate for point in select(store, study, "pareto")
    ]


def test_the_document_says_where_it_comes_from(store: StudyStore, study: StudyRow) -> None:
    made = document(store, study, path=Path("my best.yaml"), score=Score())
    assert (made.study, made.space, made.space_hash, made.seed) == ("paper", "paper", study.space_hash, 5)
    assert (made.searched_by, made.selection) == ("0.0.9", "pareto")
    assert made.units["energy_uj"] == "uJ"
    assert abs((made.created - datetime.now(UTC)).total_seconds()) < 600
    first = made.points[0]
    assert first.test.model_dump() == {
        "accuracy": 0.93, "low": 0.9, "high": 0.95, "samples": 299, "confidence": 0.95
    }  # fmt: skip
    assert first.reproduce == "aster-dse reproduce 'my best.yaml' --point 0"


def test_what_says_nothing_of_arrays_is_of_ideal_ones(
    store: StudyStore, study: StudyRow, tmp_path: Path
) -> None:
    made = document(store, study, score=Score())
    assert {point.arrays for point in made.points} == {"ideal"}
    content = json.loads(render(made, "json"))
    assert content.pop("sha256")  # which an older version did not write, nor this
    for point in content["points"]:
        assert point.pop("arrays") == "ideal"
    path = tmp_path / "old.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert load_document(path) == made


def test_without_its_network_a_point_has_no_test_figure(store: StudyStore, study: StudyRow) -> None:
    made = document(store, study)
    assert [point.test for point in made.points] == [None] * len(FRONT)
    assert "test: null" in render(made, "yaml")


def test_csv_has_a_row_per_point_and_a_column_per_knob(store: StudyStore, study: StudyRow) -> None:
    rows = list(csv.DictReader(io.StringIO(render(document(store, study, score=Score()), "csv"))))
    assert [(int(row["trial"]), int(row["index"])) for row in rows] == FRONT
    assert [float(row["energy_uj"]) for row in rows] == [4.0, 2.0, 1.0, 0.9]
    assert rows[1]["policy.skip_threshold"] == "0.1"
    assert rows[0]["policy.skip_threshold"] == ""
    assert rows[0]["test_samples"] == "299"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_text_is_never_a_formula_and_numbers_stay_numbers(
    start: str, store: StudyStore, study: StudyRow
) -> None:
    made = document(store, study)
    first = made.points[0]
    training = first.configuration.training.model_copy(update={"tet_mean": -1.5})
    hardware = first.configuration.hardware.model_copy(update={"library": f"{start}cmd|'/c calc'!A1"})
    evil = first.configuration.model_copy(update={"training": training, "hardware": hardware})
    made = made.model_copy(update={"points": (first.model_copy(update={"configuration": evil}),)})
    (row,) = csv.DictReader(io.StringIO(render(made, "csv"), newline=""))
    assert row["hardware.library"] == f"'{start}cmd|'/c calc'!A1"
    assert row["training.tet_mean"] == "-1.5"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "best.yaml"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "new \ud800")
    assert [(file.name, file.read_text("utf-8")) for file in tmp_path.iterdir()] == [("best.yaml", "old")]
    write_atomically(path, "new")
    assert path.read_text("utf-8") == "new"
    with pytest.raises(InputError, match="a folder"):
        write_atomically(tmp_path, "new")
    with pytest.raises(InputError, match="cannot be written"):
        write_atomically(tmp_path / "none" / "best.yaml", "new")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"points": []}, "points"),
        ({"format": "something else"}, "format"),
        ({"format_version": 2}, "format_version"),
        ({"extra": 1}, "extra"),
    ],
)
def test_another_document_is_refused_with_its_path(
    change: dict[str, Any], said: str, store: StudyStore, study: StudyRow, tmp_path: Path
) -> None:
    path = tmp_path / "best.json"
    path.write_text(json.dumps({**json.loads(render(document(store, study), "json")), **change}), "utf-8")
    with pytest.raises(InputError, match=rf"best.json: (line \d+: )?{said}"):
        load_document(path)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        load_document(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "list.yaml").write_text("- 1\n", "utf-8")
    (tmp_path / "broken.json").write_text('{"a": ', "utf-8")
    for name in ("binary.yaml", "list.yaml", "broken.json"):
        with pytest.raises(InputError, match=name):
            load_document(tmp_path / name)
    assert set(FORMATS) == {"yaml", "json", "csv"}
