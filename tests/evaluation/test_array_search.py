"""The inner level on real arrays, with passes of a trained network, against going through everything."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aster_dse.activity import ActivityTrace
from aster_dse.activity.record import record_trace
from aster_dse.errors import PassError
from aster_dse.evaluation import Evaluation
from aster_dse.evaluation.array_search import search_arrays
from aster_dse.evaluation.calibration_sets import SELECTION, VERIFICATION
from aster_dse.evaluation.on_arrays import evaluate_on_arrays
from aster_dse.evaluation.question import InnerQuestion
from aster_dse.numerics import network_passes
from aster_dse.numerics.arrays import LayerArrays
from aster_dse.numerics.network_passes import NetworkPasses
from aster_dse.numerics.passes import run_pass
from aster_dse.pareto import non_dominated_mask
from aster_dse.space import Candidate, SearchSpace
from aster_dse.training import TrainedNetwork, load_trained
from aster_dse.workload import Split, Workload, load_workload

NETWORK = Path(__file__).parents[1] / "numerics" / "reference" / "w16-plif.safetensors"
SAMPLES = 60
SPACE: dict[str, Any] = {
    "name": "on-arrays",
    "workload": {"name": "digits-dvs"},
    "network": {"width": 16},
    "policy": {"exit_threshold": {"choices": [0.5, 0.9, 0.99]}, "timesteps": {"low": 1, "high": 2}},
    "hardware": {
        "arrays": "real",
        "rows": {"choices": [64, 256]},
        "adc_levels": {"choices": [8, 16, 32]},
        "event_gating": {"choices": [True, False]},
    },
    "objectives": {"accuracy": "max", "energy_uj": "min", "latency_us": "min", "area_mm2": "min"},
}
REVERSED = {
    "hardware": {
        **SPACE["hardware"],
        "rows": {"choices": [256, 64]},
        "adc_levels": {"choices": [32, 16, 8]},
        "event_gating": {"choices": [False, True]},
    }
}
SIGNS = np.array([-1.0 if goal == "max" else 1.0 for goal in SPACE["objectives"].values()])
CLASSES = 6


def space(**changes: Any) -> SearchSpace:
    return SearchSpace.from_mapping({**SPACE, **changes})


def candidate() -> Candidate:
    return space().candidate({p.path: p.from_unit(0.5) for p in space().parameters})


def question(*constraints: str, searched: SearchSpace | None = None, passes: int = 4) -> InnerQuestion:
    searched = searched or space()
    return InnerQuestion(
        parameters=searched.inner,
        inactive={p.path: searched.fixed[p.path] for p in searched.inner},
        objectives=dict(searched.objectives),
        constraints=constraints,
        count=100_000,
        seed=0,
        passes=passes,
    )


@dataclass(frozen=True, eq=False)
class Subject:
    trained: TrainedNetwork
    workload: Workload
    plain: ActivityTrace
    folder: Path
    """Where passes are kept: the tests share them."""

    def passes(self, folder: Path | None = None) -> NetworkPasses:
        return NetworkPasses(self.trained, self.workload, folder or self.folder, self.plain)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    trained, workload = load_trained(NETWORK), load_workload(candidate().workload)
    few = Split(workload.validation.frames[:SAMPLES], workload.validation.labels[:SAMPLES])
    workload = replace(workload, validation=few)
    return Subject(trained, workload, record_trace(trained, workload), tmp_path_factory.mktemp("network"))


def everything(
    subject: Subject, calibration_set: int, constraints: Sequence[str] = ()
) -> tuple[Evaluation, ...]:
    """Every policy on every accelerator."""
    values = [(p.path, p.values() or ()) for p in space().inner]
    rows = itertools.product(*(listed for _, listed in values))
    points = [dict(zip((path for path, _ in values), row, strict=True)) for row in rows]
    return evaluate_on_arrays(
        subject.passes(), candidate(), points, constraints, calibration_set=calibration_set
    )


def figures(evaluations: Iterable[Evaluation]) -> np.ndarray:
    rows = [[e.metrics[name] for name in SPACE["objectives"]] for e in evaluations]
    return np.asarray(np.array(rows) * SIGNS)


def front(evaluations: Sequence[Evaluation]) -> np.ndarray:
    """Distinct points that no other one beats, in an order of their own."""
    points = figures([e for e in evaluations if e.feasible])
    return distinct(points[non_dominated_mask(points)])


def distinct(points: np.ndarray) -> np.ndarray:
    return np.unique(np.round(points, 9), axis=0)


def class_of(evaluation: Evaluation) -> tuple[int, int]:
    return evaluation.assignment["hardware.rows"], evaluation.assignment["hardware.adc_levels"]


def text(assignment: dict[str, Any]) -> str:
    return repr(sorted(assignment.items()))


@pytest.mark.parametrize("constraints", [(), ("accuracy >= 0.8", "energy_uj <= 0.12")])
def test_every_class_is_going_through_everything(subject: Subject, constraints: tuple[str, ...]) -> None:
    answer = search_arrays(
        subject.passes(), candidate(), question(*constraints), verify=False, every_class=True
    )
    assert (answer.exhaustive, answer.classes, answer.failures) == (True, CLASSES, ())
    expected = front(everything(subject, SELECTION, constraints))
    assert len(expected) > 3
    np.testing.assert_array_equal(distinct(figures(answer.evaluations)), expected)


def test_running_all_classes_is_no_choice(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the classes are ordered, all of them are all."""
    monkeypatch.setattr("aster_dse.evaluation.array_search._NEGLIGIBLE", -1.0)
    every = search_arrays(subject.passes(), candidate(), question(), every_class=True)
    chosen = search_arrays(subject.passes(), candidate(), question(passes=CLASSES))
    assert chosen.classes == CLASSES
    np.testing.assert_array_equal(front(chosen.evaluations), front(every.evaluations))


