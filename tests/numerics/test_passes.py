"""What a pass promises: the same figures in any company, and what is refused."""

from __future__ import annotations

import functools
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from case_files import read
from small_networks import small_network, small_workload

from aster_dse.activity import ActivityTrace
from aster_dse.activity.record import record_trace
from aster_dse.errors import InputError, PassError
from aster_dse.hardware import resolve
from aster_dse.network.geometry import SynapticLayer
from aster_dse.numerics import passes
from aster_dse.numerics.arrays import LayerArrays, NetworkArrays
from aster_dse.numerics.calibration import (
    array_layers,
    calibrate,
    check_samples,
    folded_layers,
    layer_multipliers,
    sample_index,
)
from aster_dse.numerics.cells import Chip
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.passes import array_logits, run_pass
from aster_dse.numerics.weights import QuantisedWeights
from aster_dse.space import HardwareConfig
from aster_dse.space.cell_conditions import CellConditions
from aster_dse.space.hardware_knobs import ADC_RANGES
from aster_dse.training.trained import Feed, torch_threads
from aster_dse.workload import Workload

HARSH = CellConditions(on_off=50.0, variation=0.1, read_noise=0.25, stuck_on=0.01, drift=0.95)
IDEAL = CellConditions()
EIGHT = LayerArrays(rows=64, cell_bits=4, adc_levels=16, adc_range="max")


@functools.cache
def subject(kind: Any = "events") -> tuple[Any, Workload, ActivityTrace]:
    workload = small_workload(kind, timesteps=4)
    trained = small_network(workload, depth=2)
    return trained, workload, record_trace(trained, workload)


def layers(
    arrays: NetworkArrays, conditions: CellConditions, *, chip: int = 0, kind: Any = "events"
) -> tuple[ArrayLayer, ...]:
    trained, workload, _ = subject(kind)
    folded, on = folded_layers(trained, workload), Chip(conditions, chip)
    sums = calibrate(trained, workload, folded, arrays, on)
    return array_layers(trained.geometry, folded, arrays, on, sums)


def alike(arrays: LayerArrays) -> NetworkArrays:
    return NetworkArrays.uniform(len(subject()[0].geometry.synaptic), arrays)


def one_pass(ready: tuple[ArrayLayer, ...], kind: Any = "events") -> ActivityTrace:
    trained, workload, plain = subject(kind)
    return run_pass(trained, workload, ready, plain)


