"""Small studies, results and failures to store."""

from __future__ import annotations

from typing import Any

from aster_dse.evaluation import METRICS, Evaluation
from aster_dse.search.protocol import NetworkFailure, NetworkPause, NetworkResult
from aster_dse.store import StudyRow, StudyStore

HISTORY = [
    {"epoch": 1, "loss": 2.25, "accuracy": 0.125, "learning_rate": 0.01},
    {"epoch": 2, "loss": 1.5, "accuracy": 0.75, "learning_rate": 0.005},
]


def create_study(store: StudyStore, name: str = "digits", **changes: Any) -> StudyRow:
    values: dict[str, Any] = {
        "space": {"search": {"network.width": [16, 32], "policy.exit_threshold": [0.5, 0.9]}},
        "space_hash": "a1",
        "objectives": {"energy_uj": "min", "accuracy": "max"},
        "constraints": ["area_mm2 <= 4", "latency_us <= 900"],
        "seed": 2**40,
        "sampler": "tpe",
        "code_version": "0.1.0",
    }
    return store.create_study(name, **{**values, **changes})


def begin(store: StudyStore, study: StudyRow, number: int, key: str | None = None) -> None:
    store.begin_trial(
        study.id,
        number,
        assignment={"network.width": 16 + 8 * number, "policy.exit_threshold": 0.5},
        candidate={"network": {"width": 16 + 8 * number}, "policy": {"exit_threshold": 0.5}},
        training_key=key or f"key{number}",
    )


def evaluation(trial: int, index: int, **changes: Any) -> Evaluation:
    metrics = {name: trial + index / 8 + place for place, name in enumerate(METRICS)}
    return Evaluation(
        assignment={"policy.exit_threshold": index / 8},
        metrics={**metrics, **changes.pop("metrics", {})},
        violation=changes.pop("violation", 0.0 if index % 2 == 0 else 0.25),
        detail=changes.pop(
            "detail", {"by_component": {"adc": 1.5 * index}, "exit_histogram": [trial, index]}
        ),
    )


def result(trial: int, *, key: str | None = None, **changes: Any) -> NetworkResult:
    values: dict[str, Any] = {
        "reused": False,
        "training": {
            "accuracy": 0.75,
            "epochs": 2,
            "parameters": 12345,
            "wall_s": 3.5,
            "cpu_s": 3.25,
            "history": HISTORY,
            "resumed_from_epoch": 0,
            "device": "cpu",
        },
        "evaluations": tuple(evaluation(trial, index) for index in range(4)),
        "wall_s": 4.5,
        "node": "node-1",
        "attempt": 2,
        "peak_memory_mib": 300.5,
    }
    return NetworkResult(trial=trial, training_key=key or f"key{trial}", **{**values, **changes})


def pause(trial: int, epoch: int, **changes: Any) -> NetworkPause:
    values: dict[str, Any] = {
        "accuracy": 0.5,
        "evaluations": tuple(evaluation(trial, index) for index in range(2)),
        "scored": 64,
        "wall_s": 1.5,
        "node": "node-1",
    }
    return NetworkPause(trial=trial, training_key=f"key{trial}", epoch=epoch, **{**values, **changes})


def failure(trial: int, **changes: Any) -> NetworkFailure:
    values: dict[str, Any] = {
        "kind": "diverged",
        "reason": "the loss was NaN in epoch 3",
        "trace": "Traceback ...",
        "node": "node-2",
        "attempt": 1,
    }
    return NetworkFailure(trial=trial, training_key=f"key{trial}", **{**values, **changes})


def finish(store: StudyStore, study: StudyRow, number: int, *, told: tuple[int, ...] = (0,)) -> None:
    begin(store, study, number)
    assert store.finish_trial(study.id, result(number), told)
