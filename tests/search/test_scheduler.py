"""The scheduler: what it proposes, what it learns, and that its state is what the history says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from analytic_jobs import evaluations, space

from aster_dse.errors import InputError
from aster_dse.evaluation import Evaluation
from aster_dse.evaluation.question import InnerQuestion
from aster_dse.pareto import hypervolume, non_dominated_mask
from aster_dse.search.protocol import NetworkJob
from aster_dse.search.sampling import SAMPLERS
from aster_dse.search.scheduler import PastTrial, Proposal, Scheduler
from aster_dse.space import SearchSpace

REFERENCE = {"accuracy": 0.0, "energy_uj": 50.0, "latency_us": 150.0, "area_mm2": 10.0}


def answer(searched: SearchSpace, number: int, proposal: Proposal) -> tuple[Evaluation, ...]:
    question = InnerQuestion(
        parameters=searched.inner,
        inactive={p.path: searched.fixed[p.path] for p in searched.inner},
        objectives=searched.objectives,
        constraints=tuple(str(bound) for bound in searched.constraints),
        count=searched.search.inner,
        seed=proposal.seed,
    )
    job = NetworkJob("s", number, searched.candidate(proposal.assignment), (), (), "", question)
    return evaluations(job)


class Run:
    """A scheduler and the history that it lived through."""

    def __init__(self, searched: SearchSpace, **settings: Any) -> None:
        self.space = searched
        reference = {name: REFERENCE[name] for name in searched.objectives}
        self.settings: dict[str, Any] = {"seed": 1, "sampler": "gp", "reference": reference, **settings}
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
        scheduler = Scheduler(self.space, **self.settings)
        scheduler.replay([*self.ended, *running])
        return scheduler


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_resumed_search_asks_what_it_would_have_asked(sampler: str) -> None:
    run = Run(space(), sampler=sampler)
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
    assert resumed.hypervolumes == run.scheduler.hypervolumes
    assert resumed.best == run.scheduler.best
    assert resumed.stale == run.scheduler.stale


def test_generations_survive_a_resume() -> None:
    """NSGA-III keeps parents; they come out the same from the history alone."""
    run = Run(space(), sampler="nsga3").go(24)
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


def test_a_proposal_is_a_network_of_the_space() -> None:
    run = Run(space()).go(16)
    for proposal in run.asked.values():
        assert run.space.complete(proposal.assignment) == proposal.assignment
    if_shallow = [p.assignment for p in run.asked.values() if p.assignment["network.depth"] == 1]
    assert {assignment["network.mlp_ratio"] for assignment in if_shallow} <= {4}
    assert len({proposal.seed for proposal in run.asked.values()}) == 16


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_no_network_is_proposed_twice_and_the_end_is_told(sampler: str) -> None:
    searched = SearchSpace.from_mapping(
        {
            "name": "few",
            "workload": {"name": "digits"},
            "network": {
                "depth": {"low": 1, "high": 5},
                "mlp_ratio": {"choices": [2, 4], "when": "depth > 2"},
            },
            "policy": {"timesteps": {"low": 1, "high": 3}},
            "objectives": {"energy_uj": "min"},
        }
    )
    run = Run(searched, sampler=sampler)
    while (proposal := run.scheduler.ask(len(run.asked))) is not None:
        run.asked[len(run.asked)] = proposal
        if len(run.asked) == 4:
            run.fail(3)
        else:
            run.tell(len(run.asked) - 1)
    networks = [(1, 4), (2, 4), (3, 2), (3, 4), (4, 2), (4, 4), (5, 2), (5, 4)]
    proposed = [p.assignment for p in run.asked.values()]
    assert sorted((p["network.depth"], p["network.mlp_ratio"]) for p in proposed) == networks


def test_networks_that_run_are_not_proposed_again() -> None:
    run = Run(space("training.learning_rate=0.01")).go(8)
    for number in range(8, 21):
        run.ask(number)
    assert run.scheduler.ask(21) is None  # 3 widths, depths 1 to 4, two ratios from depth 2 on


def test_a_space_of_inner_knobs_alone_has_one_network() -> None:
    searched = SearchSpace.from_mapping(
        {
            "name": "inner",
            "workload": {"name": "digits"},
            "policy": {"exit_threshold": {"low": 0.1, "high": 0.9}},
            "hardware": {"rows": {"choices": [32, 64]}},
            "objectives": {"accuracy": "max", "energy_uj": "min"},
            "search": {"inner": 16},
        }
    )
    run = Run(searched).go(1)
    assert run.scheduler.ask(1) is None
    assert run.scheduler.front


def test_told_are_those_that_gain_most() -> None:
    run = Run(space("search.inner=128")).go(4)
    first = run.ended[0]
    assert 1 < len(first.told) <= 8
    assert all(first.evaluations[index].feasible for index in first.told)
    chosen = _minimised(run.space, [first.evaluations[index] for index in first.told])
    everything = _minimised(run.space, first.evaluations)
    reference = _minimised_reference()
    assert hypervolume(chosen, reference) > 0.6 * hypervolume(everything, reference)


@pytest.mark.parametrize("objectives", [["accuracy"], ["energy_uj"], ["accuracy", "latency_us"]])
def test_front_and_hypervolume_are_those_of_all_feasible_evaluations(objectives: Sequence[str]) -> None:
    goals = {name: "max" if name == "accuracy" else "min" for name in objectives}
    run = Run(space(objectives=goals)).go(6)
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
    volume = hypervolume(points, _minimised_reference(goals))
    assert run.scheduler.hypervolume == pytest.approx(volume, rel=1e-12)


def test_while_nothing_is_feasible_the_least_infeasible_is_told() -> None:
    run = Run(space(constraints=["area_mm2 <= 0.001"])).go(9)
    for trial in run.ended:
        violations = [evaluation.violation for evaluation in trial.evaluations]
        assert trial.told == (int(np.argmin(violations)),)
    assert run.scheduler.front == []
    assert run.scheduler.hypervolume == 0.0
    assert run.scheduler.best == {}
    # What violates less has been looked for all the same.
    least = [min(e.violation for e in trial.evaluations) for trial in run.ended]
    assert min(least[6:]) <= min(least[:6])


def test_a_scheduler_takes_no_unknown_sampler() -> None:
    with pytest.raises(InputError, match=r"search\.sampler"):
        Scheduler(space(), seed=0, sampler="annealing", reference=REFERENCE)


def _minimised(searched: SearchSpace, scored: Sequence[Evaluation]) -> np.ndarray:
    signs = [-1.0 if goal == "max" else 1.0 for goal in searched.objectives.values()]
    return np.array([[e.metrics[name] for name in searched.objectives] for e in scored]) * signs


def _minimised_reference(objectives: Iterable[str] = REFERENCE) -> list[float]:
    return [-REFERENCE[name] if name == "accuracy" else REFERENCE[name] for name in objectives]


def test_a_search_begins_with_the_networks_it_is_given() -> None:
    starts = [{"network.width": 64, "network.depth": 3}, {"network.width": 16, "network.depth": 1}]
    searched = space(f"search.start={starts}")
    run = Run(searched).go(8)
    first = [{path: run.asked[n].assignment[path] for path in starts[0]} for n in range(2)]
    assert first == starts
    assert run.resumed().ask(8) == run.ask(8)
    assert len({str(proposal.assignment) for proposal in run.asked.values()}) == 9
