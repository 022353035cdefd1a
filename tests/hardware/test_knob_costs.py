"""No knob of an accelerator is a free lunch: whichever way it is moved over its range, something gets worse.

Energy, latency and area count, and for what real arrays compute, the accuracy of a trained network on them
(and, where that is the same, how far its class scores lie from those of the network in floating point).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trained_network import WORKLOAD, passes, subject

from aster_dse.activity.uniform import uniform_activity
from aster_dse.errors import InputError
from aster_dse.evaluation.array_subject import on_arrays
from aster_dse.hardware import DesignTable, estimate, resolve
from aster_dse.network.geometry import NetworkGeometry, network_geometry
from aster_dse.space import HARDWARE_KNOBS, HardwareConfig, NetworkConfig, PolicyConfig
from aster_dse.space.hardware_knobs import (
    ADC_KINDS,
    ADC_RANGE_PER,
    ADC_RANGES,
    COLUMN_KINDS,
    COMPUTE,
    PIPELINING,
    ROW_SIZES,
)

EXEMPT = {
    "base": "names a preset: its knobs are moved one by one",
    "library": "names whose figures are used, not what is built",
    "node_nm": "names a technology: a newer one is better at everything but the price of making it",
    "layers": "repeats knobs of the chip for single layers",
    "arrays": "says what a study judges accuracy on, not what is built",
    "conditions": "describes the cells that there are",
    "chips": "says how many chips a study draws",
    "validation_samples": "says how many samples a study judges on",
}
BASES: tuple[dict[str, Any], ...] = (
    {},
    {"node_nm": 65, "rows": 64, "adc_kind": "sar"},
    {"base": "neurosim-rram-32nm", "node_nm": 22},
    {"base": "isaac-32nm"},
    {"base": "zigzag-aimc-28nm", "column_mux": 8},
)
BY_COST: dict[str, Sequence[Any]] = {
    "rows": ROW_SIZES,
    "columns": [8, 16, 32, 64, 128, 256, 512, 1024],
    "compute": COMPUTE,
    "column_mux": [1, 2, 4, 8, 16, 32, 64, 128],
    "arrays_per_subarray": [1, 2, 4, 8, 16, 32, 64],
    "subarrays_per_tile": [1, 2, 4, 8, 16, 32, 64],
    "tiles": [1, 2, 4, 8, 16, 64, 256],
    "area_budget_mm2": [1.0, 2.0, 3.0, 5.0, 10.0, 30.0],
    "pipelining": PIPELINING,
    "buffer_kib": [1, 4, 16, 64, 256, 1024, 4096],
    "flit_bits": [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096],
    "event_gating": [False, True],
    "clock_mhz": [1.0, 30.0, 100.0, 250.0, 500.0, 1000.0, 2000.0, 5000.0],
}
BY_ACCURACY: dict[str, Sequence[Any]] = {
    "cell_bits": [1, 2, 4, 8],
    "weight_bits": [2, 4, 8, 16],
    "cell": ["rram", "rram-neurram", "pcm"],
    "adc_kind": ADC_KINDS,
    "adc_levels": [2, 4, 16, 64, 256],
    "adc_range": ADC_RANGES,
    "adc_range_per": ADC_RANGE_PER,
    "column_kind": COLUMN_KINDS,
}
UNORDERED = {"compute", "cell", "adc_kind", "adc_range", "adc_range_per", "column_kind"}

Figures = tuple[float, ...]
"""Less is better in each."""


def worse(one: Figures, other: Figures) -> bool:
    """Whether ``one`` is worse than ``other`` in something."""
    return any(a > b * (1 + 1e-9) for a, b in zip(one, other, strict=True))


def free(values: Mapping[Any, Figures | None], *, ordered: bool) -> str | None:
    """Which way a knob moves for nothing: up or down its range, or to one of its choices.

    A value that is refused (None) ends the range there.
    """
    if not ordered:
        known = {value: figures for value, figures in values.items() if figures is not None}
        best = [v for v, found in known.items() if not any(worse(found, other) for other in known.values())]
        return f"nothing speaks against {best[0]}" if best and len(known) > 1 else None
    steps = list(itertools.pairwise(values.values()))
    if not any(b is None or worse(b, a) for a, b in steps if a is not None):
        return "up"
    if not any(a is None or worse(a, b) for a, b in steps if b is not None):
        return "down"
    return None


@functools.cache
def wide_maps() -> NetworkGeometry:
    """Maps that buffers of a few KiB cannot hold, on few tiles."""
    config = NetworkConfig(width=32, depth=1, pooling="0000")
    return network_geometry(config, in_channels=2, resolution=32, classes=10, timesteps=2)


@functools.cache
def many_arrays() -> NetworkGeometry:
    """Layers of several arrays."""
    config = NetworkConfig(width=192, depth=2)
    return network_geometry(config, in_channels=2, resolution=32, classes=10, timesteps=2)


def cost(geometry: NetworkGeometry, knobs: Mapping[str, Any], name: str, rate: float) -> Figures | None:
    try:
        design = resolve(HardwareConfig.model_validate(knobs))
    except InputError as error:
        if not any(knob in str(error) for knob in (name, "buffer_kib", "column_mux", "columns")):
            raise
        return None
    found = estimate(geometry, uniform_activity(geometry, rate), design)[0]
    return found.energy_uj, found.latency_us, found.area_mm2


def test_every_knob_is_moved_or_exempt_for_a_reason() -> None:
    moved = {*BY_COST, *BY_ACCURACY}
    assert not moved & set(EXEMPT)
    assert moved | set(EXEMPT) == {*HARDWARE_KNOBS, "base", "library", "layers"}
    assert set(HardwareConfig.model_fields) == moved | set(EXEMPT)


@pytest.mark.parametrize("base", BASES, ids=lambda base: "-".join(map(str, base.values())) or "default")
@pytest.mark.parametrize("name", BY_COST)
def test_a_knob_has_its_cost_both_ways(name: str, base: dict[str, Any]) -> None:
    """On a network of ordinary firing rate; a range that ends in a refusal has its end there."""
    geometry, knobs = wide_maps(), dict(base)
    if name == "arrays_per_subarray":
        geometry = many_arrays()
    if name == "buffer_kib":
        knobs |= {"arrays_per_subarray": 8, "subarrays_per_tile": 8}  # few tiles, so few buffers
    values = {value: cost(geometry, {**knobs, name: value}, name, 0.15) for value in BY_COST[name]}
    assert sum(found is not None for found in values.values()) > 1
    assert free(values, ordered=name not in UNORDERED) is None, values


@pytest.mark.parametrize("name", BY_ACCURACY)
def test_a_knob_that_arrays_compute_with_has_its_cost_both_ways(name: str, tmp_path: Path) -> None:
    values = {value: on_real_arrays(tmp_path, name, value) for value in BY_ACCURACY[name]}
    assert sum(found is not None for found in values.values()) > 1
    assert free(values, ordered=name not in UNORDERED) is None, values


def on_real_arrays(folder: Path, name: str, value: Any) -> Figures | None:
    knobs: dict[str, Any] = {"arrays": "real", "validation_samples": 60, name: value}
    if name == "cell":
        knobs |= {"conditions": "cell", "chips": 2}
    if name == "adc_kind":
        knobs |= {"adc_levels": 256}  # of few levels a flash converter is best
    config = HardwareConfig.model_validate(knobs)
    try:
        design = resolve(config)
    except InputError as error:
        if name not in str(error):
            raise
        return None
    _, _, plain = subject()
    found = on_arrays(passes(folder, design.conditions.text or "none"), WORKLOAD, config)
    exact = plain.logits[:, :: plain.logits.shape[1] // 60][:, :60]
    chips = found.logits(None)
    error = float(np.mean([np.abs(logits - exact[: len(logits)]).mean() for logits in chips]))
    price = found.costs([PolicyConfig()])[0]
    accuracy = found.verdict(PolicyConfig()).accuracy
    assert accuracy is not None
    return price.energy_uj, price.latency_us, price.area_mm2, 1.0 - accuracy, error


def test_a_wider_flit_makes_a_larger_router() -> None:
    """The crossbar's wires get longer with the width, everything else goes with it."""
    geometry = wide_maps()
    narrow, wide = (
        estimate(geometry, uniform_activity(geometry, 0.2), resolve(HardwareConfig(flit_bits=bits)))[0]
        for bits in (32, 1024)
    )
    assert wide.latency_us < narrow.latency_us
    tiles, bus = narrow.tiles, 4 * 7500.0
    for found, relative in ((narrow, 1 / 8), (wide, 4.0)):
        router = 37500.0 * relative * (0.82 + 0.18 * relative)
        assert found.area_um2_by_component["noc"] == pytest.approx(tiles * (router + bus))


