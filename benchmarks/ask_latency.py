"""How long a search takes to think of the next network, beside plain Optuna on the same points.

    python benchmarks/ask_latency.py [--told 1000 5000] [--asks 5] [--json]

Both know the same points: 12 knobs that need a training, 4 objectives, one point to a network. Ours is asked
as a search asks it: a fresh sampler seeded by the trial's number, four trials running, what is known held in
memory. The peer is an Optuna study in memory with the same sampler, `ask` and the suggestion of 12 values.
CPU milliseconds, the median of the asks.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import optuna

from aster_dse.evaluation import Evaluation
from aster_dse.search.sampling import NetworkSampler
from aster_dse.space import SearchSpace

SPACE: dict[str, Any] = {
    "name": "latency",
    "workload": {"name": "digits"},
    "network": {"depth": {"low": 1, "high": 24}, "neuron": {"choices": ["lif", "plif"]}},
    "training": {
        "learning_rate": {"low": 0.001, "high": 0.1},
        "weight_decay": {"low": 0.0, "high": 1.0},
        "loss": {"choices": ["tet", "ce"]},
        "epochs": {"low": 1, "high": 64},
        "warmup_epochs": {"low": 0.0, "high": 8.0},
        "label_smoothing": {"low": 0.0, "high": 0.5},
        "mixup": {"low": 0.0, "high": 1.0},
        "batch_size": {"low": 8, "high": 256},
        "bn_weight_init": {"low": 0.5, "high": 4.0},
        "tet_lambda": {"low": 0.0, "high": 1.0},
    },
    "objectives": {"accuracy": "max", "energy_uj": "min", "latency_us": "min", "area_mm2": "min"},
}
REFERENCE = {"accuracy": 0.0, "energy_uj": 20.0, "latency_us": 20.0, "area_mm2": 20.0}
GOALS_MS = {"tpe": 400.0, "nsga3": 10.0}
"""At 5,000 told points."""
RUNNING = 4


def objectives(units: np.ndarray) -> dict[str, float]:
    """Four figures that conflict and cost nothing."""
    return {
        "accuracy": float(units[:4].mean()),
        "energy_uj": float(np.square(1.0 - units[:6]).sum()),
        "latency_us": float(units[4:8].sum()),
        "area_mm2": float(np.square(units[2:12]).sum()),
    }


def points(space: SearchSpace, count: int) -> list[tuple[dict[str, Any], dict[str, float]]]:
    rng = np.random.default_rng(0)
    rows = rng.random((count, len(space.outer)))
    return [
        ({p.path: p.from_unit(u) for p, u in zip(space.outer, row.tolist(), strict=True)}, objectives(row))
        for row in rows
    ]


def ours(
    kind: str, space: SearchSpace, known: list[tuple[dict[str, Any], dict[str, float]]]
) -> Callable[[int], Any]:
    sampler = NetworkSampler(space, seed=0, sampler=kind, reference=REFERENCE)
    for assignment, metrics in known:
        sampler.learn(assignment, [Evaluation({}, metrics)], (0,))
    running = [assignment for assignment, _ in known[:RUNNING]]
    return lambda number: sampler.propose(number, running)


def theirs(
    kind: str, space: SearchSpace, known: list[tuple[dict[str, Any], dict[str, float]]]
) -> Callable[[int], Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler: Any = (
            optuna.samplers.TPESampler(seed=0)
            if kind == "tpe"
            else optuna.samplers.NSGAIIISampler(seed=0, population_size=20)
        )
    directions = [{"max": "maximize", "min": "minimize"}[goal] for goal in space.objectives.values()]
    study = optuna.create_study(directions=directions, sampler=sampler)
    spread = {p.path: _distribution(p) for p in space.outer}
    told = []
    for assignment, metrics in known:
        told.append(
            optuna.trial.create_trial(
                params={path: assignment[path] for path in spread},
                distributions=spread,
                values=[metrics[name] for name in space.objectives],
            )
        )
    study.add_trials(told)

    def ask(_: int) -> Any:
        trial = study.ask()
        for path, distribution in spread.items():
            if isinstance(distribution, optuna.distributions.CategoricalDistribution):
                trial.suggest_categorical(path, distribution.choices)
            elif isinstance(distribution, optuna.distributions.IntDistribution):
                trial.suggest_int(path, distribution.low, distribution.high)
            else:
                trial.suggest_float(path, distribution.low, distribution.high)
        study.tell(trial, state=optuna.trial.TrialState.FAIL)

    return ask


def _distribution(parameter: Any) -> Any:
    options = getattr(parameter, "options", None)
    if options is not None:
        return optuna.distributions.CategoricalDistribution(options)
    kind = (
        optuna.distributions.IntDistribution if parameter.integer else optuna.distributions.FloatDistribution
    )
    return kind(parameter.low, parameter.high)


def cpu_ms(ask: Callable[[int], Any], first: int, asks: int) -> float:
    ask(first)
    times = []
    for number in range(first + 1, first + 1 + asks):
        began = time.process_time()
        ask(number)
        times.append(1e3 * (time.process_time() - began))
    return statistics.median(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--told", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--asks", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = SearchSpace.from_mapping(SPACE)
    goals: list[dict[str, Any]] = []
    for count in given.told:
        known = points(space, count)
        for kind in ("tpe", "nsga3"):
            mine = cpu_ms(ours(kind, space, known), count, given.asks)
            peer = cpu_ms(theirs(kind, space, known), count, given.asks)
            limit = GOALS_MS[kind]
            goals.append(
                {
                    "name": f"{kind}: CPU ms to propose at {count} told points",
                    "value": mine,
                    "op": "<=",
                    "goal": limit,
                    "met": mine <= limit,
                    "peer": f"optuna {version('optuna')}: {peer:.1f} ms, {peer / mine:.2f} times ours",
                }
            )
        mine = cpu_ms(ours("gp", space, known), count, given.asks)
        if not given.json:
            print(f"gp: {mine:.1f} CPU ms to propose at {count} told networks (remembers the latest 256)")
    if given.json:
        machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        print(json.dumps({"benchmark": "ask_latency", "machine": machine, "goals": goals}, indent=2))
    for goal in () if given.json else goals:
        word = "met" if goal["met"] else "MISSED"
        print(
            f"{word}: {goal['name']}: {goal['value']:.1f} "
            f"(goal {goal['op']} {goal['goal']:g}; {goal['peer']})"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
