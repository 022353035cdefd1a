"""The inner level finds what going through everything finds, and says how much it looked at."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from aster_dse.activity import ActivityTrace
from aster_dse.errors import InputError
from aster_dse.evaluation import Evaluation
from aster_dse.evaluation.design_checks import check_designs
from aster_dse.evaluation.evaluate import evaluate
from aster_dse.evaluation.inner import InnerAnswer, policy_points, search_inner, useful_policies
from aster_dse.evaluation.question import InnerQuestion
from aster_dse.hardware import resolve
from aster_dse.network.on_workload import geometry_for
from aster_dse.pareto import hypervolume, non_dominated_mask
from aster_dse.policy import PolicyTable
from aster_dse.policy.batch import apply_policies
from aster_dse.space import ROW_SIZES, Candidate, HardwareConfig, PolicyConfig, SearchSpace, parse_constraint

SPACE: dict[str, Any] = {
    "name": "inner",
    "workload": {"name": "digits-dvs", "resolution": 16, "timesteps": 3},
    "network": {"width": {"choices": [8, 16]}, "depth": 2, "stem": "4-2-1-1", "pooling": "1001"},
    "policy": {
        "skip_threshold": {"choices": [None, 0.3, 1.0]},
        "exit_threshold": {"choices": [0.2, 0.5, 0.9, 1.0]},
        "timesteps": {"low": 1, "high": 3},
    },
    "hardware": {
        "rows": {"choices": [32, 64]},
        "adc_levels": {"choices": [16, 64]},
        "event_gating": {"choices": [True, False]},
    },
    "objectives": {"accuracy": "max", "energy_uj": "min", "latency_us": "min", "area_mm2": "min"},
}


def space(*settings: str, **changes: Any) -> SearchSpace:
    return SearchSpace.from_mapping({**SPACE, **changes}).override(*settings)


def candidate(searched: SearchSpace) -> Candidate:
    return searched.candidate({p.path: p.from_unit(0.5) for p in searched.parameters})


def question(searched: SearchSpace, count: int = 100_000, seed: int = 0) -> InnerQuestion:
    return InnerQuestion(
        parameters=searched.inner,
        inactive={p.path: searched.fixed[p.path] for p in searched.inner},
        objectives=searched.objectives,
        constraints=tuple(str(bound) for bound in searched.constraints),
        count=count,
        seed=seed,
    )


def made_trace(searched: SearchSpace, seed: int = 0) -> ActivityTrace:
    """Counts and logits out of a hat, in the shapes and relations of recorded ones."""
    chosen = candidate(searched)
    geometry = geometry_for(chosen.workload, chosen.network)
    rng = np.random.default_rng(seed)
    sets, samples, steps = geometry.depth + 1, 24, geometry.timesteps
    labels = rng.integers(geometry.classes, size=samples)
    logits = rng.standard_normal((sets, samples, steps, geometry.classes))
    logits[:, np.arange(samples), :, labels] += 1.0
    shape = (sets, samples, steps, len(geometry.synaptic))
    accesses = np.sort(rng.integers(1, 200, size=(*shape, len(ROW_SIZES))), axis=-1)[..., ::-1]
    return ActivityTrace(
        geometry=geometry,
        labels=labels,
        block_activity=rng.random(geometry.depth),
        firing_rate={},
        logits=logits.astype(np.float32),
        spikes=rng.integers(0, 300, size=(sets, samples, steps, len(geometry.neurons))).astype(np.int32),
        driven_rows=accesses[..., 0].astype(np.int32) * 2,
        active_windows=accesses[..., -1].astype(np.int32),
        active_accesses=accesses.astype(np.int32),
    )


def signed(searched: SearchSpace, evaluations: tuple[Evaluation, ...]) -> np.ndarray:
    signs = [-1.0 if goal == "max" else 1.0 for goal in searched.objectives.values()]
    return np.array([[e.metrics[name] for name in searched.objectives] for e in evaluations]) * signs


def everything(searched: SearchSpace, trace: ActivityTrace) -> tuple[Evaluation, ...]:
    values = [p.values() for p in searched.inner]
    points = [
        dict(zip((p.path for p in searched.inner), row, strict=True)) for row in itertools.product(*values)
    ]
    bounds = [parse_constraint(str(bound)) for bound in searched.constraints]
    return evaluate(trace, candidate(searched), points, bounds)


@pytest.mark.parametrize(
    ("objectives", "constraints"),
    [
        (["accuracy", "energy_uj", "latency_us", "area_mm2"], []),
        (["accuracy", "energy_uj"], ["accuracy >= 0.3"]),
        (["edp_uj_us", "mean_timesteps"], ["area_mm2 <= 3"]),
        (["energy_uj"], []),
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_it_finds_the_front_of_everything(objectives: list[str], constraints: list[str], seed: int) -> None:
    goals = {name: "max" if name == "accuracy" else "min" for name in objectives}
    searched = space(objectives=goals, constraints=constraints)
    trace = made_trace(searched, seed)
    answer = search_inner(trace, candidate(searched), question(searched))
    assert answer.exhaustive
    feasible = tuple(e for e in everything(searched, trace) if e.feasible)
    points = signed(searched, feasible)
    expected = np.unique(np.round(points[non_dominated_mask(points)], 9), axis=0)
    found = np.unique(np.round(signed(searched, answer.evaluations), 9), axis=0)
    assert len(found) == len(answer.evaluations)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert all(e.feasible for e in answer.evaluations)
    assert all(list(e.assignment) == [p.path for p in searched.inner] for e in answer.evaluations)


def test_policies_that_another_beats_meet_no_accelerator() -> None:
    searched = space()
    trace = made_trace(searched)
    answer = search_inner(trace, candidate(searched), question(searched))
    policies, batch = useful_policies(trace, candidate(searched), question(searched))
    assert answer.scored == 8 * len(policies) < 8 * 36
    assert batch.accuracy.tolist() == sorted(batch.accuracy.tolist(), reverse=True)


CONTINUOUS = {
    "policy": {
        "skip_threshold": {"low": 0.0, "high": 1.0},
        "exit_threshold": {"low": 0.2, "high": 0.9999, "scale": "neglog10"},
        "exit_metric": {"choices": ["confidence", "entropy"]},
        "timesteps": {"low": 1, "high": 8},
    }
}


def test_ranges_are_tried_where_they_make_a_difference() -> None:
    searched = space(**CONTINUOUS)
    trace = made_trace(searched)
    points = policy_points(trace, candidate(searched), question(searched))
    assert {point["policy.timesteps"] for point in points} == {1, 2, 3}
    thresholds = {point["policy.skip_threshold"] for point in points}
    skipped = [int((trace.block_activity <= threshold).sum()) for threshold in sorted(thresholds)]
    assert skipped == [0, 1, 2]
    for point in points:
        searched.complete(
            {**{p.path: p.from_unit(0.5) for p in searched.outer}, **point, **_hardware(searched)}
        )


def _hardware(searched: SearchSpace) -> dict[str, Any]:
    return {p.path: p.from_unit(0.5) for p in searched.inner if p.group == "hardware"}


WIDE = {
    "hardware": {
        "rows": {"choices": [32, 64, 128, 256]},
        "columns": 128,
        "adc_levels": {"choices": [8, 16, 32, 64]},
        "column_mux": {"low": 1, "high": 128},
        "clock_mhz": {"low": 50.0, "high": 400.0, "log": True},
        "cell_bits": {"choices": [1, 2, 4], "when": "rows >= 64"},
    }
}


def wide(seed: int = 0, count: int = 12_000, **changes: Any) -> tuple[SearchSpace, InnerAnswer]:
    searched = space(**CONTINUOUS, **WIDE, **changes)
    return searched, search_inner(
        made_trace(searched), candidate(searched), question(searched, count=count, seed=seed)
    )


def test_where_accelerators_cannot_be_listed_the_best_are_bred() -> None:
    searched, answer = wide()
    assert not answer.exhaustive
    assert 2_000 < answer.scored <= 12_000
    points = signed(searched, answer.evaluations)
    assert non_dominated_mask(points).all()
    for evaluation in answer.evaluations:
        complete = {p.path: p.from_unit(0.5) for p in searched.outer} | evaluation.assignment
        assert searched.complete(complete) == complete
        resolve(searched.candidate(complete).hardware)
    assert wide() == (searched, answer)
    assert wide(seed=1)[1] != answer


def test_breeding_beats_drawing() -> None:
    """The best product of energy and latency, against as many accelerators drawn at random."""
    goals = {"edp_uj_us": "min"}
    searched, answer = wide(objectives=goals)
    trace = made_trace(searched)
    rng = np.random.default_rng(0)
    drawn = []
    while len(drawn) < 700:
        row = rng.random(len(searched.inner)).tolist()
        point = {p.path: p.from_unit(unit) for p, unit in zip(searched.inner, row, strict=True)}
        settled = searched.complete({**{p.path: p.from_unit(0.5) for p in searched.outer}, **point})
        try:
            resolve(searched.candidate(settled).hardware)
        except InputError:
            continue
        drawn.append({p.path: settled[p.path] for p in searched.inner})
    by_chance = evaluate(trace, candidate(searched), drawn)
    assert answer.evaluations[0].metrics["edp_uj_us"] < min(e.metrics["edp_uj_us"] for e in by_chance)


def test_where_nothing_is_feasible_the_nearest_are_named() -> None:
    searched = space(constraints=["energy_uj <= 1e-9", "accuracy >= 1"])
    trace = made_trace(searched)
    answer = search_inner(trace, candidate(searched), question(searched))
    violations = [e.violation for e in answer.evaluations]
    assert violations == sorted(violations)
    assert 0 < len(violations) <= 8
    assert violations[0] == pytest.approx(min(e.violation for e in everything(searched, trace)))


def test_accelerators_that_cannot_exist_are_left_out_or_refused() -> None:
    searched = space("hardware.column_mux={choices: [4, 5]}", "hardware.columns=128")
    answer = search_inner(made_trace(searched), candidate(searched), question(searched))
    assert {e.assignment["hardware.column_mux"] for e in answer.evaluations} == {4}
    none = space("hardware.column_mux={choices: [5, 7]}", "hardware.columns=128")
    with pytest.raises(InputError, match=r"hardware\.column_mux"):
        search_inner(made_trace(none), candidate(none), question(none))
    with pytest.raises(InputError, match=r"hardware\.column_mux"):
        check_designs(none.inner, HardwareConfig(columns=128))
    check_designs(searched.inner, HardwareConfig(columns=128))


def test_without_searched_knobs_there_is_one_point() -> None:
    searched = SearchSpace.from_mapping(
        {name: SPACE[name] for name in ("name", "workload", "network", "objectives")}
    )
    answer = search_inner(made_trace(searched), candidate(searched), question(searched))
    assert [e.assignment for e in answer.evaluations] == [{}]
    assert (answer.scored, answer.exhaustive) == (1, True)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 5),
    drawn=st.lists(
        st.builds(
            PolicyConfig,
            skip_threshold=st.none() | st.floats(0.0, 1.0),
            exit_threshold=st.floats(0.0, 1.0),
            exit_metric=st.sampled_from(["confidence", "entropy"]),
            timesteps=st.none() | st.integers(1, 5),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_many_policies_at_once_are_what_each_is_alone(seed: int, drawn: list[PolicyConfig]) -> None:
    table = PolicyTable(made_trace(space(), seed))
    batch = apply_policies(table, drawn)
    for index, policy in enumerate(drawn):
        alone = table.outcome(policy)
        assert batch.accuracy[index] == pytest.approx(alone.accuracy, abs=1e-12)
        assert batch.mean_timesteps[index] == pytest.approx(alone.mean_timesteps, abs=1e-12)
        for name in alone.activity.__dataclass_fields__:
            np.testing.assert_allclose(
                getattr(batch.activity, name)[index], getattr(alone.activity, name)[0], rtol=1e-12
            )


LAYERED = {
    "hardware": {
        "layers": {"stem.*": {"compute": "digital"}, "block.each.*": {"column_mux": {"choices": [1, 2, 4]}}}
    }
}


def test_knobs_of_layers_are_listed_where_they_are_few() -> None:
    searched = space(**LAYERED)
    trace = made_trace(searched)
    answer = search_inner(trace, candidate(searched), question(searched))
    assert answer.exhaustive
    points = signed(searched, everything(searched, trace))
    expected = np.unique(np.round(points[non_dominated_mask(points)], 9), axis=0)
    np.testing.assert_allclose(np.unique(np.round(signed(searched, answer.evaluations), 9), axis=0), expected)


def test_knobs_of_layers_are_searched_with_those_of_the_chip() -> None:
    """Better than any accelerator whose layers are alike, and all within the space."""
    layers = {
        "each": {"column_mux": {"choices": [1, 2, 4, 8]}, "compute": {"choices": ["analog", "digital"]}}
    }
    chip = {"rows": {"choices": [32, 64, 128]}, "event_gating": {"choices": [True, False]}}
    searched = space(hardware={**chip, "layers": layers})
    trace = made_trace(searched)
    answer = search_inner(trace, candidate(searched), question(searched, count=20_000))
    assert not answer.exhaustive
    assert answer.scored <= 20_000
    assert search_inner(trace, candidate(searched), question(searched, count=20_000)) == answer
    for evaluation in answer.evaluations:
        complete = {p.path: p.from_unit(0.5) for p in searched.outer} | evaluation.assignment
        assert searched.complete(complete) == complete
    alike = space(hardware={**chip, **layers["each"]})
    uniform = search_inner(trace, candidate(alike), question(alike))
    assert uniform.exhaustive
    mine, theirs = signed(searched, answer.evaluations), signed(alike, uniform.evaluations)
    corner = np.concatenate([mine, theirs]).max(axis=0) * [0.9, 1.1, 1.1, 1.1]
    assert hypervolume(mine, corner) > 1.02 * hypervolume(theirs, corner)


def test_bounds_hold_for_designs_with_knobs_of_layers() -> None:
    layers = {"each": {"column_mux": {"choices": [1, 2, 4, 8]}}}
    free = space(hardware={"layers": layers})
    trace = made_trace(free)
    areas = sorted(
        e.metrics["area_mm2"] for e in search_inner(trace, candidate(free), question(free)).evaluations
    )
    bound = areas[len(areas) // 3]
    bounded = space(hardware={"layers": layers}, constraints=[f"area_mm2 <= {bound}"])
    answer = search_inner(trace, candidate(bounded), question(bounded, count=10_000))
    assert answer.evaluations
    assert all(e.feasible and e.metrics["area_mm2"] <= bound for e in answer.evaluations)


def some_of(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True).map(
        lambda chosen: {"choices": chosen}
    )


SINGLE = {
    "rows": some_of([16, 64, 128]),
    "columns": some_of([64, 128]),
    "cell_bits": some_of([1, 2, 8]),
    "weight_bits": some_of([4, 8]),
    "adc_levels": some_of([2, 16, 64]),
    "column_mux": some_of([1, 3, 8]),
    "compute": some_of(["analog", "digital"]),
}


def some_knobs() -> st.SearchStrategy[dict[str, Any]]:
    names = st.lists(st.sampled_from(list(SINGLE)), min_size=1, max_size=3, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: SINGLE[name] for name in chosen}))


WHOLE = {
    "pipelining": some_of(["none", "layers", "steps"]),
    "area_budget_mm2": some_of([2.0, 20.0]),
    "event_gating": some_of([True, False]),
    "clock_mhz": st.just({"low": 50.0, "high": 800.0}),
    "base": st.just("isaac-32nm"),
    "buffer_kib": st.just({"low": 1, "high": 64}),
}


@settings(max_examples=15, deadline=None)
@given(
    stem=st.sampled_from(["stem.each", "stem.*", "stem.0", "head"]),
    block=st.sampled_from(["block.each.*", "block.*.each", "block.each.each", "block.1.each", "block.*.q"]),
    knobs=some_knobs(),
    others=some_knobs(),
    chip=st.fixed_dictionaries({}, optional=WHOLE),
    goals=st.sets(st.sampled_from(["accuracy", "edp_uj_us", "latency_us", "area_mm2"]), min_size=1),
    count=st.sampled_from([1, 300]),
)  # fmt: skip
def test_whatever_layers_are_searched_it_stays_in_the_space_or_says_why_not(
    stem: str, block: str, knobs: dict[str, Any], others: dict[str, Any], chip: dict[str, Any],
    goals: set[str], count: int,
) -> None:  # fmt: skip
    searched = space(
        hardware={**chip, "layers": {stem: knobs, block: others}},
        objectives={name: "max" if name == "accuracy" else "min" for name in sorted(goals)},
    )
    trace, chosen, asked = made_trace(searched), candidate(searched), question(searched, count=count)
    try:
        answer = search_inner(trace, chosen, asked)
    except InputError:
        event("refused")
        with pytest.raises(InputError, match=r"^hardware\."):
            search_inner(trace, chosen, asked)
        return
    event("exhaustive" if answer.exhaustive else "searched")
    assert answer.evaluations
    for evaluation in answer.evaluations:
        complete = {p.path: p.from_unit(0.5) for p in searched.outer} | evaluation.assignment
        assert searched.complete(complete) == complete
        resolve(searched.candidate(complete).hardware)