def assert_equal(one: ActivityTrace, other: ActivityTrace) -> None:
    for name in ("logits", "spikes", "driven_rows", "active_windows", "active_accesses"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def mixed_arrays() -> NetworkArrays:
    """Every layer different, q, k and v among them."""
    count = len(subject()[0].geometry.synaptic)
    rng = np.random.default_rng(11)

    def draw(place: int) -> LayerArrays:
        return LayerArrays(
            compute="digital" if place % 7 == 3 else "analog",
            rows=int(rng.choice([16, 32, 128])),
            cell_bits=int(rng.choice([1, 2, 3, 4])),
            weight_bits=int(rng.choice([4, 6, 8])),
            adc_levels=int(rng.choice([8, 16, 64])),
            adc_range=ADC_RANGES[place % len(ADC_RANGES)],  # type: ignore[arg-type]
            adc_range_per="layer" if place % 3 == 0 else "slice",
            column_kind="offset" if place % 4 == 1 else "pair",
        )

    return NetworkArrays(tuple(draw(place) for place in range(count)))


class TestCompany:
    @pytest.mark.parametrize("conditions", [IDEAL, HARSH], ids=["ideal", "harsh"])
    @pytest.mark.parametrize("kind", ["events", "images"])
    def test_threads_batches_and_paths(
        self, conditions: CellConditions, kind: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The image of a static sample is read at every step, which noise shows."""
        arrays = NetworkArrays.uniform(len(subject(kind)[0].geometry.synaptic), EIGHT)
        with torch_threads(1):
            ready = layers(arrays, conditions, kind=kind)
            first = one_pass(ready, kind)
        with torch_threads(3):
            assert [layer.multipliers for layer in layers(arrays, conditions, kind=kind)] == [
                layer.multipliers for layer in ready
            ]
            assert_equal(first, one_pass(ready, kind))
        for batch in (4, 7):  # four images are as many as time steps
            monkeypatch.setattr(passes, "_BATCH", batch)
            assert_equal(first, one_pass(ready, kind))
        for switch in ("off", "portable", "avx2"):
            monkeypatch.setenv("ASTER_DSE_KERNELS", switch)
            again = layers(arrays, conditions, kind=kind)
            assert [layer.multipliers for layer in again] == [layer.multipliers for layer in ready]
            assert_equal(first, one_pass(again, kind))

    @pytest.mark.parametrize("conditions", [IDEAL, HARSH], ids=["ideal", "harsh"])
    def test_layers_that_differ(self, conditions: CellConditions, monkeypatch: pytest.MonkeyPatch) -> None:
        first = one_pass(layers(mixed_arrays(), conditions))
        monkeypatch.setenv("ASTER_DSE_KERNELS", "off")
        assert_equal(first, one_pass(layers(mixed_arrays(), conditions)))

    def test_logits_alone_are_those_of_the_trace(self) -> None:
        trained, workload, plain = subject()
        ready = layers(alike(EIGHT), HARSH)
        trace = one_pass(ready)
        feed = Feed(workload.validation, workload, torch.device("cpu"))
        for skips, logits in enumerate(trace.logits):
            skipped = frozenset(plain.skip_order[:skips])
            found = array_logits(trained, workload, ready, feed, [skipped])[0]
            np.testing.assert_array_equal(found, logits)

    def test_eight_chips_differ(self) -> None:
        conditions = CellConditions(variation=0.1)
        sums = [one_pass(layers(alike(EIGHT), conditions, chip=chip)).logits for chip in range(8)]
        assert len({logits.tobytes() for logits in sums}) == 8

    def test_the_order_of_skipping_is_that_of_the_plain_network(self) -> None:
        _, _, plain = subject()
        assert one_pass(layers(alike(EIGHT), IDEAL)).skip_order == plain.skip_order

    def test_noise_is_drawn_at_every_step_of_a_repeated_image(self) -> None:
        noise = CellConditions(read_noise=1.0)
        count = len(subject("images")[0].geometry.synaptic)
        trace = one_pass(layers(NetworkArrays.uniform(count, EIGHT), noise, kind="images"), "images")
        first = replace(trace.geometry.synaptic[0])
        assert first.input_bits == 8
        driven = trace.driven_rows[0, :, :, 0]
        assert (driven == driven[:, :1]).all()
        ready = layers(NetworkArrays.uniform(count, EIGHT), noise, kind="images")[0]
        image = torch.full((1, 1, 16, 16, 1), 255.0).expand(4, -1, -1, -1, -1)
        outputs = read(ready, image).outputs.reshape(4, -1)
        assert len({step.tobytes() for step in outputs}) == 4


class TestExact:
    """Layers under exact read-out."""

    SHAPE = SynapticLayer("layer", 12, 10, 3, 6, 5)

    def output(self, **changes: Any) -> Any:
        rng = np.random.default_rng(2)
        q = rng.integers(-127, 128, (10, 108)).astype(np.int32)
        weights = QuantisedWeights(q, 0.01, rng.normal(size=10).astype(np.float32))
        arrays = LayerArrays(**{"rows": 32, "adc_levels": 0, "adc_range": "exact", **changes})
        chip = Chip(IDEAL)
        layer = ArrayLayer(self.SHAPE, 0, arrays, weights, layer_multipliers(arrays, chip, None), chip)
        return read(layer, (torch.rand(2, 3, 6, 5, 12, generator=torch.manual_seed(1)) < 0.3).float()).outputs

    @pytest.mark.parametrize("switch", ["", "off"])
    @pytest.mark.parametrize(
        "changes",
        [
            {"column_kind": "offset"},
            {"compute": "digital"},
            {"rows": 128},
            {"cell_bits": 1},
            {"cell_bits": 3},
            {"cell_bits": 8},
        ],
        ids=str,
    )
    def test_layout_does_not_matter(
        self, changes: dict[str, Any], switch: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ASTER_DSE_KERNELS", switch)
        np.testing.assert_allclose(self.output(**changes), self.output(), rtol=0, atol=3e-5)

    def test_a_network_with_offset_columns_or_digital_arrays(self) -> None:
        exact = LayerArrays(rows=64, adc_levels=0, adc_range="exact", weight_bits=24, cell_bits=4)
        pair = one_pass(layers(alike(exact), IDEAL))
        for other in (replace(exact, column_kind="offset"), replace(exact, compute="digital")):
            found = one_pass(layers(alike(other), IDEAL))
            assert (found.logits.sum(2).argmax(-1) == pair.logits.sum(2).argmax(-1)).mean() >= 23 / 24


class TestExtremes:
    """The largest arrays, cells and weights that a space may name, at both ends of 16-bit sums."""

    @pytest.mark.parametrize("column", ["pair", "offset"])
    @pytest.mark.parametrize(
        ("rows", "cell_bits", "weight_bits", "levels"),
        [(1024, 8, 16, 1024), (1024, 5, 10, 512), (128, 8, 8, 1024), (1024, 1, 16, 2), (16, 8, 16, 1024)],
    )
    # Without an off-current, under which sums of large cells have histograms of gigabytes.
    @pytest.mark.parametrize("conditions", [IDEAL, replace(HARSH, on_off=None)], ids=["ideal", "harsh"])
    def test_kernels(
        self,
        conditions: CellConditions,
        rows: int,
        cell_bits: int,
        weight_bits: int,
        levels: int,
        column: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        rng = np.random.default_rng(3)
        top = (1 << (weight_bits - 1)) - 1
        q = rng.integers(-top, top + 1, (5, 1300)).astype(np.int32)
        q[0], q[1] = top, -top
        weights = QuantisedWeights(q, 1e-3, np.zeros(5, dtype=np.float32))
        shape, chip = SynapticLayer("layer", 1300, 5, 1, 1, 1), Chip(conditions, 1)
        arrays = LayerArrays(
            rows=rows,
            cell_bits=cell_bits,
            weight_bits=weight_bits,
            adc_levels=levels,
            adc_range="max",
            column_kind=column,
        )
        rates = torch.tensor([0.0, 0.02, 0.3, 1.0]).repeat(6).view(1, -1, 1, 1, 1)
        maps = (torch.rand(1, 24, 1, 1, 1300, generator=torch.manual_seed(2)) < rates).float()
        found = []
        for switch in ("off", "portable", "avx2", ""):
            monkeypatch.setenv("ASTER_DSE_KERNELS", switch)
            exact = ArrayLayer(shape, 0, arrays.exact(), weights, [1 << 15] * arrays.slices, chip)
            summed = read(exact, maps, histograms=True)
            ranges = layer_multipliers(arrays, chip, summed.histogram, exact.calibration_fine)
            outputs = read(ArrayLayer(shape, 0, arrays, weights, ranges, chip), maps).outputs
            found.append((ranges, summed.outputs.tobytes(), outputs.tobytes()))
        assert all(other == found[0] for other in found)


class TestKeys:
    def test_what_has_no_effect_is_left_out(self) -> None:
        digital = LayerArrays(compute="digital", rows=64)
        for same in ({"cell_bits": 4}, {"adc_levels": 8}, {"adc_range": "max"}, {"column_kind": "offset"}):
            assert replace(digital, **same).canonical() == digital.canonical()
        unit = LayerArrays(adc_range="unit")
        assert NetworkArrays((unit,), 1).key("n") == NetworkArrays((unit,), 0).key("n")
        assert NetworkArrays((unit,)).key("n") != NetworkArrays((unit,)).key("m")

    def test_levels_and_ranges_share_a_calibration(self) -> None:
        one, other = LayerArrays(adc_levels=8, adc_range="max"), LayerArrays(adc_levels=64)
        assert NetworkArrays((one,)).key("n") != NetworkArrays((other,)).key("n")
        assert NetworkArrays((one,)).calibration_key("n") == NetworkArrays((other,)).calibration_key("n")

    def test_a_worst_range_needs_no_samples_and_is_the_same_with_them(self) -> None:
        worst, silent = LayerArrays(adc_range="worst"), np.array([[4, 0], [2, 2], [4, 0], [4, 0]])
        chip = Chip(IDEAL)
        assert layer_multipliers(worst, chip, silent) == layer_multipliers(worst, chip, None)


class TestBadInput:
    def test_a_failed_pass_crosses_processes(self) -> None:
        error = PassError("abc", "64 rows", "no scratch memory")
        again = pickle.loads(pickle.dumps(error))
        assert str(again) == str(error) == "network abc on arrays of 64 rows: no scratch memory"

    def test_one_weight_bit(self) -> None:
        with pytest.raises(ValueError, match="at least 2 bits"):
            LayerArrays(weight_bits=1)

    @pytest.mark.parametrize("knobs", [{"weight_bits": 1}, {"layers": "stem.*: weight_bits=1"}], ids=str)
    def test_one_weight_bit_in_a_configuration(self, knobs: dict[str, Any]) -> None:
        config = HardwareConfig.model_validate({"arrays": "real", **knobs})
        with pytest.raises(InputError, match="sign and a magnitude"):
            resolve(config)

    def test_rows(self) -> None:
        with pytest.raises(ValueError, match="power of two"):
            LayerArrays(rows=100)

    def test_too_few_training_samples(self) -> None:
        with pytest.raises(InputError) as caught:
            check_samples(small_workload(train=511))
        message = str(caught.value)
        assert "511" in message
        assert "512" in message
        assert "\n" not in message
        check_samples(small_workload(train=512))

    def test_a_range_without_its_calibration(self) -> None:
        with pytest.raises(ValueError, match="mse needs a calibration"):
            layer_multipliers(LayerArrays(), Chip(IDEAL), None)

    def test_too_few_layers(self) -> None:
        trained, workload, _ = subject()
        with pytest.raises(ValueError, match="zip"):
            array_layers(
                trained.geometry,
                folded_layers(trained, workload),
                NetworkArrays.uniform(2, LayerArrays(adc_range="unit")),
                Chip(IDEAL),
                None,
            )


def test_calibration_sets() -> None:
    sets = [sample_index(1000, number) for number in range(3)]
    assert sets[0][[0, 1, 255]].tolist() == [0, 4, 999]
    assert all(len(set(part.tolist())) == 256 for part in sets)
    assert sets[1].tolist() == [(sample + 1) % 1000 for sample in sets[0]]
    # The last sample of a set is followed by the first: the one that neighbours share.
    for samples in (512, 900, 5000):
        assert set(sample_index(samples, 0)) & set(sample_index(samples, 1)) == {0}
