"""What every cost must satisfy, whatever the network, the activity and the design."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aster_dse.activity import InferenceActivity
from aster_dse.activity.uniform import uniform_activity
from aster_dse.errors import InputError
from aster_dse.hardware import (
    Accelerator,
    DesignTable,
    HardwareCost,
    estimate,
    estimate_many,
    library_names,
    load_library,
    resolve,
)
from aster_dse.network.geometry import NetworkGeometry, network_geometry
from aster_dse.space import ROW_SIZES, HardwareConfig, NetworkConfig

SLACK = 1 + 1e-12
QUICK = settings(max_examples=60, deadline=None)

KNOBS = {
    "node_nm": st.sampled_from([65, 45, 32, 28, 22]),
    "rows": st.sampled_from(ROW_SIZES),
    "columns": st.integers(1, 128).map(lambda n: 8 * n),
    "cell_bits": st.integers(1, 8),
    "weight_bits": st.integers(1, 16),
    "library": st.sampled_from(library_names()),
    "compute": st.sampled_from(["analog", "digital"]),
    "adc_kind": st.sampled_from(["flash", "sar", "murmann", "table", "capacitive"]),
    "adc_levels": st.sampled_from([2**b for b in range(1, 11)]),
    "column_mux": st.one_of(st.sampled_from([1, 2, 4, 8, 16, 32]), st.integers(1, 128)),
    "arrays_per_subarray": st.integers(1, 64),
    "subarrays_per_tile": st.integers(1, 64),
    "tiles": st.one_of(st.none(), st.integers(1, 40), st.integers(1, 65536)),
    "buffer_kib": st.integers(1, 4096),
    "event_gating": st.booleans(),
    "clock_mhz": st.floats(0.1, 650.0),
    "layers": st.sampled_from(
        [
            "stem.*: compute=digital",
            "*: adc_levels=64; head: rows=16 weight_bits=4 cell_bits=1",
            "block.*.q: columns=256 column_mux=1; block.1.*: rows=64; block.7.k: rows=32",
        ]
    ),
}
SHARED = {
    "pipelining": st.sampled_from(["none", "layers", "steps"]),
    "area_budget_mm2": st.floats(0.5, 500.0),
}
"""Knobs by which what one layer costs depends on the others."""
configurations = st.fixed_dictionaries({}, optional=KNOBS | SHARED)


@st.composite
def accelerators(draw: st.DrawFn, optional: dict[str, Any] = KNOBS) -> Accelerator:
    knobs = draw(st.fixed_dictionaries({}, optional=optional))
    library = load_library(knobs.get("library", "aster-mixed"))
    if "adc_kind" in knobs:
        knobs["adc_kind"] = draw(st.sampled_from(library.adc_kinds))
    if "cell_bits" in knobs:
        knobs["cell_bits"] = min(knobs["cell_bits"], next(iter(library.cells.values())).most_bits)
    if "area_budget_mm2" in knobs:
        knobs.pop("tiles", None)
    try:
        return resolve(HardwareConfig.model_validate(knobs))
    except InputError:
        assume(False)
        raise


@st.composite
def networks(draw: st.DrawFn) -> NetworkGeometry:
    config = NetworkConfig(
        width=draw(st.sampled_from([8, 24, 64])),
        depth=draw(st.integers(1, 3)),
        mlp_ratio=draw(st.integers(1, 4)),
        pooling=draw(st.sampled_from(["0000", "1101", "0011", "1111"])),
    )
    bits = draw(st.sampled_from([1, 8]))
    size = draw(st.sampled_from([8, 15, 16]))
    return network_geometry(config, in_channels=2, resolution=size, classes=5, timesteps=4, input_bits=bits)


def activities(geometry: NetworkGeometry) -> st.SearchStrategy[InferenceActivity]:
    rate, steps = st.floats(0.0, 1.0), st.floats(0.0, 4.0)
    skipped = st.frozensets(st.integers(0, geometry.depth - 1))
    return st.builds(
        lambda r, s, blocks: _skip(geometry, uniform_activity(geometry, r, s), blocks), rate, steps, skipped
    )


def _skip(
    geometry: NetworkGeometry, activity: InferenceActivity, blocks: frozenset[int]
) -> InferenceActivity:
    """The same activity with the attention of some blocks skipped."""
    layers = [layer.in_attention and layer.block in blocks for layer in geometry.synaptic]
    neurons = [neuron.in_attention and neuron.block in blocks for neuron in geometry.neurons]
    keep = 1.0 - np.array(layers, dtype=float)
    return replace(
        activity,
        attention_runs=np.array([[float(b not in blocks) for b in range(geometry.depth)]]),
        driven_rows=activity.driven_rows * keep,
        active_windows=activity.active_windows * keep,
        active_accesses=activity.active_accesses * keep[:, None],
        spikes=activity.spikes * (1.0 - np.array(neurons, dtype=float)),
    )


def _one(geometry: NetworkGeometry, activity: InferenceActivity, design: Accelerator) -> HardwareCost:
    return estimate(geometry, activity, design)[0]


def _never_costs_more(less: HardwareCost, more: HardwareCost) -> None:
    assert less.energy_uj <= more.energy_uj * SLACK
    assert less.latency_us <= more.latency_us * SLACK
    for name, value in less.energy_pj_by_layer.items():
        assert value <= more.energy_pj_by_layer[name] * SLACK


@QUICK
@given(knobs=configurations)
def test_every_combination_in_range_gives_a_cost_or_a_reason(
    tiny: NetworkGeometry, knobs: dict[str, Any]
) -> None:
    config = HardwareConfig.model_validate(knobs)
    try:
        design = resolve(config)
    except InputError as error:
        refusal = error
    else:
        refusal = None
    if refusal is not None:
        assert refusal.where.startswith("hardware.")
        assert refusal.remedy
        return
    cost = _one(tiny, uniform_activity(tiny, 0.2), design)
    assert np.isfinite([cost.energy_uj, cost.latency_us, cost.area_mm2]).all()
    assert min(cost.energy_uj, cost.latency_us, cost.area_mm2) > 0
    assert 0 < cost.utilisation <= SLACK


@QUICK
@given(data=st.data())
def test_costs_are_finite_and_add_up(data: st.DataObject) -> None:
    geometry = data.draw(networks())
    cost = _one(geometry, data.draw(activities(geometry)), data.draw(accelerators(KNOBS | SHARED)))
    matrix = np.array([v for layers in cost.energy_pj.values() for v in layers.values()])
    parts = [
        *matrix,
        *cost.energy_pj_by_component.values(),
        *cost.latency_ns_by_layer.values(),
        *cost.area_um2_by_component.values(),
    ]
    assert np.isfinite(parts).all()
    assert min(parts) >= 0
    total = pytest.approx(cost.energy_uj * 1e6, rel=1e-12)
    assert matrix.sum() == total
    assert sum(cost.energy_pj_by_component.values()) == total
    assert sum(cost.energy_pj_by_layer.values()) == total
    assert sum(cost.latency_ns_by_layer.values()) == pytest.approx(cost.latency_us * 1e3, rel=1e-12)
    assert sum(cost.area_um2_by_component.values()) == pytest.approx(cost.area_mm2 * 1e6, rel=1e-12)
    for component, layers in cost.energy_pj.items():
        assert sum(layers.values()) == pytest.approx(cost.energy_pj_by_component[component], rel=1e-12)


@QUICK
@given(data=st.data())
def test_more_levels_never_cost_less(small: NetworkGeometry, data: st.DataObject) -> None:
    design, activity = data.draw(accelerators()), uniform_activity(small, 0.1)
    assume(design.adc_levels < 1024)
    fewer, more = estimate(small, activity, [design, replace(design, adc_levels=2 * design.adc_levels)])
    _never_costs_more(fewer, more)
    assert fewer.area_mm2 <= more.area_mm2 * SLACK


@QUICK
@given(data=st.data(), rates=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_fewer_spikes_never_cost_more(
    small: NetworkGeometry, data: st.DataObject, rates: tuple[float, float]
) -> None:
    design = data.draw(accelerators())
    quiet, lively = (_one(small, uniform_activity(small, rate), design) for rate in sorted(rates))
    _never_costs_more(quiet, lively)


@QUICK
@given(data=st.data(), steps=st.tuples(st.floats(0, 4), st.floats(0, 4)))
def test_an_earlier_exit_never_costs_more(
    small: NetworkGeometry, data: st.DataObject, steps: tuple[float, float]
) -> None:
    design = data.draw(accelerators())
    early, late = (_one(small, uniform_activity(small, 0.1, s), design) for s in sorted(steps))
    _never_costs_more(early, late)


@QUICK
@given(data=st.data())
def test_gating_costs_its_detectors_and_mask_registers_alone(data: st.DataObject) -> None:
    geometry = data.draw(networks())
    design, activity = data.draw(accelerators()), data.draw(activities(geometry))
    gated, driven = estimate(
        geometry, activity, [replace(design, event_gating=True), replace(design, event_gating=False)]
    )
    own = {"event_detectors", "clock", "static"}
    for name, pj in gated.energy_pj_by_component.items():
        assert name in own or pj <= driven.energy_pj_by_component[name] * SLACK, name
    assert gated.latency_us <= driven.latency_us * SLACK
    assert gated.interval_us <= driven.interval_us * SLACK
    areas, without = gated.area_um2_by_component, driven.area_um2_by_component
    assert without["event_detectors"] == 0 < areas["event_detectors"]
    assert areas["input_registers"] == pytest.approx(2 * without["input_registers"])
    for name in set(areas) - {"event_detectors", "input_registers"}:
        assert areas[name] == without[name], name


@QUICK
@given(data=st.data())
def test_a_skipped_attention_costs_nothing_and_changes_nothing_else(data: st.DataObject) -> None:
    geometry = data.draw(networks())
    design, block = data.draw(accelerators()), data.draw(st.integers(0, geometry.depth - 1))
    whole = uniform_activity(geometry, 0.2)
    full, skipped = (
        _one(geometry, activity, design) for activity in (whole, _skip(geometry, whole, frozenset([block])))
    )
    gone = {f"block.{block}.{part}" for part in ("q", "k", "v", "sdsa", "proj")}
    for name, value in full.energy_pj_by_layer.items():
        assert skipped.energy_pj_by_layer[name] == (0.0 if name in gone else value)
        assert skipped.latency_ns_by_layer[name] == (0.0 if name in gone else full.latency_ns_by_layer[name])
    assert skipped.area_mm2 == full.area_mm2


@QUICK
@given(data=st.data(), factor=st.floats(0.0, 10.0))
def test_cost_is_linear_in_the_counts(small: NetworkGeometry, data: st.DataObject, factor: float) -> None:
    """So the mean cost over samples is the cost of the mean counts."""
    design = data.draw(accelerators())
    once = uniform_activity(small, 0.15)
    counts = ("steps", "driven_rows", "active_windows", "active_accesses", "spikes")
    scaled = replace(once, **{name: getattr(once, name) * factor for name in counts})
    a, b = _one(small, once, design), _one(small, scaled, design)
    assert b.energy_uj == pytest.approx(a.energy_uj * factor, rel=1e-9, abs=1e-300)
    assert b.latency_us == pytest.approx(a.latency_us * factor, rel=1e-9, abs=1e-300)


@QUICK
@given(data=st.data())
def test_pipelining_saves_time_and_costs_its_registers(data: st.DataObject) -> None:
    """Buffers that hold every map at once: what is alive together would else go off the chip."""
    geometry = data.draw(networks())
    activity = uniform_activity(geometry, 0.2)
    base = replace(data.draw(accelerators()), buffer_kib=4096, tiles=None)
    one, layers, steps = estimate(
        geometry, activity, [replace(base, pipelining=how) for how in ("none", "layers", "steps")]
    )
    assert steps.latency_us <= layers.latency_us * SLACK <= one.latency_us * SLACK * SLACK
    assert steps.interval_us <= steps.latency_us * SLACK
    assert layers.interval_us == pytest.approx(layers.latency_us, rel=1e-12)
    for found in (layers, steps):
        registers = found.area_um2_by_component["pipeline_registers"] * 1e-6
        assert found.area_mm2 - one.area_mm2 == pytest.approx(registers, rel=1e-6, abs=1e-12)
        # All else that it changes of the energy is for how long the chip leaks and what is clocked.
        for name, pj in found.energy_pj_by_component.items():
            if name not in ("pipeline_registers", "clock", "static"):
                assert pj == pytest.approx(one.energy_pj_by_component[name], rel=1e-12), name


def test_steps_wait_for_the_decision_where_samples_leave_early(small: NetworkGeometry) -> None:
    design = resolve(HardwareConfig(pipelining="steps"))
    sure = uniform_activity(small, 0.1)
    early = replace(sure, exits_early=np.array([True]))
    layers = _one(small, sure, replace(design, pipelining="layers"))
    assert _one(small, early, design).latency_us == pytest.approx(layers.latency_us, rel=1e-12)
    assert _one(small, sure, design).latency_us < layers.latency_us


@QUICK
@given(data=st.data(), budget=st.floats(0.2, 300.0), pipelining=SHARED["pipelining"])
def test_an_area_budget_is_kept_and_spent_on_time(
    data: st.DataObject, budget: float, pipelining: str
) -> None:
    geometry = data.draw(networks())
    activity = uniform_activity(geometry, 0.2)
    base = replace(data.draw(accelerators()), tiles=None, pipelining=pipelining)
    once, spent = estimate(geometry, activity, [base, replace(base, area_budget_mm2=budget)])
    if once.area_mm2 > budget:
        assert spent.tiles <= once.tiles
        assert not spent.replicas
    else:
        assert spent.area_mm2 <= budget * SLACK
        assert spent.tiles >= once.tiles
    assert spent.area_mm2 <= budget * SLACK or any("area budget" in note for note in spent.notes)


def test_a_larger_area_budget_never_takes_longer(small: NetworkGeometry) -> None:
    activity = uniform_activity(small, 0.1)
    costs = estimate(
        small, activity, [resolve(HardwareConfig(area_budget_mm2=mm2)) for mm2 in (2.6, 3, 4, 6, 10, 30)]
    )
    latencies = [cost.latency_us for cost in costs]
    assert latencies == sorted(latencies, reverse=True)
    assert latencies[-1] < 0.3 * latencies[0]
    assert costs[-1].replicas["stem.0"] > costs[-1].replicas["stem.2"]


def test_knobs_of_single_layers_reach_these_alone(small: NetworkGeometry) -> None:
    activity = uniform_activity(small, 0.1)
    plain, special = estimate(
        small,
        activity,
        [
            resolve(HardwareConfig()),
            resolve(HardwareConfig(layers="block.0.fc1: adc_levels=64 column_mux=16")),
        ],
    )
    for component in ("adc", "cells", "row_drivers"):
        for layer, pj in plain.energy_pj[component].items():
            changed = component == "adc" and layer == "block.0.fc1"
            assert special.energy_pj[component][layer] == pytest.approx(pj * (63 / 31 if changed else 1.0))
    assert special.latency_ns_by_layer["block.0.fc1"] > 1.5 * plain.latency_ns_by_layer["block.0.fc1"]
    assert special.latency_ns_by_layer["stem.1"] == plain.latency_ns_by_layer["stem.1"]
    assert "means no layer of this network" not in " ".join(special.notes)


def test_a_uniform_setting_of_all_layers_is_a_setting_of_the_chip(small: NetworkGeometry) -> None:
    activity = uniform_activity(small, 0.1)
    chip, layers = estimate(
        small,
        activity,
        [
            resolve(HardwareConfig(adc_levels=8, rows=64)),
            resolve(HardwareConfig(layers="*: adc_levels=8 rows=64")),
        ],
    )
    assert layers.energy_uj == pytest.approx(chip.energy_uj, rel=1e-12)
    assert layers.latency_us == pytest.approx(chip.latency_us, rel=1e-12)
    assert layers.area_mm2 == pytest.approx(chip.area_mm2, rel=1e-12)


def test_knobs_of_layers_can_be_given_as_arrays(small: NetworkGeometry) -> None:
    """Every second layer with 8 levels, as an array and as text."""
    names = [layer.name for layer in small.synaptic]
    levels = np.array([[8 if i % 2 else 32 for i in range(len(names))]])
    activity = uniform_activity(small, 0.1)
    table = estimate_many(
        small, activity, DesignTable.vary(resolve(HardwareConfig()), {"adc_levels": levels})
    )
    text = "; ".join(f"{name}: adc_levels=8" for name in names[1::2])
    alone = _one(small, activity, resolve(HardwareConfig(layers=text)))
    assert table.energy_uj[0] == pytest.approx(alone.energy_uj, rel=1e-12)


def test_a_pattern_that_means_no_layer_is_noted(small: NetworkGeometry) -> None:
    cost = _one(small, uniform_activity(small, 0.1), resolve(HardwareConfig(layers="block.9.q: rows=64")))
    assert cost.notes == ("hardware.layers: block.9.q means no layer of this network",)


@pytest.mark.parametrize("library", library_names())
def test_every_library_prices_the_default_design(small: NetworkGeometry, library: str) -> None:
    cost = _one(small, uniform_activity(small, 0.1), resolve(HardwareConfig(library=library)))
    assert cost.library == library
    assert 0.1 < cost.energy_uj < 3.0


@settings(max_examples=20, deadline=None)
@given(designs=st.lists(accelerators(KNOBS | SHARED), min_size=1, max_size=8))
def test_many_designs_cost_what_each_costs_alone(small: NetworkGeometry, designs: list[Accelerator]) -> None:
    activity = uniform_activity(small, 0.1)
    layers = [layer.name for layer in small.synaptic]
    table = estimate_many(small, activity, DesignTable.stack(designs, layers))
    for i, design in enumerate(designs):
        alone = _one(small, activity, design)
        assert table.energy_uj[i] == pytest.approx(alone.energy_uj, rel=1e-12)
        assert table.latency_us[i] == pytest.approx(alone.latency_us, rel=1e-12)
        assert table.area_mm2[i] == pytest.approx(alone.area_mm2, rel=1e-12)


def test_chunks_and_pairs_give_the_same_as_one_by_one(tiny: NetworkGeometry) -> None:
    """2,500 policies on 2,500 designs, paired."""
    rng, count = np.random.default_rng(3), 2500
    base = resolve(HardwareConfig())
    designs = DesignTable.vary(
        base, {"rows": rng.choice(ROW_SIZES, count), "adc_levels": rng.choice([8, 32, 128], count)}
    )
    parts = [uniform_activity(tiny, rate) for rate in (0.05, 0.4)]
    which = rng.integers(0, 2, count)
    paired = InferenceActivity(
        **{
            name: np.concatenate([getattr(p, name) for p in parts])[which]
            for name in InferenceActivity.__dataclass_fields__
        }
    )
    table = estimate_many(tiny, paired, designs, breakdown=True)
    assert len(table) == count
    for i in (0, 1023, 1024, 2047, 2048, 2499):
        design = replace(base, rows=int(designs.rows[i, 0]), adc_levels=int(designs.adc_levels[i, 0]))
        alone = _one(tiny, parts[which[i]], design)
        assert table.energy_uj[i] == pytest.approx(alone.energy_uj, rel=1e-12)
        assert table.latency_us[i] == pytest.approx(alone.latency_us, rel=1e-12)
        np.testing.assert_allclose(
            table.energy_pj[i].sum(axis=1), list(alone.energy_pj_by_component.values()), rtol=1e-12
        )
    without = estimate_many(tiny, paired, designs)
    np.testing.assert_array_equal(without.energy_uj, table.energy_uj)
    assert without.energy_pj.shape[0] == 0


def test_one_design_takes_many_policies(tiny: NetworkGeometry) -> None:
    rates = (0.0, 0.1, 0.3)
    parts = [uniform_activity(tiny, rate) for rate in rates]
    many = InferenceActivity(
        **{
            name: np.concatenate([getattr(p, name) for p in parts])
            for name in InferenceActivity.__dataclass_fields__
        }
    )
    costs = estimate(tiny, many, resolve(HardwareConfig()))
    assert len(costs) == 3
    for cost, part in zip(costs, parts, strict=True):
        assert cost.energy_uj == pytest.approx(
            _one(tiny, part, resolve(HardwareConfig())).energy_uj, rel=1e-12
        )
    with pytest.raises(ValueError, match="3 policies and 2 designs do not pair"):
        estimate(tiny, many, [resolve(HardwareConfig())] * 2)


def test_activity_of_another_network_is_refused(tiny: NetworkGeometry, small: NetworkGeometry) -> None:
    other = network_geometry(NetworkConfig(depth=3), in_channels=2, resolution=16, classes=10, timesteps=4)
    with pytest.raises(ValueError, match=r"activity\.attention_runs has shape \(1, 3\)"):
        estimate(small, uniform_activity(other, 0.1), resolve(HardwareConfig()))
    assert estimate(tiny, uniform_activity(tiny, 0.1), []) == []


def test_the_report_is_json(small: NetworkGeometry) -> None:
    cost = _one(small, uniform_activity(small, 0.1), resolve(HardwareConfig()))
    report = json.loads(json.dumps(cost.as_dict()))
    assert report["library"] == "aster-mixed"
    assert report["knobs"]["adc_levels"] == 32
    assert list(report["energy_pj_by_layer"])[:2] == ["stem.0", "stem.1"]
    assert "block.1.sdsa" in report["energy_pj_by_layer"]
