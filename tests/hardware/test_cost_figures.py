"""Figures: one layer by hand, a whole network pinned, reloads, and the trends of a published tool."""

from __future__ import annotations

import math

import numpy as np
import pytest

from aster_dse.activity.uniform import uniform_activity
from aster_dse.hardware import estimate, resolve
from aster_dse.hardware.validation import array_energy_uj
from aster_dse.network.geometry import NetworkGeometry, network_geometry
from aster_dse.space import HardwareConfig, NetworkConfig


def test_one_linear_layer_by_hand(small: NetworkGeometry) -> None:
    """block.0.fc1 (32 to 128 channels, 4 x 4 tokens), 64 x 64 arrays, 32 nm, 8-bit weights in 2-bit cells."""
    design = resolve(HardwareConfig(rows=64, columns=64, adc_levels=16, clock_mhz=500.0))
    activity = uniform_activity(small, 0.1)
    index = next(i for i, layer in enumerate(small.synaptic) if layer.name == "block.0.fc1")
    cost = estimate(small, activity, design)[0]
    rows_driven = 0.1 * 32 * 16 * 4  # rate x channels x tokens x steps
    accesses = 16 * 4 * (1 - 0.9**32)  # one row tile: 32 rows in 64
    columns = 128 * 2 * math.ceil(8 / 2)  # differential pairs x slices
    column_tiles = 128 / (64 // 8)
    assert activity.driven_rows[0, index] == pytest.approx(rows_driven)
    expected = {
        "row_drivers": column_tiles * rows_driven * (0.04963 - 0.008035) * 64 / 128,
        "row_switches": column_tiles * accesses * 32 * 0.008035,
        "event_detectors": 16 * 4 * column_tiles * (2 * 32 - 1) * 0.567e-3 * 0.633 / 0.506,
        "cells": rows_driven * columns * 2.397e-3,
        "columns": accesses * columns * 0.6229e-3 * 64 / 128,
        "adc": accesses * columns * 3.9648e-3 * 15,
        "shift_add": accesses * columns * (4 * 0.0325 / 16 + (4 + 8) * 0.0382 / 8),
        "accumulators": accesses * 128 * (0.0325 + 2 * 2 * 0.0382),  # one row tile: as many sums as windows
        "input_registers": accesses * column_tiles * 32 * 0.0382 / 8,
        "lif": (32 + 128) * 16 * 4 * (0.0325 + 16 * 0.0295 / 32 * 0.633 / 0.859 + 0.0382 / 8),
    }
    for component, pj in expected.items():
        assert cost.energy_pj[component]["block.0.fc1"] == pytest.approx(pj, rel=1e-9), component
    # Eight columns share a converter and a cycle of 2 ns covers the 1 ns of a flash conversion.
    reading_ns = accesses * 8 * 2.0
    # fc1's own LIF reads the stream 128 values a cycle: 4 cycles; its outputs' LIF takes one cycle per token.
    # The 512 input bits are two flits; its 16 arrays lie in five tiles, four routers of 4 cycles apart.
    fixed_ns = 4 * 2.0 * (4 + 16 + 2 + 4 * 4)
    latency_ns = reading_ns + fixed_ns
    assert cost.latency_ns_by_layer["block.0.fc1"] == pytest.approx(latency_ns)
    # 16 arrays of 2 x 64 row bits and 8 outputs of 17, clocked while they read and while LIFs update.
    cycles = reading_ns / 2.0 + 4 * (4 + 16)
    clock_pj = cycles * 16 * (2 * 64 + 8 * 17) * 0.567e-3 * 0.633 / 0.506
    assert cost.energy_pj["clock"]["block.0.fc1"] == pytest.approx(clock_pj)
    assert cost.energy_pj["static"]["block.0.fc1"] == pytest.approx(cost.leakage_mw * latency_ns)


def test_attention_by_hand(small: NetworkGeometry) -> None:
    """Masks: 0.7 fF at 0.9 V scaled from 28 to 32 nm, one for each spike of k and of q."""
    cost = estimate(small, uniform_activity(small, 0.1), resolve(HardwareConfig()))[0]
    maps = 32 * 16 * 4  # channels x tokens x steps
    gate, adder, register = 0.567e-3 * 0.633 / 0.506, 0.0325, 0.0382 / 8
    expected = 2 * 0.1 * maps * gate + 0.01 * maps * adder + 3 * maps * register
    assert cost.energy_pj["attention"]["block.0.sdsa"] == pytest.approx(expected, rel=1e-9)


def test_input_frames_come_from_off_chip_memory_once_per_step(small: NetworkGeometry) -> None:
    cost = estimate(small, uniform_activity(small, 0.1, 2.5), resolve(HardwareConfig()))[0]
    assert cost.energy_pj["dram"] == {"stem.0": pytest.approx(2 * 32 * 32 * 2.5 * 8.0)}


def test_area_of_arrays_and_converters_by_hand(small: NetworkGeometry) -> None:
    cost = estimate(small, uniform_activity(small, 0.1), resolve(HardwareConfig(tiles=20)))[0]
    arrays = 20 * 4
    assert cost.area_um2_by_component["cells"] == pytest.approx(arrays * 128 * 128 * 48 * 0.032**2)
    adc = 10 ** (1.206 - 0.0369 * 5) * 32 * 0.460 / 0.377
    assert cost.area_um2_by_component["adc"] == pytest.approx(arrays * 16 * adc)
    buffer = 20 * 1e6 * 0.025665  # of 16 KiB
    assert cost.area_um2_by_component["buffers"] == pytest.approx(buffer)
    assert cost.area_um2_by_component["noc"] == pytest.approx(20 * (37500 + 4 * 7500))
    logic_mm2 = cost.area_mm2 - 1e-6 * sum(
        cost.area_um2_by_component[name] for name in ("cells", "membrane", "buffers", "links")
    )
    memories_mw = cost.leakage_mw - logic_mm2 * 23.2e-3
    assert 0 < memories_mw < 20 * 2.0 * 1.602e-3


def test_the_default_network_on_the_default_chip(small: NetworkGeometry) -> None:
    """Pinned: a change of any figure or formula shows here. Firing rate 0.1, four steps."""
    cost = estimate(small, uniform_activity(small, 0.1), resolve(HardwareConfig()))[0]
    assert (cost.arrays, cost.tiles) == (50, 13)
    assert cost.energy_uj == pytest.approx(0.4173448042612528, rel=1e-9)
    assert cost.latency_us == pytest.approx(205.37972886571507, rel=1e-9)
    assert cost.area_mm2 == pytest.approx(2.4192873430992186, rel=1e-9)


def test_a_chip_that_is_too_small_reloads_and_says_so(small: NetworkGeometry) -> None:
    activity = uniform_activity(small, 0.1)
    fits, exact, small_chip, one = estimate(
        small, activity, [resolve(HardwareConfig(tiles=tiles)) for tiles in (None, 13, 6, 1)]
    )
    assert fits.energy_uj == exact.energy_uj
    assert not fits.notes
    assert fits.energy_pj_by_component["array_write"] == 0
    assert fits.energy_uj < small_chip.energy_uj < one.energy_uj
    assert fits.latency_us < small_chip.latency_us < one.latency_us
    assert fits.area_mm2 > small_chip.area_mm2 > one.area_mm2
    assert "the weights need 13 tiles and the chip has 1" in one.notes[0]
    # With a single tile every weight is read and written once per step: two columns of 4 cells each.
    cells = small.weights * 8 * 4
    cell_pj = 2.0**2 * (1 / 900e3 + 0.25 * (1 / 6e3 - 1 / 900e3)) * 50e3
    assert one.energy_pj_by_component["array_write"] == pytest.approx(cells * cell_pj)
    streamed_pj = one.energy_pj_by_component["dram"] - fits.energy_pj_by_component["dram"]
    assert streamed_pj == pytest.approx(small.weights * 8 * 4 * 8.0, rel=0.02)


def test_maps_that_the_buffers_cannot_hold_go_off_chip() -> None:
    geometry = network_geometry(
        NetworkConfig(width=64, depth=1, pooling="0000"),
        in_channels=2,
        resolution=64,
        classes=10,
        timesteps=1,
    )
    activity = uniform_activity(geometry, 0.1)
    tight, roomy = estimate(
        geometry, activity, [resolve(HardwareConfig(buffer_kib=kib)) for kib in (1, 1024)]
    )
    tiles = tight.tiles
    alive = 64 * 64 * 64 * 17  # one bit of spikes and 16 of the residual stream per neuron
    assert tight.energy_pj["dram"]["block.0.fc1"] == pytest.approx(2 * 8.0 * (alive - tiles * 8192))
    assert "block.0.fc1" not in roomy.energy_pj["dram"]
    assert roomy.area_mm2 > tight.area_mm2


def test_survey_converters_below_four_bits_are_clamped_and_noted(small: NetworkGeometry) -> None:
    activity = uniform_activity(small, 0.1)
    designs = [resolve(HardwareConfig(adc_kind="murmann", adc_levels=levels)) for levels in (8, 16)]
    low, limit = estimate(small, activity, designs)
    assert low.energy_pj_by_component["adc"] == limit.energy_pj_by_component["adc"]
    assert "starts at 16 levels" in low.notes[0]
    assert not limit.notes


def test_energy_per_mac_lies_within_what_tools_print_for_such_an_array() -> None:
    """6.5 (NeuroSim) to 37 (ZigZag-IMC) fJ/MAC."""
    assert 6.5 < array_energy_uj() * 1e9 / (12 * 512 * 512 * 196) < 37


def test_event_gating_makes_the_rate_count_for_more() -> None:
    """0.05 to 0.5 costs 1.38 times in NeuroSim, where converters always fire."""
    assert array_energy_uj(0.5) / array_energy_uj(0.05) > 1.38


def test_silent_windows_cost_no_time(small: NetworkGeometry) -> None:
    """With gating, a silent network spends time on its neurons, pools and transfers only."""
    silent = uniform_activity(small, 0.0)
    gated, driven = estimate(
        small, silent, [resolve(HardwareConfig(event_gating=gating)) for gating in (True, False)]
    )
    assert gated.energy_pj_by_component["adc"] == gated.energy_pj_by_component["row_drivers"] == 0
    assert gated.energy_pj_by_component["membrane"] > 0
    windows = sum(layer.windows for layer in small.synaptic)
    shared = sum(layer.windows for layer in small.synaptic if layer.name[-2:] in (".k", ".v"))
    reading_us = (windows - shared) * 4 * 8 * 4e-3
    assert driven.latency_us - gated.latency_us == pytest.approx(reading_us)
    assert np.isclose(driven.energy_pj_by_component["cells"], 0)
