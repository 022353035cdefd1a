"""Which accelerators exist, and why the others do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aster_dse.errors import InputError
from aster_dse.hardware import DesignTable, preset_names, resolve
from aster_dse.space import HardwareConfig


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_resolves_with_every_knob_set(name: str) -> None:
    knobs = resolve(HardwareConfig(base=name)).knobs()
    assert set(knobs) == set(HardwareConfig.model_fields)
    assert [knob for knob, value in knobs.items() if value is None] in ([], ["tiles"])


def test_a_configuration_changes_only_what_it_names() -> None:
    base, changed = resolve(HardwareConfig()), resolve(HardwareConfig(rows=64, event_gating=False))
    difference = {k for k, v in base.knobs().items() if changed.knobs()[k] != v}
    assert difference == {"rows", "event_gating"}


IMPOSSIBLE: list[tuple[dict[str, Any], str, str, str]] = [
    ({"column_mux": 128, "columns": 64}, "column_mux", "128 columns per converter", "at most 64"),
    ({"column_mux": 7}, "column_mux", "7 does not divide", "one of 1, 2, 4, 8"),
    ({"columns": 8, "column_mux": 8, "cell_bits": 1}, "columns", "cannot hold one weight", "raise columns"),
    (
        {"rows": 1024, "buffer_kib": 1, "subarrays_per_tile": 64},
        "buffer_kib",
        "1 KiB cannot hold",
        "at least 8",
    ),
]


@pytest.mark.parametrize(("knobs", "knob", "problem", "remedy"), IMPOSSIBLE)
def test_an_impossible_design_is_refused_with_knob_value_and_remedy(
    knobs: dict[str, Any], knob: str, problem: str, remedy: str
) -> None:
    with pytest.raises(InputError) as error:
        resolve(HardwareConfig.model_validate(knobs))
    assert error.value.where == f"hardware.{knob}"
    assert problem in error.value.problem
    assert remedy in error.value.remedy


def test_an_unknown_base_is_refused_with_those_that_exist() -> None:
    with pytest.raises(
        InputError, match=r"hardware\.base: 'tpu' is no known preset \(one of aster-rram-32nm"
    ):
        resolve(HardwareConfig(base="tpu"))


def test_tables_of_designs_obey_the_same_rules() -> None:
    for knobs, *_ in IMPOSSIBLE:
        table = DesignTable.vary(resolve(HardwareConfig()), {name: [value] for name, value in knobs.items()})
        assert not table.possible()[0]
    assert DesignTable.stack([resolve(HardwareConfig())]).possible().all()


def test_a_varied_table_equals_its_stacked_accelerators() -> None:
    rows, kinds, nodes, gating = (
        [64, 128, 256],
        ["sar", "flash", "murmann"],
        [22, 65, 22],
        [True, False, True],
    )
    varied = DesignTable.vary(
        resolve(HardwareConfig()), {"rows": rows, "adc_kind": kinds, "node_nm": nodes, "event_gating": gating}
    )
    stacked = DesignTable.stack(
        [
            resolve(
                HardwareConfig.model_validate({"rows": r, "adc_kind": k, "node_nm": n, "event_gating": g})
            )
            for r, k, n, g in zip(rows, kinds, nodes, gating, strict=True)
        ]
    )
    for name in ("rows", "adc_kind", "event_gating", "clock_mhz", "columns"):
        np.testing.assert_array_equal(getattr(varied, name), getattr(stacked, name))
    np.testing.assert_array_equal(varied.gather("row_drive_pj"), stacked.gather("row_drive_pj"))


def test_a_table_refuses_names_that_are_no_knobs() -> None:
    with pytest.raises(ValueError, match="'row' is no knob"):
        DesignTable.vary(resolve(HardwareConfig()), {"row": [64]})
    with pytest.raises(ValueError, match="rows must be one of"):
        DesignTable.vary(resolve(HardwareConfig()), {"rows": [100]})
