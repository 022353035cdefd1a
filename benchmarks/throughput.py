"""How many trials a second the bookkeeping allows: ask, store, tell, with evaluations that cost nothing.

    python benchmarks/throughput.py [--trials 100] [--rounds 3] [--sampler random|tpe] [--json]

Ours is the whole driver as a search runs it: scheduler, executor, lease, one transaction when a trial is
asked for and one when it ends, its evaluation stored with metrics and detail; the inner front of a network is
one point, so that both store as many points. The peer is Optuna's own loop on its own database storage
(``RDBStorage``, SQLite), in the same run on the same disk, with the same sampler: 12 parameters, 4
objectives. Rounds of both alternate, and the best one counts, since whatever else the machine does can only
slow a round down.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

SPACE: dict[str, Any] = {
    "name": "throughput",
    "workload": {"name": "digits"},
    "network": {"depth": {"low": 1, "high": 24}, "neuron": {"choices": ["lif", "plif"]}},
    "training": {
        "learning_rate": {"low": 0.001, "high": 0.1},
        "weight_decay": {"low": 0.0, "high": 1.0},
        "loss": {"choices": ["tet", "ce"]},
        "epochs": {"low": 1, "high": 64},
    },
    "policy": {
        "skip_threshold": {"low": 0.0, "high": 1.0},
        "exit_threshold": {"low": 0.0, "high": 1.0},
        "exit_metric": {"choices": ["confidence", "entropy"]},
        "timesteps": {"low": 1, "high": 64},
    },
    "hardware": {"event_gating": {"choices": [True, False]}, "buffer_kib": {"low": 1, "high": 64}},
    "objectives": {"accuracy": "max", "energy_uj": "min", "latency_us": "min", "area_mm2": "min"},
    "search": {"inner": 1, "seed": 0},
}
"""Four decimal numbers, four integers and four choices, as the peer has them."""

Loop = Callable[[Path, int, str], None]
"""Runs a number of no-op trials with a sampler (``random``, ``tpe``) on a new database in an empty folder."""

FASTER_THAN_PEER = 1.0
"""The goal: at least the peer's rate."""


@dataclass(frozen=True)
class Rate:
    """Trials per second of wall time and per second of this process's CPU time."""

    wall: float
    cpu: float


def noop_objectives(floats: list[float], integers: list[int], choices: list[str]) -> tuple[float, ...]:
    """Four objectives that conflict and cost nothing."""
    shift = 0.1 * len(set(choices))
    return (
        sum(floats) + shift,
        sum((1 - value) ** 2 for value in floats),
        sum(integers) - shift,
        sum((64 - value) ** 2 for value in integers) / 64,
    )


def optuna_loop(folder: Path, trials: int, sampler: str) -> None:
    """Ask and tell as Optuna's manual shows it, on its SQLite storage."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    samplers = {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'optuna.db'}")
        study = optuna.create_study(
            storage=storage, directions=["minimize"] * 4, sampler=samplers[sampler](seed=0)
        )
        for _ in range(trials):
            trial = study.ask()
            floats = [trial.suggest_float(f"float_{index}", 0.0, 1.0) for index in range(4)]
            integers = [trial.suggest_int(f"integer_{index}", 1, 64) for index in range(4)]
            choices = [trial.suggest_categorical(f"choice_{index}", ("a", "b", "c")) for index in range(4)]
            study.tell(trial, noop_objectives(floats, integers, choices))
        storage.engine.dispose()


def aster_loop(folder: Path, trials: int, sampler: str) -> None:
    """A search whose evaluations cost nothing, on its SQLite store."""
    from aster_dse.evaluation import METRICS, Evaluation
    from aster_dse.search.driver import run_search
    from aster_dse.search.protocol import NetworkJob, NetworkResult, Report
    from aster_dse.search.serial import SerialExecutor
    from aster_dse.search.study import open_study
    from aster_dse.space import SearchSpace
    from aster_dse.store import StudyStore
    from aster_dse.workload import Workload

    space = SearchSpace.from_mapping(SPACE).override(f"search.sampler={sampler}")

    def evaluate(
        job: NetworkJob, *, workload: Workload | None, on_report: Callable[[Report], None] | None
    ) -> NetworkResult:
        del workload, on_report
        assignment = space.assignment(job.candidate)
        values = assignment.values()
        floats = [value for value in values if isinstance(value, float)]
        integers = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
        choices = [str(value) for value in values if isinstance(value, bool | str)]
        figures = noop_objectives(floats, integers, choices)
        metrics = {**dict.fromkeys(METRICS, 0.0), **dict(zip(space.objectives, figures, strict=True))}
        point = Evaluation({p.path: assignment[p.path] for p in space.inner}, metrics)
        return NetworkResult(job.trial, job.candidate.training_key(), False, {}, (point,), 0.0)

    def no_data(_: Any) -> Any:
        return None

    with StudyStore(f"sqlite:///{folder / 'aster.db'}") as store:
        study = open_study(store, space, "throughput", code_version="benchmark")
        executor = SerialExecutor(run=evaluate, load=no_data)
        run_search(store, study, space, executor, artifacts=folder, trials=trials)


def best_rates(loops: Mapping[str, Loop], trials: int, rounds: int, sampler: str) -> dict[str, Rate]:
    """The best of alternating rounds of each loop."""
    best = {name: Rate(0.0, 0.0) for name in loops}
    for _ in range(rounds):
        for name, loop in loops.items():
            with tempfile.TemporaryDirectory() as folder:
                wall, cpu = time.perf_counter(), time.process_time()
                loop(Path(folder), trials, sampler)
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            best[name] = Rate(max(best[name].wall, trials / wall), max(best[name].cpu, trials / cpu))
    return best


def goal(name: str, ours: float, peer: float) -> dict[str, Any]:
    """One line of the report: our rate over the peer's."""
    ratio = ours / peer
    return {
        "name": name,
        "value": ratio,
        "op": ">=",
        "goal": FASTER_THAN_PEER,
        "met": ratio >= FASTER_THAN_PEER,
        "peer": f"optuna {version('optuna')}, RDBStorage on SQLite: {peer:.1f}, ours {ours:.1f}",
    }


def report(rates: Mapping[str, Rate], sampler: str) -> dict[str, Any]:
    """The document that ``--json`` prints."""
    ours, peer = rates["aster-dse"], rates["optuna"]
    goals = [
        goal(f"ratio of trials per second, {sampler} sampler", ours.wall, peer.wall),
        goal(f"ratio of trials per CPU second, {sampler} sampler", ours.cpu, peer.cpu),
    ]
    machine = {"cpus": os.cpu_count(), "platform": platform.platform(), "python": platform.python_version()}
    return {"benchmark": "throughput", "machine": machine, "goals": goals}


LOOPS: dict[str, Loop] = {"aster-dse": aster_loop, "optuna": optuna_loop}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sampler", choices=("random", "tpe"), default="random")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rates = best_rates(LOOPS, options.trials, options.rounds, options.sampler)
    document = report(rates, options.sampler)
    if options.json:
        print(json.dumps(document, indent=2))
        return
    for name, rate in rates.items():
        print(f"{name:10} {rate.wall:8.1f} trials/s  {rate.cpu:8.1f} trials per CPU second")
    for line in document["goals"]:
        print(
            f"{'met' if line['met'] else 'NOT MET'}: {line['name']} {line['value']:.2f}x {line['op']} "
            f"{line['goal']:g}x ({line['peer']})"
        )


if __name__ == "__main__":
    main()
