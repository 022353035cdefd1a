"""Jobs for the tests of the search: figures from formulas, with the conflicts of the real ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from aster_dse.evaluation import Evaluation
from aster_dse.evaluation.metric_values import complete_metrics
from aster_dse.evaluation.question import InnerQuestion
from aster_dse.pareto import non_dominated_mask
from aster_dse.search.driver import run_search
from aster_dse.search.protocol import EpochReport, NetworkJob, NetworkPause, NetworkResult, Outcome, Report
from aster_dse.search.serial import SerialExecutor
from aster_dse.search.study import open_study
from aster_dse.search.telling import SearchSummary
from aster_dse.space import Candidate, SearchSpace, WorkloadConfig, assign, parse_constraint
from aster_dse.store import StudyReader, StudyStore
from aster_dse.workload import Workload

SPACE: dict[str, Any] = {
    "name": "analytic",
    "workload": {"name": "digits"},
    "network": {
        "width": {"choices": [16, 32, 64]},
        "depth": {"low": 1, "high": 4},
        "mlp_ratio": {"choices": [2, 4], "when": "depth >= 2"},
    },
    "training": {"learning_rate": {"low": 0.001, "high": 0.1, "log": True}},
    "policy": {
        "skip_threshold": {"choices": [None, 0.02, 0.05]},
        "exit_threshold": {"low": 0.2, "high": 0.999999, "scale": "neglog10"},
        "timesteps": {"low": 1, "high": 4},
    },
    "hardware": {
        "rows": {"choices": [32, 64, 128]},
        "adc_levels": {"choices": [8, 16, 32, 64]},
        "event_gating": {"choices": [True, False]},
    },
    "objectives": {"accuracy": "max", "energy_uj": "min", "latency_us": "min", "area_mm2": "min"},
    "constraints": ["accuracy >= 0.6"],
    "search": {"inner": 32, "seed": 3},
}


def space(*settings: str, **changes: Any) -> SearchSpace:
    return SearchSpace.from_mapping({**SPACE, **changes}).override(*settings)


def figures(candidate: Candidate) -> dict[str, float]:
    """More network and more converter levels cost more and classify better; rates have an optimum."""
    network, policy, hardware = candidate.network, candidate.policy, candidate.hardware
    work = network.width * network.depth * (1 + 0.1 * network.mlp_ratio)
    steps = 1 + (policy.timesteps or 4) * policy.exit_threshold
    levels = hardware.adc_levels or 32
    off = math.log10(candidate.training.learning_rate / 0.01)
    loss = 0.9 / work**0.4 + 0.1 * off**2 + 0.15 / steps + 0.4 / levels + (policy.skip_threshold or 0.0)
    energy = 1e-3 * work * steps * levels * (0.6 if hardware.event_gating else 1.0)
    latency = 0.1 * work * steps * (hardware.rows or 64) / 64
    found = {
        "accuracy": max(1.0 - loss, 0.0),
        "energy_uj": energy,
        "latency_us": latency,
        "area_mm2": 0.01 * work * (1 + levels / (hardware.rows or 64)),
        "mean_timesteps": steps,
        "edp_uj_us": energy * latency,
    }
    return complete_metrics(found, feasible=True)


def evaluations(job: NetworkJob) -> tuple[Evaluation, ...]:
    """The front of the points that a seed draws, or the least infeasible of them."""
    question = job.question
    assert question is not None
    scored = [evaluation(job.candidate, inner, question.constraints) for inner in drawn(question)]
    feasible = [one for one in scored if one.feasible]
    if not feasible:
        return tuple(sorted(scored, key=lambda one: one.violation)[:2])
    signs = [-1.0 if goal == "max" else 1.0 for goal in question.objectives.values()]
    points = np.array([[one.metrics[name] for name in question.objectives] for one in feasible]) * signs
    return tuple(one for one, kept in zip(feasible, non_dominated_mask(points), strict=True) if kept)


def drawn(question: InnerQuestion) -> list[dict[str, Any]]:
    rng = np.random.default_rng(question.seed)
    return [
        {p.path: p.from_unit(unit) for p, unit in zip(question.parameters, row, strict=True)}
        for row in rng.random((min(question.count, 256), len(question.parameters))).tolist()
    ]


def evaluation(candidate: Candidate, inner: dict[str, Any], constraints: tuple[str, ...]) -> Evaluation:
    metrics = figures(assign(candidate, inner))
    violation = sum(parse_constraint(text).violation(metrics) for text in constraints)
    return Evaluation(inner, metrics, violation, {"exit_histogram": [1, 2]})


class AnalyticJobs:
    """Runs jobs by formula and remembers which networks it trained, as a folder of artifacts would."""

    def __init__(self, change: Callable[[NetworkJob, NetworkResult], Outcome] | None = None) -> None:
        self.jobs: list[NetworkJob] = []
        self.trained: set[str] = set()
        self._change = change

    def __call__(
        self, job: NetworkJob, *, workload: Workload | None, on_report: Callable[[Report], None] | None
    ) -> Outcome:
        del workload  # formulas need no data
        self.jobs.append(job)
        key = job.candidate.training_key()
        if on_report is not None:
            on_report(EpochReport(job.trial, 1, 1, 0.5, 1.0))
        if job.pause_at is not None:
            return self._pause(job, job.pause_at)
        result = NetworkResult(
            trial=job.trial,
            training_key=key,
            reused=key in self.trained,
            training={
                "accuracy": 0.9,
                "epochs": 1,
                "history": [{"epoch": 1, "loss": 1.0}],
                "inner_scored": job.question.count if job.question else 0,
            },
            evaluations=evaluations(job),
            wall_s=0.01,
        )
        outcome = result if self._change is None else self._change(job, result)
        self.trained.add(key)
        return outcome

    def _pause(self, job: NetworkJob, epoch: int) -> NetworkPause:
        """Less accurate than at its end, else the same; where it stands is the checkpoint's content."""
        assert job.question is not None
        asked = replace(job, question=job.question.while_training())
        seen = tuple(
            replace(one, metrics={**one.metrics, "accuracy": 0.8 * one.metrics["accuracy"]})
            for one in evaluations(asked)
        )
        return NetworkPause(
            trial=job.trial,
            training_key=job.candidate.training_key(),
            epoch=epoch,
            accuracy=0.5,
            evaluations=seen,
            scored=len(seen),
            wall_s=0.01,
            files={"epoch.safetensors": str(epoch).encode()},
        )


