"""Knobs of single layers are found from what each layer adds, not by drawing."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from aster_dse.activity.uniform import uniform_activity
from aster_dse.evaluation.layer_vectors import best_vectors
from aster_dse.hardware import Accelerator, estimate, resolve
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.network.on_workload import geometry_for
from aster_dse.pareto import hypervolume, non_dominated_mask
from aster_dse.space import HardwareConfig, LayerRanges, NetworkConfig, WorkloadConfig
from aster_dse.space.layer_ranges import LayerFamily

FIGURES = ("energy_uj", "latency_us", "area_mm2")


def network(depth: int = 2) -> NetworkGeometry:
    return geometry_for(
        WorkloadConfig(name="digits-dvs", resolution=16, timesteps=2),
        NetworkConfig(width=16, depth=depth, stem="4-2-1-1", pooling="1001"),
    )


def ranges_on(geometry: NetworkGeometry, **families: dict[str, tuple[Any, ...]]) -> LayerRanges:
    return LayerRanges(
        "hardware.layers",
        None,
        (),
        tuple(
            LayerFamily(pattern.replace("_", ".").replace("X", "*"), tuple(knobs.items()))
            for pattern, knobs in families.items()
        ),
        tuple(layer.name for layer in geometry.synaptic),
    )


def figures_of(
    geometry: NetworkGeometry, texts: tuple[str, ...], rate: float = 0.2, **knobs: Any
) -> np.ndarray:
    costs = estimate(
        geometry,
        uniform_activity(geometry, rate),
        [resolve(HardwareConfig(layers=t, **knobs)) for t in texts],
    )
    return np.array([[getattr(cost, name) for name in FIGURES] for cost in costs])


def found_in(
    geometry: NetworkGeometry, ranges: LayerRanges, count: int = 2_000, most: int = 100_000, **knobs: Any
) -> tuple[tuple[str, ...], int]:
    chip: Accelerator = resolve(HardwareConfig(**knobs))
    found = best_vectors(
        geometry,
        uniform_activity(geometry, 0.2),
        chip,
        ranges,
        FIGURES,
        count=count,
        most=most,
        rng=np.random.default_rng(0),
    )
    return found.texts, found.scored


@pytest.mark.parametrize(
    ("families", "knobs", "least"),
    [
        ({"stem_each": {"column_mux": (1, 2, 4, 8)}}, {}, 1.0),
        ({"block_X_each": {"column_mux": (1, 4), "compute": ("analog", "digital")}}, {}, 0.999),
        ({"stem_each": {"rows": (32, 64, 128)}, "block_each_X": {"cell_bits": (1, 2, 4)}}, {}, 0.999),
        ({"block_X_each": {"column_mux": (1, 2, 8)}}, {"pipelining": "layers"}, 0.99),
        ({"stem_each": {"column_mux": (1, 2, 8)}}, {"area_budget_mm2": 8.0}, 0.97),
    ],
)
def test_it_comes_near_the_front_of_all_vectors(
    families: dict[str, dict[str, tuple[Any, ...]]], knobs: dict[str, Any], least: float
) -> None:
    geometry = network()
    ranges = ranges_on(geometry, **families)
    everything = figures_of(geometry, tuple(ranges.values() or ()), **knobs)
    assert ranges.cardinality > 200
    texts, scored = found_in(geometry, ranges, count=200, **knobs)
    found = figures_of(geometry, texts, **knobs)
    corner = everything.max(axis=0) * 1.1
    assert hypervolume(found, corner) >= least * hypervolume(everything, corner) * (1.0 - 1e-12)
    assert scored <= 200
    assert non_dominated_mask(found).all()


def test_it_beats_as_many_vectors_drawn_at_random() -> None:
    geometry = network()
    ranges = ranges_on(geometry, each={"column_mux": (1, 2, 4, 8), "compute": ("analog", "digital")})
    texts, scored = found_in(geometry, ranges, count=1_000)
    rng = np.random.default_rng(0)
    drawn = tuple(ranges.text([int(rng.integers(n)) for n in ranges.counts]) for _ in range(scored))
    found, blind = figures_of(geometry, texts), figures_of(geometry, drawn)
    corner = np.concatenate([found, blind]).max(axis=0) * 1.1
    assert hypervolume(found, corner) > 1.2 * hypervolume(blind, corner)


def test_few_vectors_are_all_tried() -> None:
    geometry = network()
    ranges = ranges_on(geometry, stem_X={"rows": (32, 64, 128)}, block_each_X={"cell_bits": (1, 2, 4)})
    texts, scored = found_in(geometry, ranges)
    everything = figures_of(geometry, tuple(ranges.values() or ()))
    expected = np.unique(everything[non_dominated_mask(everything)], axis=0)
    assert scored == 27
    np.testing.assert_allclose(np.unique(figures_of(geometry, texts), axis=0), expected, rtol=1e-12)


def test_those_that_gain_most_come_first() -> None:
    geometry = network()
    ranges = ranges_on(geometry, each={"column_mux": (1, 2, 4, 8)})
    everything, _ = found_in(geometry, ranges)
    few, _ = found_in(geometry, ranges, most=24)
    assert few == everything[:24]
    points = figures_of(geometry, everything)
    corner = points.max(axis=0) * 1.1
    assert hypervolume(points[:24], corner) > 0.97 * hypervolume(points, corner)


def test_options_that_cannot_exist_are_left_out() -> None:
    geometry = network()
    ranges = ranges_on(geometry, stem_each={"column_mux": (2, 3)}, block_X_each={"columns": (8, 64)})
    texts, _ = found_in(geometry, ranges, columns=64, weight_bits=8, cell_bits=1)
    assert texts
    assert not any("column_mux=3" in text or "columns=8" in text for text in texts)
    for text in texts:
        resolve(HardwareConfig(layers=text, columns=64, weight_bits=8, cell_bits=1))
    bits = ranges_on(geometry, stem_each={"cell_bits": (4, 8)})
    texts, _ = found_in(geometry, bits, cell="rram-neurram")
    assert texts == ("stem.*: cell_bits=4",)
    none = ranges_on(geometry, stem_each={"column_mux": (3, 5)})
    assert found_in(geometry, none, columns=64) == ((), 0)
    assert found_in(geometry, ranges_on(geometry, block_7_each={"column_mux": (1, 2)})) == ((), 0)


@pytest.mark.parametrize("metric", ["energy_uj", "edp_uj_us", "latency_us"])
def test_only_what_counts_is_compared(metric: str) -> None:
    geometry = network(depth=1)
    ranges = ranges_on(geometry, stem_each={"column_mux": (1, 2, 4, 8)})
    found = best_vectors(
        geometry,
        uniform_activity(geometry, 0.2),
        resolve(HardwareConfig()),
        ranges,
        [metric],
        count=500,
        most=50,
        rng=np.random.default_rng(0),
    )
    everything = figures_of(geometry, tuple(ranges.values() or ()))
    best = {
        "energy_uj": everything[:, 0],
        "latency_us": everything[:, 1],
        "edp_uj_us": everything[:, 0] * everything[:, 1],
    }[metric].min()
    mine = figures_of(geometry, found.texts)
    reached = {"energy_uj": mine[:, 0], "latency_us": mine[:, 1], "edp_uj_us": mine[:, 0] * mine[:, 1]}[
        metric
    ]
    assert reached.min() == pytest.approx(best, rel=1e-3)


def test_sums_over_layers_are_what_it_builds_on() -> None:
    """What two slots add together is what each adds alone, but for the static power of both."""
    geometry = network()
    texts = [
        f"stem.1: column_mux={one}; block.0.fc1: column_mux={other}"
        for one, other in itertools.product((2, 8), repeat=2)
    ]
    costs = estimate(
        geometry, uniform_activity(geometry, 0.2), [resolve(HardwareConfig(layers=t)) for t in texts]
    )
    for name in ("latency_us", "area_mm2", "leakage_mw"):
        a, b, c, d = (getattr(cost, name) for cost in costs)
        assert d - a == pytest.approx((b - a) + (c - a), rel=1e-6)
    a, b, c, d = (cost.energy_uj - cost.energy_pj_by_component["static"] * 1e-6 for cost in costs)
    assert d - a == pytest.approx((b - a) + (c - a), rel=1e-6, abs=1e-12)
