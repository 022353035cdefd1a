"""What other tools and papers print, computed here, and what a network costs elsewhere."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aster_dse.activity.uniform import uniform_activity
from aster_dse.hardware.baselines.compare import comparison
from aster_dse.hardware.baselines.edge_gpu import ORIN_NANO, gpu_estimate
from aster_dse.hardware.baselines.imc_array import analog_cycle, digital_cycle
from aster_dse.hardware.baselines.loihi import loihi_pj
from aster_dse.hardware.baselines.operations import (
    convention_pj,
    int8_twin_pj,
    layer_macs,
    operations_pj,
    synaptic_operations,
)
from aster_dse.hardware.baselines.spikesim import SpikeSimLayer, spikesim
from aster_dse.hardware.baselines.stored_layers import stored_layers
from aster_dse.hardware.component_validation import component_validation
from aster_dse.hardware.layer_validation import NotComputed, layer_outputs_here, layer_validation
from aster_dse.hardware.validation import Agreement, validation
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.space import HardwareConfig


@pytest.mark.parametrize("row", validation(), ids=lambda row: row.what)
def test_a_published_figure_is_reached(row: Agreement) -> None:
    assert row.source
    assert row.agrees, f"{row.ours} {row.unit}, published {row.theirs}: {row.difference:+.2%}"


def by_component() -> dict[str, list[Agreement]]:
    """Figures of each memory, and of the arrays of each cell at each node."""
    found: dict[str, list[Agreement]] = {}
    for row in component_validation():
        what = row.what.rpartition(":" if row.unit != "pJ" or row.what.startswith("SRAM") else ",")[0]
        found.setdefault(what, []).append(row)
    return found


@pytest.mark.parametrize(("what", "rows"), by_component().items(), ids=lambda value: str(value)[:60])
def test_a_memory_or_array_takes_what_its_tool_says(what: str, rows: list[Agreement]) -> None:
    """24 memories by CACTI at their size and node, and arrays of every cell and node by NeuroSim."""
    assert len(rows) == (4 if what.startswith("SRAM") else 6)
    for row in rows:
        assert row.agrees, f"{row.what}: {row.ours} {row.unit}, not {row.theirs}: {row.difference:+.2%}"


def test_all_memories_and_arrays_are_compared() -> None:
    names = list(by_component())
    assert sum(name.startswith("SRAM") for name in names) == 24
    assert sum(name.startswith("array") for name in names) == 4 * 5


@pytest.mark.parametrize("row", layer_validation(), ids=lambda row: f"{row.what} {row.source[:8]}")
def test_a_layer_is_that_of_other_simulators(row: Agreement | NotComputed) -> None:
    if isinstance(row, NotComputed):
        pytest.skip(row.reason)
    assert row.agrees, f"{row.ours:g} of {row.theirs:g} outputs are equal"


def test_other_simulators_are_set_up_so_that_ranges_matter() -> None:
    """An exact read-out of the same layers gives other outputs, and codes are clipped."""
    for layer in stored_layers():
        fine = replace(layer, multipliers=(1 << 15,) * len(layer.multipliers), levels=1 << 14)
        changed = np.abs(layer_outputs_here(fine) - layer.outputs) > 1e-4
        assert changed.mean() > 0.3, layer.name


def test_a_tool_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aster_dse.hardware.layer_validation.analog_linear_version", lambda: None)
    (missing,) = [row for row in layer_validation() if isinstance(row, NotComputed)]
    assert "pip install" in missing.reason


def test_an_agreement_is_relative_to_the_published_figure() -> None:
    row = Agreement("", "", 2.0, 2.1, 0.05, "somebody")
    assert row.difference == pytest.approx(0.05)
    assert not Agreement("", "", 2.0, 1.8, 0.05, "somebody").agrees


@given(
    st.integers(1, 512), st.integers(1, 512), st.sampled_from((1, 3)), st.integers(1, 64), st.integers(1, 16)
)
def test_spikesim_grows_with_time_steps_and_knows_no_rate(
    inputs: int, outputs: int, kernel: int, size: int, steps: int
) -> None:
    layer = SpikeSimLayer(inputs, outputs, kernel, size)
    one, many = (spikesim([layer], timesteps=count) for count in (1, steps))
    assert many.energy_uj == pytest.approx(steps * one.energy_uj)
    assert many.elements == one.elements == math.ceil(inputs / 64) * math.ceil(outputs / 64)


def test_spikesim_refuses_what_its_formula_has_no_meaning_for() -> None:
    with pytest.raises(ValueError, match="at least 8 columns"):
        spikesim([SpikeSimLayer(3, 64, 3, 32)], timesteps=4, crossbar=4)
    with pytest.raises(ValueError, match="a layer"):
        spikesim([], timesteps=4)


def test_operations_by_hand(small: NetworkGeometry) -> None:
    """With every neuron firing, each synapse is one accumulate a step, but for those that see padding."""
    macs = layer_macs(small)
    full = uniform_activity(small, 1.0)
    linear = [layer.name for layer in small.synaptic if layer.kernel_size == 1]
    spiking = sum(macs[layer.name] for layer in small.synaptic if layer.input_lif is not None)
    dense = small.timesteps * spiking
    counted = float(synaptic_operations(small, full)[0])
    assert counted <= dense
    assert counted >= small.timesteps * sum(macs[name] for name in linear) * 0.99
    rates = dict.fromkeys(macs, 1.0)
    assert convention_pj(small, rates) == pytest.approx(macs["stem.0"] * 4.6 + 0.9 * dense)
    attention = sum(2 * part.tokens * part.channels for part in small.attention)
    assert int8_twin_pj(small) == pytest.approx(0.3 * (sum(macs.values()) + attention))


@settings(deadline=None)
@given(low=st.floats(0.0, 1.0), high=st.floats(0.0, 1.0))
def test_more_spikes_cost_more_on_event_driven_machines(
    small: NetworkGeometry, low: float, high: float
) -> None:
    few, many = (uniform_activity(small, rate) for rate in sorted((low, high)))
    for energy in (operations_pj, loihi_pj):
        assert 0.0 <= float(energy(small, few)[0]) <= float(energy(small, many)[0]) * (1 + 1e-12)


def test_a_gpu_takes_at_least_its_arithmetic_and_at_least_its_traffic(small: NetworkGeometry) -> None:
    found = gpu_estimate(small)
    macs = small.timesteps * sum(layer_macs(small).values())
    weights = 4 * sum(layer.fan_in * layer.out_channels for layer in small.synaptic)
    assert found.latency_us > macs / ORIN_NANO.peak_gmac_s * 1e-3
    assert found.latency_us > weights / ORIN_NANO.bandwidth_gb_s * 1e-3
    assert found.energy_uj == pytest.approx(found.latency_us * 15.0)
    started = gpu_estimate(small, kernel_us=10.0)
    assert started.latency_us == pytest.approx(found.latency_us + 10.0 * found.kernels)


def test_array_cycles_have_no_negative_part() -> None:
    for cycle in (analog_cycle(64, 64, weight_bits=1, adc_bits=4), digital_cycle(64, 64, weight_bits=1)):
        assert all(energy >= 0 for energy in cycle.energy_pj.values())
        assert cycle.time_ns > 0
    assert analog_cycle(64, 64, weight_bits=1, adc_bits=4).energy_pj["place_value_adders"] == 0


def test_a_comparison_says_what_each_figure_assumes(small: NetworkGeometry) -> None:
    ours, *others = comparison(small, HardwareConfig(), 0.2)
    assert ours.name == "this accelerator"
    assert "aster-mixed" in ours.assumptions
    assert len({row.name for row in others}) == len(others) == 6
    assert all(row.energy_uj > 0 and row.assumptions for row in others)
