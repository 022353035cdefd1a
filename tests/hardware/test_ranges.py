"""What converter ranges and an offset cost: by hand, and nothing where the reference is fixed."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aster_dse.activity.uniform import uniform_activity
from aster_dse.hardware import DesignTable, HardwareCost, estimate, resolve
from aster_dse.hardware.peak import peak
from aster_dse.hardware.readout import read_out
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.space import HardwareConfig

COMPONENTS = ("adc_ranges", "step_multipliers", "row_counters")
REGISTER_PJ, ADDER_PJ, GATE_PJ = 0.0382 / 8, 0.0325 / 16, 0.567e-3 * 0.633 / 0.506
PRODUCT_PJ = 0.2 / 64 * 0.633
"""At 32 nm: NeuroSim's register and adder, ZigZag's gate and Horowitz's multiplication, scaled."""

FIXED: dict[tuple[tuple[str, Any], ...], tuple[float, float, float]] = {
    (): (0.41037913372681417, 205.37972886571507, 2.4139043503580138),
    (("adc_levels", 8), ("cell_bits", 4), ("rows", 256)): (
        0.3109898388508493,
        204.9957288657151,
        1.2756785488655518,
    ),
    (("library", "isaac-32nm"), ("adc_levels", 256), ("event_gating", False)): (
        1.5213573381301368,
        230.48533333333336,
        2.7392539171546177,
    ),
    (("base", "xpikeformer-pcm"), ("node_nm", 22)): (
        0.2495879953055048,
        378.52479106476346,
        0.67048672585854,
    ),
    (("area_budget_mm2", 6.0), ("pipelining", "layers")): (
        0.36328178054905497,
        20.245395916520295,
        5.500053179913658,
    ),
}
"""uJ, us and mm2 of the default network at a firing rate of 0.1, with a reference that is fixed."""


def cost(geometry: NetworkGeometry, **knobs: Any) -> HardwareCost:
    config = HardwareConfig.model_validate({"column_kind": "pair", **knobs})
    return estimate(geometry, uniform_activity(geometry, 0.1), resolve(config))[0]


def ranges(**knobs: Any) -> dict[str, float]:
    config = HardwareConfig.model_validate({"column_kind": "pair", "adc_range_per": "slice", **knobs})
    found = read_out(DesignTable.stack([resolve(config)])).ranges
    return {name: float(getattr(found, name)[0, 0]) for name in found.__dataclass_fields__}


@pytest.mark.parametrize("rule", ["worst", "unit"])
@pytest.mark.parametrize("per", ["slice", "layer"])
def test_a_fixed_reference_costs_no_range(small: NetworkGeometry, rule: str, per: str) -> None:
    for knobs, (energy_uj, latency_us, area_mm2) in FIXED.items():
        found = cost(small, adc_range=rule, adc_range_per=per, **dict(knobs))
        assert found.energy_uj == pytest.approx(energy_uj, rel=1e-13)
        assert found.latency_us == pytest.approx(latency_us, rel=1e-13)
        assert found.area_mm2 == pytest.approx(area_mm2, rel=1e-13)
        for name in COMPONENTS:
            assert found.energy_pj_by_component[name] == found.area_um2_by_component[name] == 0.0


def test_a_range_per_slice_follows_the_slices_of_a_converter() -> None:
    """Four slices of 2 bits in pairs; a converter serves the 8 columns of a weight."""
    powers = ranges(adc_range="mse2", rows=128, cell_bits=2, weight_bits=8, column_mux=8)
    assert powers["switching_pj"] == pytest.approx(4 * (REGISTER_PJ + GATE_PJ) / 2)
    assert powers["multiply_pj"] == powers["multiplier_um2"] == 0.0
    # A step of 1 to 2^9 in 9 bits, the width of a column's sum, and a scale of 8 bits.
    real = ranges(adc_range="mse", rows=128, cell_bits=2, weight_bits=8, column_mux=8)
    assert real["switching_pj"] == pytest.approx((9 + 8) * (REGISTER_PJ + GATE_PJ) / 2)
    assert real["registers_um2"] == pytest.approx(4 * (9 + 8) * 5.98 * 0.460 / 0.792)
    assert ranges(adc_range="mse", column_mux=2)["switching_pj"] == 0.0  # a pair is of one slice
    assert ranges(adc_range="mse", column_mux=2)["multiply_pj"] > 0.0


