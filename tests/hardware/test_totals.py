"""Totals of very many designs, which share what they have in common, are those of one after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aster_dse.activity.uniform import uniform_activity
from aster_dse.hardware import DesignTable, Fabric, estimate_many, resolve
from aster_dse.hardware.cost import _CHUNK
from aster_dse.hardware.designs import COLUMN_CLASSES
from aster_dse.hardware.totals import _alike
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.space import HardwareConfig

FIGURES = ("energy_uj", "latency_us", "interval_us", "area_mm2", "leakage_mw", "utilisation")
COUNTS = ("arrays", "tiles", "tiles_needed")

VALUES: dict[str, tuple[Any, ...]] = {
    "rows": (32, 64, 128),
    "columns": (64, 128),
    "cell_bits": (1, 2, 4),
    "weight_bits": (2, 4, 7),
    "adc_levels": (4, 16, 64, 256),
    "adc_kind": ("flash", "sar", "murmann"),
    "column_mux": (1, 2, 8),
    "node_nm": (65, 32, 22),
    "clock_mhz": (50.0, 333.3, 1000.0),
    "event_gating": (True, False),
    "tiles": (0, 4, 100),
    "buffer_kib": (16, 64),
    "compute": ("analog", "digital"),
    "adc_range": ("worst", "max", "unit", "mse", "mse2"),
    "adc_range_per": ("slice", "layer"),
    "column_kind": ("pair", "offset"),
    "pipelining": ("none", "none", "none", "layers", "steps"),
    "area_budget_mm2": (0.0, 0.0, 0.0, 2.0),
    "arrays_per_subarray": (1, 2, 4),
    "subarrays_per_tile": (1, 4, 6),
    "flit_bits": (32, 256),
    "arrays": ("ideal", "real"),
}
"""Of every knob that can vary."""
FABRIC = {
    "membrane_bits": (8, 16),
    "router_cycles": (1, 4),
    "digital_lanes": (64, 256),
    "links_mm2": (0.0, 0.5),
}
"""Of what presets alone can set."""


def test_every_column_is_of_one_class_and_every_one_is_drawn() -> None:
    columns = {name for name, value in vars(drawn([], [], 1, 0)).items() if isinstance(value, np.ndarray)}
    assert set(COLUMN_CLASSES) == columns
    assert {*VALUES, *FABRIC} - {"node_nm"} == columns - {"technology"}
    assert set(Fabric.model_fields) == set(FABRIC)


def drawn(knobs: list[str], fabric: list[str], count: int, seed: int) -> DesignTable:
    """Designs that differ in these columns."""
    random = np.random.default_rng(seed)
    designs = DesignTable.vary(
        resolve(HardwareConfig()),
        {"rows": np.full(count, 64)} | {name: random.choice(VALUES[name], count) for name in knobs},
    )
    changed: dict[str, Any] = {name: random.choice(FABRIC[name], count) for name in fabric}
    return replace(designs, **changed)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_sharing_changes_nothing(tiny: NetworkGeometry, data: st.DataObject, seed: int) -> None:
    searched = data.draw(
        st.lists(st.sampled_from(sorted({**VALUES, **FABRIC})), min_size=1, max_size=5, unique=True)
    )
    count = 3 * _CHUNK
    designs = drawn([n for n in searched if n in VALUES], [n for n in searched if n in FABRIC], count, seed)
    activity = uniform_activity(tiny, data.draw(st.floats(0.0, 1.0)))
    shared = estimate_many(tiny, activity, designs)
    alone = estimate_many(tiny, activity, designs.take(np.arange(0, count, 97)))
    for name in FIGURES:
        assert getattr(shared, name)[::97] == pytest.approx(getattr(alone, name), rel=1e-12)
    for name in COUNTS:
        assert (getattr(shared, name)[::97] == getattr(alone, name)).all()


@pytest.mark.parametrize("name", sorted({**VALUES, **FABRIC}))
def test_a_column_that_varies_with_the_converter_changes_nothing(tiny: NetworkGeometry, name: str) -> None:
    """Enough designs to a structure that totals are shared for certain, whatever varies."""
    seed = sum(map(ord, name))
    knobs = [n for n in dict.fromkeys((name, "adc_levels", "column_mux", "clock_mhz")) if n in VALUES]
    designs = drawn(knobs, [name] if name in FABRIC else [], 2 * _CHUNK, seed)
    activity = uniform_activity(tiny, 0.2)
    shared = estimate_many(tiny, activity, designs)
    alone = estimate_many(tiny, activity, designs.take(np.arange(0, 2 * _CHUNK, 7)))
    for figure in (*FIGURES, *COUNTS):
        assert getattr(shared, figure)[::7] == pytest.approx(getattr(alone, figure), rel=1e-12)


def test_designs_that_have_nothing_in_common_are_scored_all_the_same(tiny: NetworkGeometry) -> None:
    count = _CHUNK + 100
    designs = DesignTable.vary(
        resolve(HardwareConfig()), {"buffer_kib": np.arange(16, 16 + count), "rows": np.full(count, 64)}
    )
    activity = uniform_activity(tiny, 0.1)
    table = estimate_many(tiny, activity, designs)
    assert len(table) == count
    part = estimate_many(tiny, activity, designs.take(slice(count - 5, count)))
    assert table.energy_uj[-5:] == pytest.approx(part.energy_uj, rel=1e-12)


def test_groups_are_those_that_agree_and_begin_with_their_first() -> None:
    base = resolve(HardwareConfig())
    designs = DesignTable.vary(base, {"rows": [64, 32, 64, 32, 128], "clock_mhz": [1.5, 1.5, 1.5, 2.5, 1.5]})
    first, group = _alike(designs, ("rows", "clock_mhz", "columns"))
    assert [designs.rows[i] for i in first[group]] == [64, 32, 64, 32, 128]
    assert [designs.clock_mhz[i] for i in first[group]] == [1.5, 1.5, 1.5, 2.5, 1.5]
    assert sorted(first) == [0, 1, 3, 4]
    first, group = _alike(designs, ("columns",))
    assert (list(first), set(group)) == ([0], {0})
