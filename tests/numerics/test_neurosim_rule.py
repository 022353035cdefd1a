"""NeuroSim's converters: their range, and that they round down, in both forms of the definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from aster_dse.network.geometry import SynapticLayer
from aster_dse.network.kernels.convolution import events_of
from aster_dse.network.kernels.library import STEADY, kernels_for
from aster_dse.numerics.arrays import LayerArrays
from aster_dse.numerics.cells import Chip
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.network import ArrayConvolution
from aster_dse.numerics.ranges import ONE, codes, multipliers
from aster_dse.numerics.reference import layer_outputs
from aster_dse.numerics.weights import QuantisedWeights
from aster_dse.space.cell_conditions import CellConditions


def as_neurosim(sums: NDArray[np.int64], highest: int, levels: int) -> NDArray[np.float64]:
    """What V1.4's `LinearQuantizeOut` makes of sums from 0 to `highest`, in units of the sums."""
    step = highest / levels
    return np.clip(np.floor(sums / step), 0, levels - 1) * step


@pytest.mark.parametrize(
    ("levels", "highest"),
    [
        (levels, highest)
        for levels in (2, 8, 32)
        for highest in (8, 40, 56, 63, 100, 181)
        if highest >= levels
    ],
)
def test_codes_are_those_of_the_tool(levels: int, highest: int) -> None:
    sums = np.arange(highest + 1)
    histogram = np.ones((1, highest + 1), dtype=np.int64)
    (m,) = multipliers(histogram, LayerArrays(adc_range="neurosim", adc_levels=levels, cell_bits=8))
    read = codes(sums, m, levels, down=True) * (ONE / m)
    assert m == math.ceil(ONE * levels / highest)
    assert np.abs(read - as_neurosim(sums, highest, levels)).max() < highest * 2.0**-9


def test_steps_are_never_finer_than_a_cell_level() -> None:
    arrays = LayerArrays(adc_range="neurosim", adc_levels=64, cell_bits=8)
    assert multipliers(np.ones((1, 21), dtype=np.int64), arrays) == [ONE]


def layer(q: NDArray[np.int32], arrays: LayerArrays, m: list[int], conditions: CellConditions) -> ArrayLayer:
    outputs, fan_in = q.shape
    shape = SynapticLayer("fc", fan_in, outputs, 1, 3, 3)
    weights = QuantisedWeights(q=q, step=0.25, bias=np.zeros(outputs, dtype=np.float32))
    return ArrayLayer(shape, 0, arrays, weights, m, Chip(conditions, 3))


@pytest.mark.parametrize("kind", ["pair", "offset"])
@pytest.mark.parametrize("conditions", [CellConditions(), CellConditions(variation=0.1, read_noise=0.25)])
def test_kernels_round_down_like_the_reference(kind: str, conditions: CellConditions) -> None:
    rng = np.random.default_rng(5)
    arrays = LayerArrays(
        rows=16, cell_bits=2, weight_bits=4, adc_levels=8, adc_range="neurosim", column_kind=kind
    )
    one = layer(rng.integers(-7, 8, (9, 40), dtype=np.int32), arrays, [9000, 20000], conditions)
    spikes = torch.from_numpy((rng.random((6, 3, 3, 40)) < 0.4).astype(np.float32))
    kernels = kernels_for(torch.empty(0), build=STEADY)
    if kernels is None:
        pytest.skip("no compiler")
    expected = layer_outputs(spikes, one)
    found = ArrayConvolution([one])._of_planes([events_of(kernels, spikes)], 1)[0]
    assert torch.equal(found, expected)
    if conditions.ideal and kind == "pair":
        by_hand = np.zeros((54, 9))
        flat = spikes.reshape(54, 40).numpy().astype(np.int64)
        for number, m in enumerate(one.multipliers):
            for start in range(0, 40, 16):
                sums = [
                    flat[:, start : start + 16] @ cell.T[start : start + 16] for cell in one.levels[number]
                ]
                plus, minus = (np.minimum((x * m) >> 15, 7) for x in sums)
                by_hand += 0.25 * 4.0**number * ONE / m * (plus - minus)
        assert np.allclose(expected.reshape(54, 9).numpy(), by_hand, atol=1e-4)