def nothing(_: WorkloadConfig) -> Any:
    """Formulas need no data."""
    return None


def search(
    url: str,
    searched: SearchSpace,
    trials: int,
    *,
    jobs: AnalyticJobs | None = None,
    study: str = "s",
    **options: Any,
) -> SearchSummary:
    """Open a study and search it, in this process."""
    artifacts = options.pop("artifacts", Path("artifacts"))
    extend = options.pop("extend", False)
    executor = options.pop("executor", None) or SerialExecutor(run=jobs or AnalyticJobs(), load=nothing)
    with StudyStore(url) as store:
        row = open_study(store, searched, study, extend=extend, code_version="test")
        return run_search(store, row, searched, executor, artifacts=artifacts, trials=trials, **options)


def content(url: str, study: str = "s") -> list[tuple[Any, ...]]:
    """Everything that a seed decides, by trial: what was proposed, what was scored, what was told."""
    with StudyReader(url) as reader:
        row = reader.study(study)
        table = reader.evaluations(row.id, columns=[*row.objectives, "violation", "told_order"])
        scored = {number: group.drop(columns=["id"]).to_csv() for number, group in table.groupby("trial")}
        return [
            (trial.number, str(trial.state), trial.assignment, scored.get(trial.number))
            for trial in reader.trials(row.id)
        ]
