"""The reference reads many windows in parts and runs on other devices; its numbers stay the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from aster_dse.network.geometry import SynapticLayer
from aster_dse.numerics import reference
from aster_dse.numerics.arrays import LayerArrays
from aster_dse.numerics.cells import Chip
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.weights import QuantisedWeights
from aster_dse.space.cell_conditions import CellConditions

NOISY = CellConditions(on_off=150.0, variation=0.1, read_noise=0.25)


def layer(conditions: CellConditions, **changes: object) -> ArrayLayer:
    rng = np.random.default_rng(3)
    settings = {"rows": 16, "weight_bits": 6, "adc_levels": 8, "adc_range": "mse", **changes}
    arrays = LayerArrays(**settings).canonical()  # type: ignore[arg-type]
    weights = QuantisedWeights(
        rng.integers(-31, 32, (6, 45)).astype(np.int32), 0.125, rng.normal(size=6).astype(np.float32)
    )
    ranges = [9000, 15000, 32768][: arrays.slices]
    return ArrayLayer(SynapticLayer("layer", 5, 6, 3, 3, 4), 2, arrays, weights, ranges, Chip(conditions, 1))


def inputs() -> Tensor:
    return torch.from_numpy((np.random.default_rng(4).random((10, 3, 4, 5)) < 0.3).astype(np.float32))


LAYERS = [
    layer(CellConditions()),
    layer(NOISY),
    layer(NOISY, column_kind="offset", adc_range="max"),
    layer(CellConditions(), adc_range="neurosim"),
    layer(CellConditions(), compute="digital"),
]


@pytest.mark.parametrize("one", LAYERS)
def test_parts_are_the_whole(one: ArrayLayer, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = reference.layer_outputs(inputs(), one, per_step=5, sample=7)
    sums = reference.column_histogram(inputs(), one)
    monkeypatch.setattr(reference, "_SUMS", 7 * 45)  # seven windows: parts begin within an image
    assert torch.equal(reference.layer_outputs(inputs(), one, per_step=5, sample=7), whole)
    assert torch.equal(reference.column_histogram(inputs(), one), sums)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("one", LAYERS)
def test_a_cuda_device_computes_the_same(one: ArrayLayer) -> None:
    there = inputs().cuda()
    found = reference.layer_outputs(there, one, per_step=5, sample=7)
    assert found.device.type == "cuda"
    assert torch.equal(found.cpu(), reference.layer_outputs(inputs(), one, per_step=5, sample=7))
    assert torch.equal(
        reference.column_histogram(there, one).cpu(), reference.column_histogram(inputs(), one)
    )
    assert torch.equal(reference.layer_counts(there, one).cpu(), reference.layer_counts(inputs(), one))