def test_real_steps_need_a_multiplication_for_each_pair_of_codes() -> None:
    """32 levels: the difference of two codes has 6 bits."""
    real = ranges(adc_range="max", weight_bits=8, adc_levels=32)
    assert real["multiply_pj"] == pytest.approx(8 * (6 * PRODUCT_PJ + REGISTER_PJ) / 2)
    offset = ranges(adc_range="max", weight_bits=8, adc_levels=32, column_kind="offset")
    assert offset["multiply_pj"] == pytest.approx(8 * (5 * PRODUCT_PJ + REGISTER_PJ))


@pytest.mark.parametrize("rule", ["max", "p99.9", "p99", "mse", "mse2", "neurosim"])
def test_one_range_of_a_layer_is_set_once_and_scales_its_thresholds(rule: str) -> None:
    found = ranges(adc_range=rule, adc_range_per="layer")
    assert found["switching_pj"] == found["multiply_pj"] == found["multiplier_um2"] == 0.0
    assert found["reference_um2"] > 0.0
    assert 0.0 < found["registers_um2"] < ranges(adc_range=rule)["registers_um2"]
    alone = ranges(adc_range=rule, cell_bits=8, weight_bits=8)  # one slice
    assert alone["switching_pj"] == alone["multiply_pj"] == 0.0


def test_an_offset_needs_the_number_of_driven_rows(small: NetworkGeometry) -> None:
    """In each of 8 conversions a tree over 16 rows, 2 x 16 - 6 adders, and an accumulator of 8 bits."""
    found = ranges(column_kind="offset", adc_range="worst", rows=128, column_mux=8)
    counted = 8 * ((26 + 8) * ADDER_PJ + 8 * REGISTER_PJ) + 16 * (ADDER_PJ + REGISTER_PJ)
    assert found["count_pj"] == pytest.approx(counted)
    assert found["subtract_pj"] == pytest.approx(16 * ADDER_PJ)
    whole = cost(small, column_kind="offset", adc_range="worst")
    assert whole.energy_pj_by_component["row_counters"] > 0.0
    assert whole.area_um2_by_component["row_counters"] > 0.0
    digital = cost(small, column_kind="offset", adc_range="mse", compute="digital")
    for name in COMPONENTS:
        assert digital.energy_pj_by_component[name] == digital.area_um2_by_component[name] == 0.0


def test_layers_may_differ_in_their_ranges(small: NetworkGeometry) -> None:
    """What is set for single layers costs there what it costs where all layers have it."""
    knobs = {"adc_range": "mse", "adc_range_per": "slice"}
    chip = cost(small, **knobs)
    mixed = cost(
        small, **knobs, layers="stem.*: adc_range=worst column_kind=offset; head: adc_range_per=layer"
    )
    for name in ("adc_ranges", "step_multipliers"):
        found, whole = mixed.energy_pj[name], chip.energy_pj[name]
        assert found == {layer: pytest.approx(pj) for layer, pj in whole.items() if layer.startswith("block")}
        assert set(whole) - set(found) == {*(f"stem.{stage}" for stage in (0, 1, 2, 3, "position")), "head"}
        assert 0.0 < mixed.area_um2_by_component[name] < chip.area_um2_by_component[name]
    assert {layer.partition(".")[0] for layer in mixed.energy_pj["row_counters"]} == {"stem"}
    assert mixed.area_um2_by_component["row_counters"] > 0.0


def test_libraries_of_published_arrays_count_rows_as_these_do() -> None:
    """ISAAC converts a column of cells that are all on; ZigZag's model has no offset to take off."""
    assert peak(resolve(HardwareConfig(base="isaac-32nm"))).access_pj["row_counters"] == 1.67
    assert peak(resolve(HardwareConfig(base="zigzag-aimc-28nm"))).access_pj["row_counters"] == 0.0


@settings(max_examples=25, deadline=None)
@given(
    levels=st.sampled_from((2, 8, 64, 1024)),
    cell_bits=st.sampled_from((1, 2, 4)),
    mux=st.sampled_from((1, 2, 8)),
    kind=st.sampled_from(("pair", "offset")),
    rule=st.sampled_from(("max", "p99", "mse")),
)
def test_a_better_range_never_costs_less(
    tiny: NetworkGeometry, levels: int, cell_bits: int, mux: int, kind: str, rule: str
) -> None:
    def of(rule: str, per: str) -> HardwareCost:
        knobs = {"adc_levels": levels, "cell_bits": cell_bits, "column_mux": mux, "column_kind": kind}
        return cost(tiny, adc_range=rule, adc_range_per=per, **knobs)

    steps = [of("worst", "slice"), of("mse2", "layer"), of("mse2", "slice"), of(rule, "slice")]
    for less, more in itertools.pairwise(steps):
        assert less.energy_uj <= more.energy_uj
        assert less.area_mm2 <= more.area_mm2
        assert less.latency_us == more.latency_us
