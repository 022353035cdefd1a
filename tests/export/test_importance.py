"""What a planted study says of its knobs."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aster_dse.errors import AsterError, InputError
from aster_dse.evaluation import METRICS, Evaluation
from aster_dse.export.importance import importance, kept_importance, question_of
from aster_dse.export.knob_columns import KnobTable
from aster_dse.export.slices import _borders, slices
from aster_dse.search.protocol import NetworkResult
from aster_dse.space import LayerRanges, SearchSpace
from aster_dse.store import StudyReader, StudyRow, StudyStore

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


def planted(
    store: StudyStore,
    networks: int,
    configurations: int,
    *,
    space: SearchSpace | None = None,
    configuration: Callable[[], tuple[dict[str, Any], dict[str, float]]] | None = None,
) -> StudyRow:
    """Accuracy grows with the width, energy with the blocks that are not skipped, area with the rows.

    Args:
        configuration: gives knobs and figures instead.
    """
    space = space or SearchSpace.from_mapping(SPACE)
    study = store.create_study(
        "planted", space=space.as_dict(), space_hash=space.hash, objectives=dict(space.objectives)
    )
    rng = np.random.default_rng(0)
    for number in range(networks):
        outer = {p.path: p.from_unit(rng.random()) for p in space.outer}
        middle = {p.path: p.from_unit(0.5) for p in space.inner}
        proposed = space.complete({**outer, **middle})
        candidate = space.candidate(proposed)
        blocks = np.sort(rng.random(candidate.network.depth) * 0.5)
        scored = []
        for _ in range(configurations):
            if configuration is not None:
                scored.append(Evaluation(*configuration()))
                continue
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
        shares = importance(store, study, study.objectives).shares
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


def test_an_answer_is_kept_until_something_is_added(database_url: str) -> None:
    with StudyStore(database_url) as store:
        study = planted(store, 12, 10)
        goals = {"energy_uj": "min", "area_mm2": "min"}
        assert kept_importance(store, study, goals) is None
        found = importance(store, study, goals)
        upto = store.last_evaluation(study.id)
        store.keep_analysis(study.id, question_of(study, goals), found.as_dict(), upto=upto)
        with StudyReader(database_url) as reader:
            kept = kept_importance(reader, study, goals)
        assert kept == found
        assert [list(shares) for shares in kept.shares.values()] == [list(s) for s in found.shares.values()]
        assert kept_importance(store, study, {"energy_uj": "min"}) is None
        store.keep_analysis(study.id, question_of(study, goals), found.as_dict(), upto=upto - 1)
        assert kept_importance(store, study, goals) is None


LAYERED = {
    **SPACE,
    "hardware": {
        "layers": {
            "each": {"column_mux": {"choices": [1, 2, 4]}, "compute": {"choices": ["analog", "digital"]}}
        }
    },
}


def test_knobs_of_layers_are_told_apart(sqlite_url: str) -> None:
    """Area is the number of layers that share converters widely; nothing else matters."""
    space = SearchSpace.from_mapping(LAYERED)
    layers = space.parameter("hardware.layers")
    assert isinstance(layers, LayerRanges)
    rng = np.random.default_rng(0)

    def configuration() -> tuple[dict[str, Any], dict[str, float]]:
        level = int(rng.integers(6))
        vector = [level if rng.random() < 0.7 else int(rng.integers(6)) for _ in layers.slots]
        inner = {p.path: p.from_unit(rng.random()) for p in space.inner}
        inner["hardware.layers"] = layers.text(vector)
        wide = sum(layers.families[0].options[option]["column_mux"] for option in vector)
        return inner, dict.fromkeys(METRICS, 1.0) | {"area_mm2": 100.0 - wide + rng.random()}

    with StudyStore(sqlite_url) as store:
        study = planted(store, 12, 30, space=space, configuration=configuration)
        shares = importance(store, study, {"area_mm2": "min"}).shares["area_mm2"]
        found = slices(store, study, "hardware.layers.each.column_mux", {"area_mm2": "min"}, most=4)
    assert next(iter(shares)) == "hardware.layers.each.column_mux"
    assert "hardware.layers.each.compute" in shares
    assert "hardware.layers" not in shares
    medians = [one.metrics["area_mm2"]["median"] for one in found]
    assert medians == sorted(medians, reverse=True)
    assert 0.0 <= found[0].low < found[-1].high <= 1.0


def test_slices_say_what_came_of_each_value(sqlite_url: str) -> None:
    with StudyStore(sqlite_url) as store:
        study = planted(store, 12, 20)
        table = store.evaluations(study.id)
        goals = {"accuracy": "max", "area_mm2": "min"}
        rows = slices(store, study, "hardware.rows", goals)
        assert [(one.low, one.high) for one in rows] == [(32, 32), (64, 64), (128, 128)]
        for one in rows:
            own = table[table["hardware.rows"] == one.low]
            assert (one.configurations, one.networks) == (len(own), own["trial"].nunique())
            assert one.metrics["area_mm2"]["best"] == own["area_mm2"].min()
            assert one.metrics["accuracy"]["best"] == own["accuracy"].max()
            assert one.metrics["accuracy"]["median"] == pytest.approx(own["accuracy"].median())
        gating = slices(store, study, "hardware.event_gating", goals)
        assert {one.low for one in gating} == {True, False}
        rates = slices(store, study, "training.learning_rate", goals, most=3)
        assert sum(one.configurations for one in rates) == len(table)
        assert [one.configurations for one in rates] == [80, 80, 80]
        assert all(one.low <= one.high for one in rates)
        skips = slices(store, study, "policy.skip_threshold", goals)
        assert [one.low for one in skips] == list(range(len(skips)))
        # Where the network has one block the ratio is not searched.
        ratios = slices(store, study, "network.mlp_ratio", goals)
        shallow = int((table["network.depth"] == 1).sum())
        assert [one.configurations for one in ratios if one.low is None] == ([shallow] if shallow else [])
        with pytest.raises(InputError, match=r"did you mean hardware\.rows"):
            slices(store, study, "hardware.row", goals)


@given(values=st.lists(st.floats(0, 1), min_size=1, max_size=60), most=st.integers(1, 9))
def test_slices_part_all_values(values: list[float], most: int) -> None:
    table = KnobTable({"k": values}, {}, {"energy_uj": values}, ["n"] * len(values), 0)
    borders = _borders(table, "k", values, most)
    assert len(borders) <= most
    assert all(sum(low <= value <= high for low, high in borders) == 1 for value in values)
    assert all(one[1] < other[0] for one, other in itertools.pairwise(borders))