@pytest.mark.parametrize(("node", "most"), [(65, 653), (45, 942), (32, 1326), (28, 1515), (22, 1928)])
def test_a_clock_too_fast_for_a_neuron_is_refused_at_each_node(node: int, most: int) -> None:
    """13.8 gates of 47.8 ps at 28 nm, by Stillmaker's delays."""
    gate_ns = 0.0478 * {65: 1.444, 45: 1.0, 32: 0.711, 28: 0.622, 22: 0.489}[node] / 0.622
    assert math.floor(1e3 / (13.8 * gate_ns)) == most
    assert resolve(HardwareConfig(node_nm=node, clock_mhz=most)).clock_mhz == most
    with pytest.raises(
        InputError, match=rf"hardware\.clock_mhz: 5000 MHz, but at {node} nm .*at most {most}"
    ):
        resolve(HardwareConfig(node_nm=node, clock_mhz=5000.0))
    table = DesignTable.vary(resolve(HardwareConfig(node_nm=node)), {"clock_mhz": [most, most + 1, 5000.0]})
    assert table.possible().tolist() == [True, False, False]


def test_event_gating_takes_detectors_and_pays_off_where_spikes_are_rare() -> None:
    geometry = wide_maps()
    gated, driven = (resolve(HardwareConfig(event_gating=gating)) for gating in (True, False))
    rare, always = (uniform_activity(geometry, rate) for rate in (0.02, 1.0))
    assert estimate(geometry, rare, gated)[0].energy_uj < estimate(geometry, rare, driven)[0].energy_uj
    with_, without = estimate(geometry, always, [gated, driven])
    assert with_.energy_uj > without.energy_uj
    assert with_.latency_us == pytest.approx(without.latency_us)
    assert with_.area_mm2 > without.area_mm2
    arrays = with_.tiles * 4
    assert with_.area_um2_by_component["event_detectors"] == pytest.approx(
        arrays * (2 * 128 - 1) * 0.614 * 0.460 / 0.377
    )
    assert without.area_um2_by_component["event_detectors"] == 0


def test_layers_at_once_need_registers_between_them() -> None:
    geometry = wide_maps()
    activity = uniform_activity(geometry, 0.2)
    none, layers, steps = (
        estimate(geometry, activity, resolve(HardwareConfig(pipelining=kind)))[0] for kind in PIPELINING
    )
    one = layers.area_um2_by_component["pipeline_registers"]
    assert none.area_um2_by_component["pipeline_registers"] == 0
    assert one == pytest.approx(layers.tiles * 4 * (128 // 8) * 5.98 * 0.460 / 0.792)
    assert steps.area_um2_by_component["pipeline_registers"] == pytest.approx(2 * one)
    assert layers.energy_pj_by_component["pipeline_registers"] > 0


def test_a_bus_gets_longer_with_the_subarrays_of_its_tile() -> None:
    geometry = wide_maps()
    activity = uniform_activity(geometry, 0.2)
    found = [
        estimate(geometry, activity, resolve(HardwareConfig(subarrays_per_tile=count)))[0]
        for count in (16, 32, 64)
    ]
    assert found[0].tiles >= 1
    assert found[0].energy_pj_by_component["noc"] < found[-1].energy_pj_by_component["noc"]
