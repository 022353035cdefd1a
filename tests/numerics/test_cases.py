"""A layer on arrays against the loop program, which shares nothing with it: every stored case, both paths."""

from __future__ import annotations

from pathlib import Path

import loop_program as loop
import numpy as np
import pytest
import torch
from case_files import CASES, Case, load_case, read
from torch import Tensor

from aster_dse.network.geometry import SynapticLayer
from aster_dse.numerics import reference
from aster_dse.numerics.arrays import LayerArrays
from aster_dse.numerics.calibration import layer_multipliers
from aster_dse.numerics.cells import Chip
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.ranges import codes
from aster_dse.numerics.reference import layer_outputs
from aster_dse.numerics.weights import QuantisedWeights
from aster_dse.space.cell_conditions import CellConditions

PATHS = ("off", "portable", "avx2", "")
"""The reference, and the compiled kernels for three kinds of processors."""
ONE = 1 << 15


@pytest.fixture(params=CASES, ids=lambda path: path.stem)
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Case:
    path: Path = request.param
    found = load_case(path)
    found.feed(monkeypatch)
    return found


@pytest.fixture(params=PATHS, ids=lambda name: name or "native")
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ASTER_DSE_KERNELS", request.param)
    chosen: str = request.param
    return chosen


def test_weights_are_folded_and_quantised(case: Case) -> None:
    found = case.weights()
    np.testing.assert_array_equal(found.q, case.stored["result_q"])
    assert found.step == case.stored["result_step"]
    bias = np.broadcast_to(found.bias, case.stored["result_bias"].shape)
    # Sums over fan-in in float64 may be done in another order before they are rounded to float32.
    np.testing.assert_allclose(bias, case.stored["result_bias"], rtol=2e-7, atol=1e-9)


def test_cells(case: Case) -> None:
    if "result_cells" in case.stored:
        np.testing.assert_array_equal(case.layer().cells, case.stored["result_cells"])


@pytest.mark.usefixtures("kernels")
def test_histograms_and_ranges(case: Case) -> None:
    arrays, weights, chip = case.arrays, case.weights(), Chip(case.conditions)
    exact = ArrayLayer(case.shape, 0, arrays.exact(), weights, [ONE] * arrays.slices, chip)
    found = read(exact, case.maps("calibration"), histograms=True).histogram
    sums, counts = case.stored["result_histogram_x"], case.stored["result_histogram"]
    # Where there are conditions, the loop program counts in 1/256 of a level even nominal cells.
    scale = 1 if exact.calibration_fine or not _conditions(case) else 256
    expected = np.zeros_like(found)
    expected[:, sums // scale] = counts
    np.testing.assert_array_equal(found, expected)
    assert (sums % scale == 0).all()
    ranges = layer_multipliers(arrays, chip, found, exact.calibration_fine)
    assert ranges == case.stored["result_m"].tolist()


def _conditions(case: Case) -> bool:
    return "result_cells" in case.stored


def test_outputs(case: Case, kernels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if "read_noise_n" in case.stored:
        if kernels != "off":
            pytest.skip("the kernels draw read noise themselves: test_chips")
        _feed_read_noise(case, monkeypatch)
    found = read(case.layer(), case.maps("inputs")).outputs
    expected = case.stored["result_outputs"]
    if case.settings["image_scale"] is None:
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def _feed_read_noise(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the stored numbers, ``[S, R, G, P, V, O]``, in place of the reference's."""
    drawn = np.rint(case.stored["read_noise_n"] * case.settings["read_noise"] * 2.0**23).astype(np.int64)

    def added_to(_: object, read: Tensor, __: Tensor, slice_: int, tile: int) -> Tensor:
        noise = drawn[slice_, tile, :, 0].swapaxes(0, 1)
        return read + torch.from_numpy(np.ascontiguousarray(noise))

    monkeypatch.setattr(reference._Noise, "added_to", added_to)


def test_codes(case: Case) -> None:
    """The rule by itself, on the stored sums."""
    if "read_noise_n" in case.stored or case.settings["range"] == "exact":
        pytest.skip("the code is not the converter's alone")
    fine = 8 if _conditions(case) else 0
    for sums, m, expected in zip(
        case.stored["result_sums"], case.stored["result_m"], case.stored["result_codes"], strict=True
    ):
        found = codes(sums, int(m), case.settings["levels"], fine)
        # Tiles without a spike are not read; an off-current does not flow there.
        np.testing.assert_array_equal(found, expected)


@pytest.mark.usefixtures("kernels")
def test_counts(case: Case) -> None:
    found = read(case.layer(), case.maps("inputs")).counts
    maps, kernel = case.stored["inputs"], case.shape.kernel_size
    planes = loop.bit_planes(loop.windows_of(maps.tolist(), kernel), case.settings["input_bits"])
    windows = case.shape.height * case.shape.width
    expected = np.zeros((maps.shape[0] * maps.shape[1], 3), dtype=np.int64)
    for plane in planes:
        driven = np.array(plane).reshape(len(expected), windows, -1)
        expected[:, 0] += driven.sum((1, 2))
        expected[:, 1] += driven.any(2).sum(1)
        for start, stop in loop.tile_bounds(driven.shape[2], case.settings["rows"]):
            expected[:, 2] += driven[:, :, start:stop].any(2).sum(1)
    np.testing.assert_array_equal(found, expected)


class TestByHand:
    """Fan-in 6, 4 rows, 4-bit weights, 2-bit cells, one output, step 1, bias 0."""

    WEIGHTS = QuantisedWeights(
        np.array([[5, -3, 7, 0, -6, 2]], dtype=np.int32), 1.0, np.zeros(1, dtype=np.float32)
    )
    SPIKES = torch.tensor([1.0, 1, 1, 1, 0, 1]).view(1, 1, 1, 1, 6)
    SHAPE = SynapticLayer("layer", 6, 1, 1, 1, 1)

    def output(self, rule: str, ranges: list[int]) -> float:
        levels = 0 if rule == "exact" else 4
        arrays = LayerArrays(rows=4, cell_bits=2, weight_bits=4, adc_levels=levels, adc_range=rule)  # type: ignore[arg-type]
        layer = ArrayLayer(self.SHAPE, 0, arrays, self.WEIGHTS, ranges, Chip(CellConditions()))
        found = float(read(layer, self.SPIKES).outputs[0, 0])
        assert found == float(layer_outputs(self.SPIKES[0], layer).flatten()[0])
        return found

    @pytest.mark.usefixtures("kernels")
    def test_calibrated(self) -> None:
        assert np.float32(self.output("max", [21845, 32768])) == np.float32(11.000046)

    @pytest.mark.usefixtures("kernels")
    @pytest.mark.parametrize(("rule", "y"), [("worst", 20.0), ("unit", 10.0), ("exact", 11.0)])
    def test_other_ranges(self, rule: str, y: float) -> None:
        levels = 0 if rule == "exact" else 4
        arrays = LayerArrays(rows=4, cell_bits=2, weight_bits=4, adc_levels=levels, adc_range=rule)  # type: ignore[arg-type]
        assert self.output(rule, layer_multipliers(arrays, Chip(CellConditions()), None)) == y
