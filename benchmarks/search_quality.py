"""How much of the best front a search finds per training, replayed on a table of real trainings.

    python benchmarks/search_quality.py [--seeds 10] [--trainings 40] [--workers 2] [--json]

The table (`benchmarks/tables/digits_dvs.npz`, made by `search_table.py`) holds networks of the space
`digits_dvs` that were trained once. Every contender is replayed on it with several seeds and scored by its
share of the hypervolume of all networks' inner fronts together, up to the worst corner of the best front and
a tenth beyond, which is tighter than the reference point that a study has before it begins:

- ours: the scheduler of a search, told every network's whole inner front, without early stopping;
- ours, stopping early: the same with `search.early_stopping`, given the epochs of so many whole trainings;
- ours, networks at random: the inner level alone, without a model of the networks;
- ours, one configuration to a network: the model of the networks without the inner level; policy and
  accelerator of each network come from a Sobol sequence;
- Optuna's TPE, NSGA-II and NSGA-III (population 10, since 40 trials would be two generations of 20) and its
  random sampler, all knobs in one flat space as its manual shows it, constraints included: every trial is a
  training.

Ours picks from the networks of the table that are left; a flat trial is answered by the nearest network of
the table, whether it was asked before or not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from typing import Any

import numpy as np
from search_replay import Share, Volumes, nearest, networks, reference
from search_replay import replay as replay_search
from search_table_reader import space_of_table

from aster_dse.search.network_model import NetworkModel
from aster_dse.search.seeds import seed_of
from aster_dse.space import Parameter

MARKS = (10, 20, 40)
WITHIN = 0.98
FACTOR = 3.0
"""Of `search.early_stopping`."""

# --- contenders


def ours(seed: int, trainings: int) -> Volumes:
    return [share for _, share in replay_search(seed, trainings).shares]


def stopping_early(seed: int, trainings: int) -> Volumes:
    """What there is by the time in which so many networks are trained to the end."""
    epochs = int(space_of_table().fixed["training.epochs"])
    found = replay_search(seed, len(networks()), FACTOR, trainings * epochs).shares
    return [max((s for at, s in found if at <= epochs * n), default=0.0) for n in range(1, trainings + 1)]


def random_networks(seed: int, trainings: int) -> Volumes:
    share = Share()
    for number in np.random.default_rng(seed).permutation(len(networks()))[:trainings].tolist():
        share.add(networks()[number].evaluations)
    return share.volumes


def one_configuration(seed: int, trainings: int) -> Volumes:
    space = space_of_table()
    model = NetworkModel(space.outer, space.objectives, reference())
    rng = np.random.default_rng(seed_of(seed, 1))
    left = {n.number: n for n in networks()}
    share = Share()
    for number in range(trainings):
        places = [n.assignment for n in left.values()]
        proposed = (
            model.propose(np.random.default_rng(seed_of(seed, 2, number)), [], places) if number > 5 else []
        )
        pick = proposed[0] if proposed else places[int(rng.integers(len(places)))]
        chosen = left.pop(nearest(pick, list(left.values())).number)
        inner = {p.path: p.from_unit(rng.random()) for p in space.inner}
        scored = chosen.score({**chosen.assignment, **inner})
        told = [] if scored is None else [scored]
        if told:
            model.learn(chosen.assignment, told)
        share.add(told)
    return share.volumes


def flat(kind: str) -> Callable[[int, int], Volumes]:
    def run(seed: int, trainings: int) -> Volumes:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        space, share = space_of_table(), Share()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            samplers = {
                "tpe": lambda: optuna.samplers.TPESampler(seed=seed),
                "nsga2": lambda: optuna.samplers.NSGAIISampler(seed=seed, population_size=10),
                "nsga3": lambda: optuna.samplers.NSGAIIISampler(seed=seed, population_size=10),
                "random": lambda: optuna.samplers.RandomSampler(seed=seed),
            }
            directions = [{"max": "maximize", "min": "minimize"}[goal] for goal in space.objectives.values()]
            study = optuna.create_study(directions=directions, sampler=samplers[kind]())
        for _ in range(trainings):
            trial = study.ask()
            asked = {p.path: _suggested(trial, p) for p in space.parameters}
            network = nearest(asked, networks())
            scored = network.score({**network.assignment, **{p.path: asked[p.path] for p in space.inner}})
            assert scored is not None
            for bound in space.constraints:
                excess = scored.metrics[bound.metric] - bound.bound
                trial.set_constraint(str(bound), excess if bound.operator == "<=" else -excess)
            study.tell(trial, [scored.metrics[name] for name in space.objectives])
            share.add([scored])
        return share.volumes

    return run


def _suggested(trial: Any, parameter: Parameter) -> Any:
    """As Optuna's manual would have a user write the space."""
    options = getattr(parameter, "options", None)
    if options is not None:
        return trial.suggest_categorical(parameter.path, list(options))
    low, high = parameter.internal_bounds
    if parameter.internal_step is not None:
        return trial.suggest_int(parameter.path, int(low), int(high))
    return parameter.external(trial.suggest_float(parameter.path, low, high))


