"""What arrays are expected to add to a layer's outputs, by the kernels and by the definition."""

from __future__ import annotations

import functools

import pytest
from small_networks import small_network, small_workload

from aster_dse.numerics.arrays import LayerArrays
from aster_dse.numerics.calibration import folded_layers
from aster_dse.numerics.cells import Chip
from aster_dse.numerics.foreseen import ForeseenErrors
from aster_dse.space.cell_conditions import CellConditions
from aster_dse.training import TrainedNetwork
from aster_dse.workload import Workload

ARRAYS = [
    LayerArrays(rows=32, cell_bits=2, adc_levels=8),
    LayerArrays(rows=64, cell_bits=8, adc_levels=16, adc_range="max"),
    LayerArrays(rows=32, cell_bits=4, adc_levels=4, column_kind="offset", adc_range="mse2"),
    LayerArrays(rows=32, cell_bits=8, adc_levels=16, column_kind="offset", adc_range="max"),
]


@functools.cache
def subject() -> tuple[TrainedNetwork, Workload]:
    workload = small_workload()
    return small_network(workload), workload


def foreseen(conditions: CellConditions) -> ForeseenErrors:
    trained, workload = subject()
    return ForeseenErrors(trained, workload, folded_layers(trained, workload), Chip(conditions), samples=4)


@pytest.mark.parametrize("conditions", [CellConditions(), CellConditions(on_off=10.0)], ids=["ideal", "off"])
def test_kernels_and_definition_expect_the_same(
    conditions: CellConditions, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_kernels = foreseen(conditions)
    found = [[by_kernels.of_layer(layer, own) for layer in range(3)] for own in ARRAYS]
    monkeypatch.setenv("ASTER_DSE_KERNELS", "off")
    by_definition = foreseen(conditions)
    expected = [[by_definition.of_layer(layer, own) for layer in range(3)] for own in ARRAYS]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9)
    assert all(error > 0.0 for row in found for error in row)


def test_fewer_levels_miss_more() -> None:
    errors = foreseen(CellConditions())
    by_levels = [errors.of_layer(1, LayerArrays(rows=64, cell_bits=4, adc_levels=n)) for n in (4, 8, 16, 32)]
    assert by_levels == sorted(by_levels, reverse=True)
    assert by_levels[0] > 4.0 * by_levels[2]
