"""What a planted study says of its knobs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aster_dse.errors import AsterError
from aster_dse.evaluation import METRICS, Evaluation
from aster_dse.export.importance import importance
from aster_dse.search.protocol import NetworkResult
from aster_dse.space import SearchSpace
from aster_dse.store import StudyRow, StudyStore

SPACE: dict[str, Any] = {
    "name": "planted",
    "workload": {"name": "digits-dvs"},
    "network": {
        "width": {"choices": [16, 32, 64]},
        "depth": {"low": 1, "high": 4},
        "mlp_ratio": {"choices": [2, 4], "when": "depth >= 2"},
    },
    "training": {"learning_rate": {"low": 0.001, "high": 0.1, "log": True}},
    "policy": {"skip_threshold": {"low": 0.0, "high": 0.5}, "timesteps": {"low": 1, "high": 4}},
    "hardware": {"rows": {"choices": [32, 64, 128]}, "event_gating": {"choices": [True, False]}},
    "objectives": {"accuracy": "max", "energy_uj": "min", "area_mm2": "min"},
}


def planted(store: StudyStore, networks: int, configurations: int, seed: int = 0) -> StudyRow:
    """Accuracy grows with the width, energy with the blocks that are not skipped, area with the rows."""
    space = SearchSpace.from_mapping(SPACE)
    study = store.create_study(
        "planted", space=space.as_dict(), space_hash=space.hash, objectives=dict(space.objectives)
    )
    rng = np.random.default_rng(seed)
    for number in range(networks):
        outer = {p.path: p.from_unit(rng.random()) for p in space.outer}
        middle = {p.path: p.from_unit(0.5) for p in space.inner}
        proposed = space.complete({**outer, **middle})
        candidate = space.candidate(proposed)
        blocks = np.sort(rng.random(candidate.network.depth) * 0.5)
        scored = []
        for _ in range(configurations):
            inner = {p.path: p.from_unit(rng.random()) for p in space.inner}
            skipped = int((blocks <= inner["policy.skip_threshold"]).sum())
            figures = dict.fromkeys(METRICS, 1.0) | {
                "accuracy": candidate.network.width / 100 + 0.001 * rng.random(),
                "energy_uj": 5.0 - skipped + 0.1 * rng.random(),
                "area_mm2": inner["hardware.rows"] + rng.random(),
            }
            scored.append(Evaluation(inner, figures))
        store.begin_trial(
            study.id,
            number,
            assignment=proposed,
            candidate=candidate.model_dump(mode="json"),
            training_key=f"key{number}",
        )
        report = {"block_activity": blocks.tolist()}
        store.finish_trial(
            study.id, NetworkResult(number, f"key{number}", False, report, tuple(scored), 1.0), []
        )
    return study


def test_the_planted_knobs_are_found(sqlite_url: str) -> None:
    with StudyStore(sqlite_url) as store:
        study = planted(store, 60, 20)
        shares = importance(store, study, study.objectives)
    assert list(shares) == ["accuracy", "energy_uj", "area_mm2"]
    for one in shares.values():
        assert sum(one.values()) == pytest.approx(1.0)
        assert set(one) == {p.path for p in SearchSpace.from_mapping(SPACE).parameters}
        assert list(one.values()) == sorted(one.values(), reverse=True)
    assert next(iter(shares["accuracy"])) == "network.width"
    assert shares["area_mm2"]["hardware.rows"] > 0.7
    # More can be skipped where there are more blocks.
    assert shares["energy_uj"]["policy.skip_threshold"] + shares["energy_uj"]["network.depth"] > 0.8
    assert shares["accuracy"]["hardware.event_gating"] < 0.02


@pytest.mark.parametrize(("networks", "configurations"), [(9, 20), (10, 4), (0, 0)])
def test_too_little_is_told(sqlite_url: str, networks: int, configurations: int) -> None:
    with StudyStore(sqlite_url) as store:
        study = planted(store, networks, configurations)
        with pytest.raises(AsterError, match=f"on {networks} networks, too few.*50 on 10"):
            importance(store, study, study.objectives)