CONTENDERS: dict[str, Callable[[int, int], Volumes]] = {
    "ours": ours,
    "ours, stopping early": stopping_early,
    "ours, networks at random": random_networks,
    "ours, one configuration to a network": one_configuration,
    "Optuna TPE, flat": flat("tpe"),
    "Optuna NSGA-II, flat": flat("nsga2"),
    "Optuna NSGA-III, flat": flat("nsga3"),
    "Optuna random, flat": flat("random"),
}


def replay(name: str, seed: int, trainings: int) -> Volumes:
    """One contender with one seed."""
    return CONTENDERS[name](seed, trainings)


def goals(found: dict[str, list[Volumes]], trainings: int) -> list[dict[str, Any]]:
    peer = "Optuna TPE, flat"

    def median(name: str, mark: int) -> float:
        return statistics.median(volumes[mark - 1] for volumes in found[name])

    third = trainings // 3
    ratio = median("ours", third) / median(peer, trainings)
    reached = median("ours", trainings)
    return [
        {
            "name": f"hypervolume after {third} trainings over that of flat TPE after {trainings}",
            "value": ratio,
            "op": ">=",
            "goal": 1.0,
            "met": ratio >= 1.0,
            "peer": f"optuna {version('optuna')} TPESampler",
        },
        {
            "name": f"share of the best front of the table after {trainings} trainings",
            "value": reached,
            "op": ">=",
            "goal": WITHIN,
            "met": reached >= WITHIN,
            "peer": f"all {len(networks())} networks of the table",
        },
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trainings", type=int, default=40)
    parser.add_argument("--workers", type=int, default=min(os.cpu_count() or 1, 2))
    parser.add_argument("--only", nargs="*", choices=list(CONTENDERS))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    names = given.only or list(CONTENDERS)
    with ProcessPoolExecutor(given.workers) as pool:
        jobs = {
            name: [pool.submit(replay, name, seed, given.trainings) for seed in range(given.seeds)]
            for name in names
        }
        found = {name: [job.result() for job in running] for name, running in jobs.items()}
    marks = sorted({mark for mark in (*MARKS, given.trainings // 3) if mark <= given.trainings})
    if not given.json:
        print(
            f"share of the hypervolume of {len(networks())} networks, median of {given.seeds} seeds (range)"
        )
        print(f"{'after trainings':38s}" + "".join(f"{mark:>24d}" for mark in marks))
        for name, runs in found.items():
            cells = []
            for mark in marks:
                values = [volumes[mark - 1] for volumes in runs]
                cells.append(f"{statistics.median(values):.3f} ({min(values):.3f}-{max(values):.3f})")
            print(f"{name:38s}" + "".join(f"{cell:>24s}" for cell in cells))
    met = goals(found, given.trainings) if not given.only else []
    if given.json:
        machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        print(json.dumps({"benchmark": "search_quality", "machine": machine, "goals": met}, indent=2))
    else:
        for line in met:
            word = "met" if line["met"] else "MISSED"
            print(
                f"{word}: {line['name']}: {line['value']:.3f} "
                f"(goal {line['op']} {line['goal']}; {line['peer']})"
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
