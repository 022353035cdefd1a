"""A small network on real arrays of two chips: what several tests look at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from aster_dse.evaluation.question import InnerQuestion
from aster_dse.search.protocol import NetworkJob
from aster_dse.space import SearchSpace

SPACE: dict[str, Any] = {
    "name": "on-arrays",
    "workload": {"name": "digits-dvs", "resolution": 8, "timesteps": 2},
    "network": {"width": 8, "depth": 1, "pooling": "1000", "stem": "4-2-1-1"},
    "training": {"epochs": 2, "warmup_epochs": 0.5, "bn_weight_init": 2.0},
    "policy": {"exit_threshold": {"choices": [0.2, 0.5]}},
    "hardware": {
        "arrays": "real",
        "conditions": "variation=0.1",
        "chips": 2,
        "rows": {"choices": [32, 128]},
        "adc_levels": {"choices": [4, 32]},
    },
    "objectives": {"accuracy": "max", "energy_uj": "min", "area_mm2": "min"},
    "search": {"trials": 1, "inner": 500, "seed": 1},
}


def space() -> SearchSpace:
    return SearchSpace.from_mapping(SPACE)


def array_job(artifacts: Path, **changes: Any) -> NetworkJob:
    searched = space()
    candidate = searched.candidate({p.path: p.from_unit(0.5) for p in searched.parameters})
    question = InnerQuestion(
        parameters=searched.inner,
        inactive={p.path: searched.fixed[p.path] for p in searched.inner},
        objectives=dict(searched.objectives),
        constraints=(),
        count=500,
        seed=0,
    )
    job = NetworkJob("s", 0, candidate, (), (), str(artifacts), question=question)
    return replace(job, **changes)
