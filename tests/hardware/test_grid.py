"""Grids: every combination once, in parts, with the costs of one at a time."""

from __future__ import annotations

import numpy as np
import pytest

from aster_dse.activity.uniform import uniform_activity
from aster_dse.hardware import DesignGrid, estimate, estimate_grid, resolve
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.space import HardwareConfig

KNOBS = {
    "rows": (32, 128),
    "adc_kind": ("flash", "sar"),
    "node_nm": (65, 22),
    "columns": (16, 64, 128),
    "column_mux": (1, 8, 12),
    "pipelining": ("none", "layers"),
}


def test_every_combination_is_scored_once_as_by_itself(tiny: NetworkGeometry) -> None:
    activity = uniform_activity(tiny, 0.2)
    grid = DesignGrid(resolve(HardwareConfig()), KNOBS)
    assert len(grid) == 2 * 2 * 2 * 3 * 3 * 2
    assert len({tuple(grid.design(number).items()) for number in range(len(grid))}) == len(grid)
    seen = 0
    for begin, possible, costs in estimate_grid(tiny, activity, grid, part=31):
        assert begin == seen
        for offset in range(len(possible)):
            knobs = grid.design(begin + offset)
            # 12 divides none of the widths; 8 columns would not hold a weight.
            assert possible[offset] == (knobs["column_mux"] != 12)
            if possible[offset]:
                alone = estimate(tiny, activity, resolve(HardwareConfig.model_validate(knobs)))[0]
                assert costs.energy_uj[offset] == pytest.approx(alone.energy_uj, rel=1e-12)
                assert costs.latency_us[offset] == pytest.approx(alone.latency_us, rel=1e-12)
                assert costs.area_mm2[offset] == pytest.approx(alone.area_mm2, rel=1e-12)
        seen += len(possible)
    assert seen == len(grid)


def test_parts_of_which_nothing_can_exist_are_left_out(tiny: NetworkGeometry) -> None:
    grid = DesignGrid(resolve(HardwareConfig()), {"column_mux": (12, 8), "rows": (32, 64)})
    parts = list(estimate_grid(tiny, uniform_activity(tiny, 0.2), grid, part=2))
    assert [begin for begin, _, _ in parts] == [2]
    assert np.isfinite(parts[0][2].energy_uj).all()


def test_a_grid_of_no_knobs_is_the_base_alone(tiny: NetworkGeometry) -> None:
    ((begin, possible, costs),) = estimate_grid(
        tiny, uniform_activity(tiny, 0.2), DesignGrid(resolve(HardwareConfig()), {})
    )
    assert (begin, len(costs), possible.tolist()) == (0, 1, [True])


def test_a_knob_without_values_or_without_meaning_is_refused() -> None:
    with pytest.raises(ValueError, match="rows has no value"):
        DesignGrid(resolve(HardwareConfig()), {"rows": ()})
    with pytest.raises(ValueError, match="adc_kind must be one of"):
        DesignGrid(resolve(HardwareConfig()), {"adc_kind": ("quick",)})
    with pytest.raises(ValueError, match="'row' is no knob"):
        DesignGrid(resolve(HardwareConfig()), {"row": (1,)})
