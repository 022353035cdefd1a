"""Studies of any size in a real store, written the way a search writes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from aster_dse.evaluation import Evaluation
from aster_dse.evaluation.metric_values import complete_metrics
from aster_dse.search.protocol import NetworkFailure, NetworkResult
from aster_dse.space import Candidate, NetworkConfig, WorkloadConfig, load_space
from aster_dse.store import StudyRow, StudyStore

LAYERS = ("stem.0", "stem.1", "block.0.q", "block.0.k", "block.0.v", "block.0.proj", "block.0.fc1", "head")
COMPONENTS = {"adc": 0.42, "array": 0.2, "buffer": 0.18, "routing": 0.12, "neuron": 0.08}


def create(store: StudyStore, name: str = "digits", constraints: tuple[str, ...] = ()) -> StudyRow:
    """An empty study with the usual objectives."""
    return store.create_study(
        name,
        space=load_space("digits_dvs").override("hardware.arrays=ideal").as_dict(),
        space_hash=f"hash of {name}",
        objectives={"accuracy": "max", "energy_uj": "min", "latency_us": "min"},
        constraints=constraints,
        seed=7,
        sampler="tpe",
    )


def candidate(number: int) -> Candidate:
    return Candidate(
        workload=WorkloadConfig(name="digits-dvs"),
        network=NetworkConfig(width=(16, 32, 48)[number % 3], neuron=("lif", "plif")[number % 2]),
    )


def begin(store: StudyStore, study: StudyRow, number: int) -> str:
    """A trial that is now running; returns its training key."""
    point = candidate(number)
    key = point.training_key()
    store.begin_trial(
        study.id,
        number,
        assignment={"network.width": point.network.width, "network.neuron": point.network.neuron},
        candidate=point.model_dump(mode="json"),
        training_key=key,
    )
    return key


def evaluation(number: int, index: int, *, feasible: bool = True) -> Evaluation:
    """A plausible point: what leaves early costs less and is right less often."""
    draw = np.random.default_rng([number, index])
    width = candidate(number).network.width
    threshold = float(np.round(0.3 + 0.7 * draw.random(), 3))
    levels = int(draw.choice([8, 16, 32, 64]))
    steps = 1 + 3 * threshold**2
    energy = 0.018 * width**1.25 * steps * (levels / 16) ** 0.55 * (1 + 0.08 * draw.random())
    accuracy = 0.965 - 0.4 * np.exp(-2.1 * steps * (width / 32) ** 0.5) - 0.08 * (8 / levels) ** 2
    accuracy -= 0.012 * draw.random()
    latency = 9.0 * steps * (1 + levels / 128) * (1 + 0.1 * draw.random())
    shares = np.array([0.5 + draw.random() for _ in LAYERS])
    shares /= shares.sum()
    return Evaluation(
        assignment={"policy.exit_threshold": threshold, "hardware.adc_levels": levels},
        metrics=complete_metrics(
            {
                "accuracy": float(accuracy),
                "energy_uj": float(energy),
                "latency_us": float(latency),
                "area_mm2": 1.2 + levels / 90,
                "mean_timesteps": float(steps),
                "edp_uj_us": float(energy * latency),
            },
            feasible=feasible,
        ),
        violation=0.0 if feasible else 0.25,
        detail=detail(float(energy), shares, steps),
    )


def detail(energy_uj: float, shares: np.ndarray[Any, Any], steps: float) -> dict[str, Any]:
    return {
        "hardware": {
            "energy_pj": {
                name: {
                    layer: 1e6 * energy_uj * float(share) * part
                    for layer, share in zip(LAYERS, shares, strict=True)
                }
                for name, part in COMPONENTS.items()
            },
            "latency_ns_by_layer": dict.fromkeys(LAYERS, 1000.0 * steps),
            "area_um2_by_component": {"adc": 7e5, "cells": 3e5, "buffers": 2e5},
        },
        "exit_histogram": [1 - 0.2 * steps, 0.1 * steps, 0.06 * steps, 0.04 * steps],
        "skipped_blocks": [1],
    }


def finish(
    store: StudyStore,
    study: StudyRow,
    number: int,
    *,
    points: int = 16,
    feasible: bool = True,
    reused: bool = False,
) -> None:
    """Run trial ``number`` to its end."""
    key = begin(store, study, number)
    history = [{"epoch": e + 1, "loss": 2.2 * 0.75**e, "accuracy": 0.95 - 0.8 * 0.6**e} for e in range(12)]
    result = NetworkResult(
        trial=number,
        training_key=key,
        reused=reused,
        training={"accuracy": 0.953, "epochs": 12, "parameters": 61_234, "wall_s": 31.2, "history": history},
        evaluations=tuple(
            evaluation(number, index, feasible=feasible and index % 9 != 8) for index in range(points)
        ),
        wall_s=33.0,
        node="worker-a",
    )
    store.finish_trial(study.id, result, told=range(min(2, points)))


def fail(store: StudyStore, study: StudyRow, number: int) -> None:
    """Run trial ``number`` into a wall."""
    key = begin(store, study, number)
    reason = "the loss is NaN after epoch 3; a lower training.learning_rate may help"
    store.fail_trial(
        study.id, NetworkFailure(number, key, "diverged", reason, "Traceback ...", "worker-b", 2)
    )
