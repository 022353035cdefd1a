"""On-chip memories: reads apart from writes, every size and node, and what a user's own table may say."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aster_dse.activity.uniform import uniform_activity
from aster_dse.errors import InputError
from aster_dse.hardware import DesignTable, estimate, load_library, resolve
from aster_dse.hardware.sram import (
    sram_area_um2,
    sram_leakage_mw,
    sram_most_um2_per_kib,
    sram_read_pj,
    sram_write_pj,
)
from aster_dse.network.geometry import NetworkGeometry, network_geometry
from aster_dse.space import HardwareConfig, NetworkConfig

LIBRARIES = resources.files("aster_dse.hardware").joinpath("libraries")
TABLE: dict[str, Any] = json.loads(LIBRARIES.joinpath("memories", "cacti-7.json").read_text("utf-8"))
NODES = (65, 45, 32, 28, 22)


def designs(**knobs: Any) -> DesignTable:
    return DesignTable.stack([resolve(HardwareConfig.model_validate(knobs))])


def figures(table: DesignTable, kib: float) -> dict[str, float]:
    at = np.array([[kib]])
    return {
        "read_pj": float(64 * sram_read_pj(table, at)[0, 0]),
        "write_pj": float(64 * sram_write_pj(table, at)[0, 0]),
        "area_mm2": float(sram_area_um2(table, at)[0, 0]) * 1e-6,
        "leakage_uw": float(sram_leakage_mw(table, at)[0, 0]) * 1e3,
    }


@pytest.mark.parametrize("node", NODES)
def test_a_tabulated_size_has_its_own_figures_at_every_node(node: int) -> None:
    table = designs(node_nm=node)
    for place in range(0, len(TABLE["capacity_kib"]), 9):
        found = figures(table, TABLE["capacity_kib"][place])
        assert found == pytest.approx({name: TABLE[name][str(node)][place] for name in found}, rel=1e-9), (
            TABLE["capacity_kib"][place]
        )


def test_the_table_says_where_it_is_from() -> None:
    assert "CACTI 7" in TABLE["source"]
    assert "hwcomponents-cacti 1." in TABLE["source"]
    assert load_library("aster-mixed").sram.source == TABLE["source"]
    assert set(map(int, TABLE["read_pj"])) == set(NODES)


@pytest.mark.parametrize(("kib", "over_two_reads_of_1_kib"), [(1.5, 1.53), (0.25, 0.64)])
def test_a_membrane_is_read_and_written_at_their_own_prices(
    kib: float, over_two_reads_of_1_kib: float
) -> None:
    """Beside 0.895 pJ per 64 bits, at 32 nm, for either."""
    found = figures(designs(), kib)
    both = found["read_pj"] + found["write_pj"]
    one = {1.5: 2 * 0.895 * 3.44**0.195 / 0.895**0.195, 0.25: 2 * 0.895}[kib]  # log-log to 3.44 pJ at 8 KiB
    assert both / one == pytest.approx(over_two_reads_of_1_kib, abs=0.01)


def test_the_energy_of_a_networks_memories_by_hand(small: NetworkGeometry) -> None:
    cost = estimate(small, uniform_activity(small, 0.1), resolve(HardwareConfig()))[0]
    buffer, table = figures(designs(), 16.0), designs()
    # fc1: 32 + 128 membranes of 16 bits for each of 16 tokens, four steps, in 8 subarrays.
    neurons = (32 + 128) * 16
    state = figures(table, neurons * 16 / 8192 / 8)
    per_bit = (state["read_pj"] + state["write_pj"]) / 64
    assert cost.energy_pj["membrane"]["block.0.fc1"] == pytest.approx(neurons * 4 * 16 * per_bit)
    attention = 3 * 32 * 16 * 4 * (buffer["read_pj"] + buffer["write_pj"]) / 64
    assert cost.energy_pj["buffers"]["block.0.sdsa"] == pytest.approx(attention)


@given(kib=st.floats(0.5, 4096.0), node=st.sampled_from(NODES))
def test_between_two_sizes_a_figure_lies_between_theirs(kib: float, node: int) -> None:
    sizes = np.array(TABLE["capacity_kib"])
    above = min(int(np.searchsorted(sizes, kib)), len(sizes) - 1)
    for name, value in figures(designs(node_nm=node), kib).items():
        ends = sorted(TABLE[name][str(node)][place] for place in (max(above - 1, 0), above))
        assert ends[0] * (1 - 1e-9) <= value <= ends[1] * (1 + 1e-9), name


def test_under_a_word_and_over_the_largest_memory_area_goes_with_the_size() -> None:
    table = designs()
    word, half = figures(table, 8 / 1024), figures(table, 4 / 1024)
    assert half["read_pj"] == word["read_pj"]
    assert half["area_mm2"] == pytest.approx(word["area_mm2"] / 2)
    bank, two = figures(table, 4096.0), figures(table, 8192.0)
    assert two["write_pj"] == bank["write_pj"]
    assert two["leakage_uw"] == pytest.approx(2 * bank["leakage_uw"])
    assert sram_most_um2_per_kib(table)[0, 0] >= word["area_mm2"] * 1e6 * 128 * (1 - 1e-9)


def test_a_memory_beyond_those_that_were_modelled_is_said_to_be_that() -> None:
    geometry = network_geometry(
        NetworkConfig(width=512, depth=1, pooling="1111"),
        in_channels=3,
        resolution=224,
        classes=10,
        timesteps=1,
    )
    activity = uniform_activity(geometry, 0.1)
    large, small = estimate(geometry, activity, resolve(HardwareConfig(rows=1024, columns=1024)))[0], None
    assert any("the membranes of stem." in note and "banks of 4 MiB" in note for note in large.notes)
    small = estimate(geometry, activity, resolve(HardwareConfig(rows=16, columns=16)))[0]
    assert not any("banks of" in note for note in small.notes)


def test_a_library_that_gives_accesses_alone_is_read_as_before(tmp_path: Path) -> None:
    document = yaml.safe_load(LIBRARIES.joinpath("aster-mixed.yaml").read_text("utf-8"))
    document["sram"] = {
        "port_bits": 64,
        "capacity_kib": [1, 8, 1024],
        "access_pj": {32: [0.895, 3.44, 52.0]},
        "area_mm2": {32: [0.0018, 0.0133, 1.65]},
        "leakage_uw": {32: [0.0658, 0.450, 41.91]},
        "source": "CACTI 7",
    }
    path = tmp_path / "accesses.yaml"
    path.write_text(yaml.safe_dump(document))
    found = figures(designs(library=str(path)), 8.0)
    assert found["read_pj"] == found["write_pj"] == pytest.approx(3.44)
    below = figures(designs(library=str(path)), 0.5)
    assert below["read_pj"] == pytest.approx(0.895)
    assert below["area_mm2"] == pytest.approx(0.0009)


@pytest.mark.parametrize(
    ("sram", "message"),
    [
        ({"table": "cacti-6"}, "sram.table: 'cacti-6' is no known table of memories (one of cacti-7)"),
        ({"table": "cacti-7", "access_pj": {32: [1.0]}}, "give access_pj for reads and writes alike, or"),
        ({"table": "cacti-7", "write_pj": {32: [1.0]}}, "write_pj.32 has 1 values for 210 capacities"),
    ],
)
def test_a_faulty_table_is_refused(tmp_path: Path, sram: dict[str, Any], message: str) -> None:
    document = yaml.safe_load(LIBRARIES.joinpath("aster-mixed.yaml").read_text("utf-8")) | {"sram": sram}
    path = tmp_path / "faulty.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(InputError) as error:
        load_library(str(path))
    assert message in str(error.value)
