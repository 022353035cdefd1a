"""What is corrected on a chip: the common drift of its cells, and the statistics of the norms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trained_network import passes, subject

from aster_dse.network.geometry import SynapticLayer
from aster_dse.numerics.arrays import LayerArrays, NetworkArrays
from aster_dse.numerics.calibration import array_layers, calibrate, folded_layers
from aster_dse.numerics.cells import Chip
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.network import ArrayConvolution
from aster_dse.numerics.norms import reestimated
from aster_dse.numerics.passes import run_pass
from aster_dse.numerics.reference import layer_outputs
from aster_dse.numerics.weights import QuantisedWeights
from aster_dse.space.cell_conditions import CellConditions, parse_conditions

SIXTEEN = LayerArrays(adc_levels=16)
SHAPE = SynapticLayer("layer", 12, 10, 3, 6, 5)


def alike(arrays: LayerArrays) -> NetworkArrays:
    return NetworkArrays.uniform(len(subject()[0].geometry.synaptic), arrays)


def accuracy(folder: Path, arrays: LayerArrays, conditions: str = "none", chips: int = 1) -> float:
    traces = passes(folder, conditions).traces(alike(arrays), range(chips))
    right = [(trace.logits[0].sum(1).argmax(1) == trace.labels).mean() for trace in traces]
    return float(np.mean(right))


def layer(conditions: str, **changes: Any) -> ArrayLayer:
    rng = np.random.default_rng(2)
    gain = changes.pop("gain", None)
    q = rng.integers(-127, 128, (10, 108)).astype(np.int32)
    weights = QuantisedWeights(q, 0.01, rng.normal(size=10).astype(np.float32))
    arrays = LayerArrays(**{"rows": 32, "adc_levels": 64, "adc_range": "worst", **changes})
    arrays = arrays.canonical()
    m = [1 << 15 if arrays.compute == "digital" else 3000] * arrays.slices
    return ArrayLayer(SHAPE, 0, arrays, weights, m, Chip(parse_conditions(conditions)), gain=gain)


class TestDrift:
    def test_it_scales_by_the_ratio_of_the_summed_cells(self) -> None:
        plain = layer("drift=0.8 variation=0.1 stuck_on=0.01")
        corrected = layer("drift=0.8 variation=0.1 stuck_on=0.01 drift_correction=true")
        np.testing.assert_array_equal(plain.cells, corrected.cells)
        programmed = layer("variation=0.1 stuck_on=0.01")
        ratio = corrected.cells.sum() / programmed.cells.sum()
        assert corrected.drifted == ratio == pytest.approx(0.8, rel=1e-3)
        np.testing.assert_array_equal(
            corrected.scales, [[np.float32(0.01 * 4.0**s * 2**15 / 3000 / ratio)] for s in range(4)]
        )

    @pytest.mark.parametrize("conditions", ["none", "variation=0.1", "on_off=20"])
    def test_without_drift_nothing_changes(self, conditions: str) -> None:
        asked = f"{'' if conditions == 'none' else conditions} drift_correction=true"
        np.testing.assert_array_equal(layer(asked).scales, layer(conditions).scales)

    def test_an_exact_layer_has_none(self) -> None:
        assert layer("drift=0.5 drift_correction=true", adc_range="exact", adc_levels=0).drifted == 1.0

    def test_an_offset_column_keeps_what_it_takes_off(self) -> None:
        """The sums come back to what they were, and so what is taken off them is as before."""
        drifted = layer("drift=0.8 on_off=50 drift_correction=true", column_kind="offset")
        np.testing.assert_array_equal(
            drifted.row_offsets, layer("on_off=50", column_kind="offset").row_offsets
        )
        x = (torch.rand(4, 6, 5, 12, generator=torch.manual_seed(1)) < 0.3).float()
        fine = {"adc_levels": 1024, "column_kind": "offset"}
        before, after, bad = (
            layer_outputs(x, replace(layer(text, **fine), multipliers=[1 << 15] * 4))
            for text in ("on_off=50", "drift=0.8 on_off=50 drift_correction=true", "drift=0.8 on_off=50")
        )
        assert float((after - before).mean().abs()) < 0.1 * float((bad - before).mean().abs())

    def test_it_restores_a_trained_network(self, tmp_path: Path) -> None:
        levels = LayerArrays(adc_levels=32)
        known = accuracy(tmp_path, levels)
        assert known > 0.85
        assert accuracy(tmp_path, levels, "drift=0.8") < known - 0.2
        assert accuracy(tmp_path, levels, "drift=0.8 drift_correction=true") > known - 0.02


class TestNorms:
    def test_it_helps_where_cells_vary_and_ranges_clip(self, tmp_path: Path) -> None:
        clipping = LayerArrays(rows=256, cell_bits=4, adc_levels=8, adc_range="max")
        conditions = "on_off=10 variation=0.1"
        without = accuracy(tmp_path, clipping, conditions, chips=2)
        assert accuracy(tmp_path, clipping, f"{conditions} norm_reestimation=true", chips=2) > without + 0.05

    def test_ideal_cells_are_left_alone(self, tmp_path: Path) -> None:
        one, other = (
            passes(tmp_path, text).traces(alike(SIXTEEN), [0])[0]
            for text in ("none", "norm_reestimation=true drift_correction=true")
        )
        np.testing.assert_array_equal(one.logits, other.logits)

    def test_outputs_come_to_what_the_norms_were_trained_for(self) -> None:
        trained, workload, _ = subject()
        folded, chip = folded_layers(trained, workload), Chip(parse_conditions("variation=0.2 stuck_off=0.1"))
        ready = array_layers(
            trained.geometry, folded, alike(SIXTEEN), chip, calibrate_on(alike(SIXTEEN), chip.conditions)
        )
        found = reestimated(trained, workload, folded, ready, 0)
        head = found[-1]
        assert folded[-1].norm is None
        assert head is ready[-1]
        seen = {own.number: own for own in found}
        for own, weights in zip(ready[:-1], folded[:-1], strict=True):
            norm, now = weights.norm, seen[own.number]
            assert norm is not None
            assert now.gain is not None
            assert now.gain.shape == norm.mean.shape
            assert 0.5 < np.median(now.gain) < 2.0

    def test_it_is_part_of_the_key_and_the_same_whatever_computes_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = "variation=0.1 on_off=20 drift=0.9 norm_reestimation=true drift_correction=true"
        arrays = NetworkArrays(
            tuple(
                replace(SIXTEEN, compute="digital" if n % 5 == 2 else "analog", column_kind=kind)
                for n, kind in enumerate(["pair", "offset"] * 6)
                if n < len(subject()[0].geometry.synaptic)
            )
        )
        one = passes(tmp_path, text)
        first = one.traces(arrays, [0])[0]
        plain = passes(tmp_path, "variation=0.1 on_off=20 drift=0.9")
        plain.traces(arrays, [0])
        assert set(one.log.files).isdisjoint(name for name in plain.log.files if name.startswith("pass"))
        monkeypatch.setenv("ASTER_DSE_KERNELS", "portable")
        again = passes(tmp_path / "portable", text).traces(arrays, [0])[0]
        np.testing.assert_array_equal(first.logits, again.logits)
        np.testing.assert_array_equal(first.spikes, again.spikes)


def calibrate_on(arrays: NetworkArrays, conditions: CellConditions) -> Any:
    trained, workload, _ = subject()
    return calibrate(trained, workload, folded_layers(trained, workload), arrays, Chip(conditions))


@pytest.mark.parametrize(
    "conditions", ["none", "variation=0.1 drift=0.7 drift_correction=true", "read_noise=0.4 on_off=30"]
)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"column_kind": "offset"},
        {"compute": "digital"},
        {"cell_bits": 4, "adc_levels": 8},
        {"rows": 256, "cell_bits": 8, "weight_bits": 16},
    ],
    ids=str,
)
def test_gains_by_kernels_are_those_of_the_reference(conditions: str, changes: dict[str, Any]) -> None:
    gain = np.random.default_rng(5).uniform(0.5, 1.5, 10)
    own = layer(conditions, gain=gain, **changes)
    x = (torch.rand(3, 2, 6, 5, 12, generator=torch.manual_seed(1)) < 0.3).float()
    convolution = ArrayConvolution([own])
    flat = x.flatten(0, 1)
    expected = layer_outputs(flat, own, per_step=2).view(3, 2, 6, 5, 10)
    np.testing.assert_array_equal(convolution(x).numpy(), expected.numpy())
    plain = layer_outputs(flat, layer(conditions, **changes), per_step=2).view(-1, 10).double()
    bias = torch.from_numpy(own.weights.bias).double()
    scaled = (plain - bias) * torch.from_numpy(gain) + bias
    np.testing.assert_allclose(expected.view(-1, 10), scaled, rtol=0, atol=2e-5 * float(scaled.abs().max()))


def test_a_network_by_the_reference_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Estimates and a pass of few samples without any compiled kernel."""
    trained, workload, plain = subject()
    few = replace(
        workload,
        train=replace(workload.train, frames=workload.train.frames[:16], labels=workload.train.labels[:16]),
        validation=replace(
            workload.validation, frames=workload.validation.frames[:6], labels=workload.validation.labels[:6]
        ),
    )
    folded, chip = folded_layers(trained, few), Chip(parse_conditions("variation=0.2 on_off=20"))
    arrays = alike(LayerArrays(adc_levels=16, adc_range="worst"))
    traces = []
    for switch in ("", "off"):
        monkeypatch.setenv("ASTER_DSE_KERNELS", switch)
        layers = array_layers(trained.geometry, folded, arrays, chip, None)
        layers = reestimated(trained, few, folded, layers, 0)
        traces.append(run_pass(trained, few, layers, plain))
    np.testing.assert_array_equal(traces[0].logits, traces[1].logits)
    np.testing.assert_array_equal(traces[0].spikes, traces[1].spikes)