def test_the_front_of_some_classes_is_as_everything_verifies(subject: Subject) -> None:
    answer = search_arrays(subject.passes(), candidate(), question(passes=2))
    assert 1 <= answer.classes <= 2
    verified = {text(e.assignment): e for e in everything(subject, VERIFICATION)}
    for evaluation in answer.evaluations:
        assert verified[text(evaluation.assignment)].metrics == evaluation.metrics
    assert len(front(answer.evaluations)) == len(answer.evaluations)


def test_a_search_makes_the_passes_of_its_classes_and_of_its_front(subject: Subject, tmp_path: Path) -> None:
    passes = subject.passes(tmp_path)
    answer = search_arrays(passes, candidate(), question(passes=2))
    ranges = {
        (e.assignment["hardware.rows"], e.assignment["hardware.adc_levels"]) for e in answer.evaluations
    }
    assert answer.classes + len(ranges) <= passes.log.made + passes.log.alike <= 2 * answer.classes
    again = search_arrays(subject.passes(tmp_path), candidate(), question(passes=2))
    assert again == answer


@pytest.mark.parametrize("every_class", [False, True])
def test_the_order_of_classes_is_nothing(subject: Subject, every_class: bool) -> None:
    one, other = (
        search_arrays(
            subject.passes(), candidate(), question(searched=searched, passes=2), every_class=every_class
        )
        for searched in (space(), space(**REVERSED))
    )
    assert one.classes == other.classes
    np.testing.assert_array_equal(distinct(figures(one.evaluations)), distinct(figures(other.evaluations)))


@pytest.mark.parametrize("every_class", [False, True])
def test_a_class_whose_pass_fails_leaves_the_others(
    subject: Subject, every_class: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing: list[LayerArrays] = []

    def failing_pass(trained: Any, workload: Any, layers: Any, *rest: Any, **options: Any) -> ActivityTrace:
        arrays = layers[0].arrays
        failing[:] = failing or [arrays]
        if arrays == failing[0]:
            raise MemoryError("no room")
        return run_pass(trained, workload, layers, *rest, **options)

    everyone = everything(subject, SELECTION)
    monkeypatch.setattr(network_passes, "run_pass", failing_pass)
    passes = subject.passes(tmp_path / "net-1")
    answer = search_arrays(passes, candidate(), question(passes=3), verify=False, every_class=every_class)
    (failure,) = answer.failures
    (arrays,) = failing
    for part in ("net-1", f"{arrays.rows} rows", f"{arrays.adc_levels} levels", "no room"):
        assert part in failure
    others = [e for e in everyone if class_of(e) != (arrays.rows, arrays.adc_levels)]
    assert {text(e.assignment) for e in answer.evaluations} <= {text(e.assignment) for e in others}
    if every_class:
        assert answer.classes == CLASSES - 1
        np.testing.assert_array_equal(distinct(figures(answer.evaluations)), front(others))
    else:
        assert 1 <= answer.classes <= 3


def test_without_any_pass_there_is_no_front(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing_pass(*_: Any, **__: Any) -> ActivityTrace:
        raise MemoryError("no room")

    monkeypatch.setattr(network_passes, "run_pass", failing_pass)
    with pytest.raises(PassError, match="no room"):
        search_arrays(subject.passes(tmp_path), candidate(), question())


def test_a_look_runs_two_classes_and_lifts_bounds_on_accuracy(subject: Subject, tmp_path: Path) -> None:
    lasting = ("area_mm2 <= 50", "chip_yield >= 1")
    lifted = ("accuracy >= 1", "accuracy_min >= 1", "accuracy_ideal >= 1", "accuracy_std <= 0")
    asked = question(*lifted, *lasting, passes=4)
    look = asked.while_training()
    assert look.constraints == lasting
    assert replace(asked, passes=1).while_training().passes == 1
    passes = subject.passes(tmp_path)
    answer = search_arrays(passes, candidate(), look, verify=False)
    assert 1 <= answer.classes <= 2
    assert passes.log.made == answer.classes
    assert answer.evaluations
    assert all(e.feasible for e in answer.evaluations)
    assert not any(e.feasible for e in search_arrays(passes, candidate(), asked, verify=False).evaluations)


def test_where_no_accelerator_keeps_a_bound_on_costs_the_nearest_come_back(subject: Subject) -> None:
    answer = search_arrays(subject.passes(), candidate(), question("area_mm2 <= 0.001", passes=2))
    assert answer.evaluations
    assert 1 <= answer.classes <= 2
    violations = [evaluation.violation for evaluation in answer.evaluations]
    assert min(violations) > 0.0
    everywhere = everything(subject, VERIFICATION, ["area_mm2 <= 0.001"])
    assert min(violations) == min(evaluation.violation for evaluation in everywhere)
