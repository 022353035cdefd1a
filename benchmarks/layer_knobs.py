"""Knobs of single layers found from what each layer adds, beside a search that knows nothing of layers.

    python benchmarks/layer_knobs.py [--designs 2000] [--seeds 3] [--json]

One accelerator, one policy; every layer has a column multiplexer and is analog or digital by itself. Ours and
the peers, Optuna's NSGA-II and vectors drawn at random, score equally many designs with the same cost model.
What counts is the hypervolume of energy, latency and area of the designs found. Of a smaller space, in which
the layers of the stem and the kinds of layers of a block differ, the front of all designs is known too.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import time
from typing import Any

import numpy as np
import optuna

from aster_dse.activity import InferenceActivity
from aster_dse.activity.uniform import uniform_activity
from aster_dse.evaluation.layer_vectors import best_vectors
from aster_dse.hardware import estimate_many, resolve
from aster_dse.hardware.designs import DesignTable
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.network.on_workload import geometry_for
from aster_dse.pareto import hypervolume
from aster_dse.space import HardwareConfig, LayerRanges, SearchSpace, preset

FIGURES = ("energy_uj", "latency_us", "area_mm2")
FREE = {"each": {"column_mux": {"choices": [1, 2, 4, 8]}, "compute": {"choices": ["analog", "digital"]}}}
FEW = {
    "stem.each": {"column_mux": {"choices": [1, 2, 4, 8]}},
    "block.*.each": {"column_mux": {"choices": [2, 8]}},
}
"""65,536 designs."""
PEER_GOAL, EVERYTHING_GOAL = 1.0, 0.99
CHUNK = 4_096


def ranges_of(layers: dict[str, Any], geometry: NetworkGeometry) -> LayerRanges:
    space = SearchSpace.from_mapping(
        {
            "name": "layers",
            "workload": {"name": "digits-dvs"},
            "hardware": {"layers": layers},
            "objectives": {"energy_uj": "min"},
        }
    )
    found = space.parameter("hardware.layers")
    assert isinstance(found, LayerRanges)
    return found.on([layer.name for layer in geometry.synaptic])


class Scorer:
    """Figures of vectors, many at once."""

    def __init__(self, geometry: NetworkGeometry, activity: InferenceActivity, ranges: LayerRanges) -> None:
        self.geometry, self.activity, self.ranges = geometry, activity, ranges

    def __call__(self, vectors: list[tuple[int, ...]]) -> np.ndarray:
        found = []
        options = [self.ranges.families[slot.family].options for slot in self.ranges.slots]
        chip = resolve(HardwareConfig())
        for begin in range(0, len(vectors), CHUNK):
            part = np.array(vectors[begin : begin + CHUNK])
            columns: dict[str, Any] = {}
            for place, slot in enumerate(self.ranges.slots):
                for name in options[place][0]:
                    own = np.array([option[name] for option in options[place]])
                    shape = (len(part), len(self.geometry.synaptic))
                    columns.setdefault(name, np.full(shape, getattr(chip, name), dtype=own.dtype))
                    columns[name][:, list(slot.layers)] = own[part[:, place], None]
            costs = estimate_many(self.geometry, self.activity, DesignTable.vary(chip, columns))
            found.append(np.stack([getattr(costs, name) for name in FIGURES], axis=1))
        return np.concatenate(found)


def ours(score: Scorer, count: int, seed: int) -> np.ndarray:
    found = best_vectors(
        score.geometry,
        score.activity,
        resolve(HardwareConfig()),
        score.ranges,
        FIGURES,
        count=count,
        most=count,
        rng=np.random.default_rng(seed),
    )
    return score([tuple(v or 0 for v in score.ranges.vector(text)) for text in found.texts])


def at_random(score: Scorer, count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return score([tuple(int(rng.integers(n)) for n in score.ranges.counts) for _ in range(count)])


def nsga2(score: Scorer, count: int, seed: int) -> np.ndarray:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.NSGAIISampler(seed=seed)
    study = optuna.create_study(directions=["minimize"] * len(FIGURES), sampler=sampler)

    def objective(trial: optuna.Trial) -> tuple[float, ...]:
        vector = tuple(trial.suggest_int(str(n), 0, most - 1) for n, most in enumerate(score.ranges.counts))
        return tuple(score([vector])[0].tolist())

    study.optimize(objective, n_trials=count)
    return np.array([trial.values for trial in study.trials])


def median_volume(search: Any, score: Scorer, count: int, seeds: int, corner: np.ndarray) -> float:
    return statistics.median(hypervolume(search(score, count, seed), corner) for seed in range(seeds))


def goal(name: str, value: float, limit: float, peer: str) -> dict[str, Any]:
    return {"name": name, "value": value, "op": ">=", "goal": limit, "met": value >= limit, "peer": peer}


def measure(name: str, count: int, seeds: int) -> list[dict[str, Any]]:
    chosen = preset(name)
    geometry = geometry_for(chosen.workload, chosen.network)
    activity = uniform_activity(geometry, 0.2)
    score = Scorer(geometry, activity, ranges_of(FREE, geometry))
    # The corner of designs whose layers are all alike.
    options = len(score.ranges.families[0].options)
    corner = score([(option,) * len(score.ranges.slots) for option in range(options)]).max(axis=0) * 1.1
    began = time.process_time()
    best = median_volume(ours, score, count, seeds, corner)
    seconds = (time.process_time() - began) / seeds
    lines = [
        goal(
            f"{name}: hypervolume after {count:,} designs over {peer}'s ({seconds:.2g} CPU s)",
            best / median_volume(search, score, count, seeds, corner),
            PEER_GOAL,
            peer,
        )
        for peer, search in (("Optuna NSGA-II", nsga2), ("vectors at random", at_random))
    ]
    few = Scorer(geometry, activity, ranges_of(FEW, geometry))
    everything = few([*itertools.product(*map(range, few.ranges.counts))])
    corner = everything.max(axis=0) * 1.1
    share = median_volume(ours, few, count, seeds, corner) / hypervolume(everything, corner)
    title = f"{name}: share of the hypervolume of all {few.ranges.cardinality:,} designs of a smaller space"
    return [*lines, goal(title, share, EVERYTHING_GOAL, "all designs")]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--designs", type=int, default=2_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    goals = [
        line
        for name in ("digits-dvs", "imagenet-8-512")
        for line in measure(name, options.designs, options.seeds)
    ]
    document = {
        "benchmark": "layer_knobs",
        "machine": {
            "cpus": os.cpu_count(),
            "platform": platform.platform(),
            "python": platform.python_version(),
            "optuna": optuna.__version__,
        },
        "goals": goals,
    }
    if options.json:
        print(json.dumps(document, indent=2))
        return
    for line in goals:
        met = "met" if line["met"] else "NOT MET"
        print(f"{met}: {line['name']} {line['value']:.4g} {line['op']} {line['goal']:g}")


if __name__ == "__main__":
    main()
