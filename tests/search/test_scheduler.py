"""The scheduler: what it proposes, what it learns, and that its state is what the history says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from analytic_jobs import evaluations, space

from aster_dse.errors import InputError
from aster_dse.evaluation import Evaluation
from aster_dse.hardware import resolve
from aster_dse.pareto import hypervolume, non_dominated_mask
from aster_dse.search.protocol import NetworkJob
from aster_dse.search.sampling import SAMPLERS
from aster_dse.search.scheduler import PastTrial, Proposal, Scheduler
from aster_dse.space import SearchSpace


def answer(searched: SearchSpace, number: int, proposal: Proposal) -> tuple[Evaluation, ...]:
    bounds = tuple(str(bound) for bound in searched.constraints)
    job = NetworkJob("s", number, searched.candidate(proposal.assignment), proposal.inner, bounds, "")
    return evaluations(job)


class Run:
    """A scheduler and the history that it lived through."""

    def __init__(self, searched: SearchSpace, **settings: Any) -> None:
        self.space = searched
        self.settings: dict[str, Any] = {"seed": 1, "sampler": "tpe", "inner": 8, **settings}
        self.scheduler = Scheduler(searched, **self.settings)
        self.ended: list[PastTrial] = []
        self.asked: dict[int, Proposal] = {}

    def ask(self, number: int) -> Proposal:
        proposal = self.scheduler.ask(number)
        assert proposal is not None
        self.asked[number] = proposal
        return proposal

    def tell(self, number: int) -> tuple[int, ...]:
        proposal = self.asked[number]
        scored = answer(self.space, number, proposal)
        told = self.scheduler.choose(scored)
        self.scheduler.tell(number, scored, told)
        self.ended.append(PastTrial(number, proposal.assignment, evaluations=scored, told=told))
        return told

    def fail(self, number: int) -> None:
        self.scheduler.tell_failure(number)
        self.ended.append(PastTrial(number, self.asked[number].assignment))

    def go(self, trials: int) -> Run:
        for number in range(len(self.asked), trials):
            self.ask(number)
            self.tell(number)
        return self

    def resumed(self) -> Scheduler:
        ended = {trial.number for trial in self.ended}
        running = [PastTrial(n, p.assignment, running=True) for n, p in self.asked.items() if n not in ended]
        scheduler = Scheduler(self.space, **self.settings, reference=self.scheduler.reference)
        scheduler.replay([*self.ended, *running])
        return scheduler


def gp_space() -> SearchSpace:
    """Small, since a Gaussian process takes seconds per proposal in many dimensions."""
    return SearchSpace.from_mapping(
        {
            "name": "small",
            "workload": {"name": "digits"},
            "training": {"learning_rate": {"low": 0.001, "high": 0.1, "log": True}},
            "hardware": {"adc_levels": {"choices": [8, 16, 32]}},
            "objectives": {"energy_uj": "min"},
        }
    )


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_resumed_search_asks_what_it_would_have_asked(sampler: str) -> None:
    run = Run(gp_space() if sampler == "gp" else space(), sampler=sampler, inner=3)
    run.go(7)
    run.ask(7)
    run.fail(7)
    run.ask(8)  # never ends here
    resumed = run.resumed()
    assert resumed.running(8) == run.asked[8]
    assert resumed.next_number == 9
    assert resumed.ask(9) == run.ask(9)
    assert resumed.front == run.scheduler.front
    assert resumed.hypervolume == run.scheduler.hypervolume
    assert resumed.best == run.scheduler.best


def test_generations_survive_a_resume() -> None:
    """NSGA-III keeps parents; they come out the same from the history alone."""
    run = Run(space(), sampler="nsga3", inner=8).go(24)
    assert run.resumed().ask(24) == run.ask(24)


def test_who_ends_first_decides_and_when_they_were_asked_does_not() -> None:
    one = Run(space())
    for number in (0, 1, 2, 3):
        one.ask(number)
    for number in (2, 0, 3, 1):
        one.tell(number)
    assert one.resumed().ask(4) == one.ask(4)


def test_a_seed_decides_and_another_seed_decides_otherwise() -> None:
    assert Run(space()).go(8).asked == Run(space()).go(8).asked
    assert Run(space()).go(3).asked != Run(space(), seed=2).go(3).asked


def test_a_proposal_is_a_point_of_the_space_and_its_inner_points_are_distinct() -> None:
    run = Run(space(), inner=32).go(10)
    for proposal in run.asked.values():
        assert run.space.complete(proposal.assignment) == proposal.assignment
        inner_paths = {parameter.path for parameter in run.space.inner}
        assert {path: proposal.assignment[path] for path in inner_paths} == proposal.inner[0]
        assert len({tuple(point.values()) for point in proposal.inner}) == 32
        for point in proposal.inner:
            assert point.keys() == inner_paths
            run.space.complete({**proposal.assignment, **point})
    if_shallow = [p.assignment for p in run.asked.values() if p.assignment["network.depth"] == 1]
    assert {assignment["network.mlp_ratio"] for assignment in if_shallow} <= {4}


def test_hardware_that_cannot_exist_is_not_proposed() -> None:
    """A multiplexer must divide the columns; half of these do not."""
    searched = space("hardware.columns=128", "hardware.column_mux={low: 1, high: 128}", "network.width=32")
    for proposal in Run(searched, inner=16).go(3).asked.values():
        for point in proposal.inner:
            candidate = searched.candidate({**proposal.assignment, **point})
            resolve(candidate.hardware)


def test_a_space_whose_hardware_is_all_refused_says_why() -> None:
    with pytest.raises(InputError, match="hardware"):
        Scheduler(
            space("hardware.columns=96", "hardware.column_mux={choices: [5, 7]}"), **Run(space()).settings
        ).ask(0)


def test_no_configuration_is_proposed_twice_and_the_end_is_told() -> None:
    searched = SearchSpace.from_mapping(
        {
            "name": "few",
            "workload": {"name": "digits"},
            "network": {
                "depth": {"low": 1, "high": 3},
                "mlp_ratio": {"choices": [2, 4], "when": "depth > 2"},
            },
            "policy": {"timesteps": {"low": 1, "high": 3}},
            "objectives": {"energy_uj": "min"},
        }
    )
    run = Run(searched, inner=2)
    seen: list[tuple[Any, ...]] = []
    while (proposal := run.scheduler.ask(len(run.asked))) is not None:
        run.asked[len(run.asked)] = proposal
        run.tell(len(run.asked) - 1)
        outer = (proposal.assignment["network.depth"], proposal.assignment["network.mlp_ratio"])
        seen += [(*outer, point["policy.timesteps"]) for point in proposal.inner]
    networks = [(1, 4), (2, 4), (3, 2), (3, 4)]
    assert sorted(seen) == [(*network, steps) for network in networks for steps in (1, 2, 3)]


def test_without_inner_knobs_every_trial_is_one_point() -> None:
    searched = SearchSpace.from_mapping(
        {
            "name": "outer",
            "workload": {"name": "digits"},
            "network": {"depth": {"low": 1, "high": 3}},
            "objectives": {"accuracy": "max"},
        }
    )
    run = Run(searched, inner=64).go(3)
    assert {p.assignment["network.depth"] for p in run.asked.values()} == {1, 2, 3}
    assert all(proposal.inner == ({},) for proposal in run.asked.values())
    assert run.scheduler.ask(3) is None


def test_a_space_of_inner_knobs_alone_goes_on_with_its_one_network() -> None:
    searched = SearchSpace.from_mapping(
        {
            "name": "inner",
            "workload": {"name": "digits"},
            "policy": {"exit_threshold": {"low": 0.1, "high": 0.9}},
            "hardware": {"rows": {"choices": [32, 64]}},
            "objectives": {"accuracy": "max", "energy_uj": "min"},
        }
    )
    run = Run(searched, inner=16).go(5)
    points = [tuple(point.values()) for proposal in run.asked.values() for point in proposal.inner]
    assert len(set(points)) == 80


def test_told_are_the_proposed_point_and_those_that_gain_most() -> None:
    run = Run(space(), inner=64).go(4)
    first = run.ended[0]
    assert first.told[0] == 0
    assert 1 < len(first.told) <= 9
    assert all(first.evaluations[index].feasible for index in first.told[1:])
    chosen = _minimised(run.space, [first.evaluations[index] for index in first.told])
    everything = _minimised(run.space, [e for e in first.evaluations if e.feasible])
    reference = _minimised_reference(run.scheduler)
    assert hypervolume(chosen, reference) > 0.6 * hypervolume(everything, reference)


def test_the_first_trial_fixes_the_reference_point() -> None:
    run = Run(space()).go(1)
    scored = run.ended[0].evaluations
    expected = {
        "accuracy": 0.0,
        **{
            name: 2.0 * max(evaluation.metrics[name] for evaluation in scored)
            for name in ("energy_uj", "latency_us", "area_mm2")
        },
    }
    assert run.scheduler.reference == expected
    assert run.go(4).scheduler.reference == expected


@pytest.mark.parametrize("objectives", [["accuracy"], ["energy_uj"], ["accuracy", "latency_us"]])
def test_front_and_hypervolume_are_those_of_all_feasible_evaluations(objectives: Sequence[str]) -> None:
    goals = {name: "max" if name == "accuracy" else "min" for name in objectives}
    run = Run(space(objectives=goals), inner=32).go(6)
    found = [
        (trial.number, index, evaluation)
        for trial in run.ended
        for index, evaluation in enumerate(trial.evaluations)
        if evaluation.feasible
    ]
    points = _minimised(run.space, [evaluation for _, _, evaluation in found])
    mask = non_dominated_mask(points)
    front = [(number, index) for (number, index, _), kept in zip(found, mask, strict=True) if kept]
    assert [(point.trial, point.index) for point in run.scheduler.front] == front
    volume = hypervolume(points, _minimised_reference(run.scheduler))
    assert run.scheduler.hypervolume == pytest.approx(volume, rel=1e-12)


def test_while_nothing_is_feasible_the_least_infeasible_is_told() -> None:
    run = Run(space(constraints=["area_mm2 <= 0.001"]), inner=16).go(3)
    for trial in run.ended:
        violations = [evaluation.violation for evaluation in trial.evaluations]
        assert set(trial.told) == {0, int(np.argmin(violations))}
    assert run.scheduler.front == []
    assert run.scheduler.hypervolume == 0.0
    assert run.scheduler.best == {}
    assert run.scheduler.reference is not None


def test_a_scheduler_takes_no_unknown_sampler() -> None:
    with pytest.raises(InputError, match=r"search\.sampler"):
        Scheduler(space(), seed=0, sampler="annealing", inner=1)


def _minimised(searched: SearchSpace, scored: Sequence[Evaluation]) -> np.ndarray:
    signs = [-1.0 if goal == "max" else 1.0 for goal in searched.objectives.values()]
    return np.array([[e.metrics[name] for name in searched.objectives] for e in scored]) * signs


def _minimised_reference(scheduler: Scheduler) -> list[float]:
    assert scheduler.reference is not None
    return [-value if name == "accuracy" else value for name, value in scheduler.reference.items()]
