"""The compiled kernels give the bits of the definition, on every processor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from aster_dse.network.geometry import SynapticLayer
from aster_dse.numerics.arrays import LayerArrays
from aster_dse.numerics.cells import Chip
from aster_dse.numerics.column_sums import Inputs, histogram_of_inputs
from aster_dse.numerics.kernels.library import array_kernels
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.network import ArrayConvolution
from aster_dse.numerics.packed import pack
from aster_dse.numerics.ranges import ONE, multipliers
from aster_dse.numerics.reference import column_histogram, layer_counts, layer_outputs
from aster_dse.numerics.weights import QuantisedWeights
from aster_dse.space.cell_conditions import CellConditions

pytestmark = pytest.mark.skipif(array_kernels() is None, reason="no kernels here")

IDEAL = CellConditions()
CONDITIONS = (
    IDEAL,
    CellConditions(on_off=10.0),
    CellConditions(variation=0.1, on_off=150.0),
    CellConditions(variation=0.2, variation_of="range"),
    CellConditions(stuck_on=0.05, stuck_off=0.1, on_off=50.0),
    CellConditions(drift=0.8, variation=0.05),
    CellConditions(read_noise=0.5),
    CellConditions(read_noise=0.3, variation=0.1, on_off=20.0),
)


@dataclass(frozen=True)
class Drawn:
    """A layer or some, what they read, and how the samples lie."""

    layers: tuple[ArrayLayer, ...]
    inputs: Tensor
    """``[steps * samples, H, W, C]``"""
    steps: int
    sample: int


@dataclass(frozen=True)
class Shape:
    """Of layers that read the same, whatever is random in them drawn from ``seed``."""

    channels: int = 5
    outputs: tuple[int, ...] = (7,)
    kernel: int = 3
    height: int = 4
    width: int = 5
    samples: int = 2
    steps: int = 2
    bits: int = 1
    rate: float = 0.3
    arrays: LayerArrays = LayerArrays()  # noqa: RUF009 - it is frozen
    conditions: CellConditions = IDEAL
    gating: bool = True
    map_bias: bool = False
    large: bool = False
    """Weights that are nearly all as large as they can be."""
    seed: int = 0

    def draw(self) -> Drawn:
        random = np.random.default_rng(self.seed)
        size = (self.steps * self.samples, self.height, self.width, self.channels)
        values = random.integers(1 if self.bits == 1 else 0, 1 << self.bits, size)
        read = torch.from_numpy((values * (random.random(size) < self.rate)).astype(np.float32))
        sample = int(random.integers(0, 100))
        layers = [self._layer(number, random, read) for number in range(len(self.outputs))]
        return Drawn(tuple(layers), read, self.steps, sample)

    def _layer(self, number: int, random: np.random.Generator, inputs: Tensor) -> ArrayLayer:
        layer = SynapticLayer(
            f"layer{number}", self.channels, self.outputs[number], self.kernel, self.height, self.width,
            input_bits=self.bits,
        )  # fmt: skip
        highest = (1 << (self.arrays.weight_bits - 1)) - 1
        shape = (layer.out_channels, layer.fan_in)
        if self.large:
            q = np.full(shape, highest) * np.where(np.arange(shape[0]) % 2, -1, 1)[:, None]
        else:
            q = np.rint(np.clip(random.normal(0.0, 0.4, shape), -1, 1) * highest)
        places = (self.height * self.width,) if self.map_bias else ()
        bias = random.normal(size=(*places, layer.out_channels)).astype(np.float32)
        made = ArrayLayer(
            layer=layer,
            number=number,
            arrays=self.arrays,
            weights=QuantisedWeights(q.astype(np.int32), float(random.uniform(1e-3, 1.0)), bias),
            multipliers=[ONE] * self.arrays.slices,
            chip=Chip(self.conditions, number=int(random.integers(0, 5))),
            event_gating=self.gating,
        )
        found = column_histogram(inputs, made).numpy()
        if self.arrays.compute == "digital" or made.exact:
            return made
        own = multipliers(found, self.arrays, fine=made.calibration_fine)
        return ArrayLayer(
            made.layer, number, made.arrays, made.weights, own, made.chip, event_gating=self.gating
        )


class Seen:
    """What an observer is told."""

    def __init__(self) -> None:
        self.seen: list[Tensor] = []
        self.histograms: list[Tensor] = []

    def counts(self, layer: ArrayLayer, counts: Tensor) -> None:  # noqa: ARG002
        self.seen.append(counts)

    def inputs(self, layer: ArrayLayer, inputs: Inputs) -> None:
        self.histograms.append(histogram_of_inputs(inputs, layer))


def agree(drawn: Drawn) -> None:
    """Outputs, counts and histograms of the kernels and the definition are equal."""
    module = ArrayConvolution(drawn.layers)
    module.sample, module.observer = drawn.sample, (seen := Seen())
    outputs = module(drawn.inputs.view(drawn.steps, -1, *drawn.inputs.shape[1:])).flatten(0, 1)
    at = 0
    per_step = len(drawn.inputs) // drawn.steps
    for place, layer in enumerate(drawn.layers):
        part = outputs[..., at : at + layer.layer.out_channels]
        at += layer.layer.out_channels
        expected = layer_outputs(drawn.inputs, layer, per_step=per_step, sample=drawn.sample)
        assert torch.equal(part, expected)
        assert torch.equal(seen.seen[place], layer_counts(drawn.inputs, layer))
        found, wanted = seen.histograms[place], column_histogram(drawn.inputs, layer)
        assert torch.equal(found[:, : wanted.shape[1]], wanted)
        assert not found[:, wanted.shape[1] :].any()


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    compute: Literal["analog", "digital"] = draw(st.sampled_from(("analog", "analog", "analog", "digital")))
    cell_bits = draw(st.integers(1, 8))
    arrays = LayerArrays(
        compute=compute,
        rows=draw(st.sampled_from((1, 2, 4, 8, 16, 32, 64, 128, 256, 1024))),
        cell_bits=cell_bits,
        weight_bits=draw(st.integers(2, 24)),
        adc_levels=draw(st.sampled_from((2, 3, 4, 8, 16, 63, 256, 1024))),
        adc_range=draw(st.sampled_from(("worst", "max", "p99", "unit", "mse", "mse2", "exact"))),
        adc_range_per=draw(st.sampled_from(("slice", "layer"))),
        column_kind=draw(st.sampled_from(("pair", "offset"))),
    )
    return Shape(
        channels=draw(st.integers(1, 40)),
        outputs=tuple(draw(st.lists(st.integers(1, 37), min_size=1, max_size=3))),
        kernel=draw(st.sampled_from((1, 3))),
        height=draw(st.integers(1, 9)),
        width=draw(st.integers(1, 9)),
        samples=draw(st.integers(1, 3)),
        steps=draw(st.integers(1, 2)),
        bits=draw(st.sampled_from((1, 1, 1, 3))),
        rate=draw(st.sampled_from((0.0, 0.02, 0.3, 0.9, 1.0))),
        arrays=arrays,
        conditions=draw(st.sampled_from(CONDITIONS)) if compute == "analog" else IDEAL,
        gating=draw(st.booleans()),
        map_bias=draw(st.booleans()),
        large=draw(st.booleans()),
        seed=draw(st.integers(0, 1 << 16)),
    )


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(shapes())
@example(Shape(channels=2, outputs=(12,), height=33, width=32, arrays=LayerArrays(cell_bits=4), rate=0.1))
@example(Shape(channels=2, outputs=(12,), height=33, width=32, arrays=LayerArrays(rows=4, cell_bits=1)))
@example(Shape(channels=2, outputs=(7,), height=40, width=44, samples=38, rate=0.4))
@example(Shape(channels=1, outputs=(5,), height=16, width=17, arrays=LayerArrays(rows=4, cell_bits=8)))
@example(Shape(channels=40, outputs=(13,), height=9, width=9, arrays=LayerArrays(rows=32), rate=0.9))
def test_kernels_give_the_bits_of_the_definition(shape: Shape) -> None:
    agree(shape.draw())


LOOKED_UP = [
    Shape(channels=3, outputs=(6,), height=17, width=31, rate=rate, large=large, conditions=conditions,
          arrays=LayerArrays(rows=rows, cell_bits=bits, adc_levels=16, adc_range="max", column_kind=kind))
    for rate, large in ((0.1, False), (0.9, True))
    for rows in (8, 16, 32)
    for bits in (1, 3, 4, 6)
    for kind in ("pair", "offset")
    for conditions in (CONDITIONS[0], CONDITIONS[2])
]  # fmt: skip


@pytest.mark.parametrize("shape", LOOKED_UP, ids=range(len(LOOKED_UP)))
def test_looked_up_patterns_give_the_bits_of_the_definition(shape: Shape) -> None:
    agree(shape.draw())


STUCK = CellConditions(stuck_off=0.01)


@pytest.mark.parametrize(
    ("rows", "bits", "conditions", "kind"),
    [
        (256, 8, STUCK, "wide"),  # just below 2^23
        (512, 8, STUCK, "loose"),  # just below 2^24
        (1024, 8, STUCK, "loose"),
        (1024, 8, IDEAL, "loose"),  # sums of whole cells of more than 16 bits
        (1024, 24, STUCK, "loose"),
        (64, 8, IDEAL, "narrow"),
    ],
)
def test_large_sums_give_the_bits_of_the_definition(
    rows: int, bits: int, conditions: CellConditions, kind: str
) -> None:
    arrays = LayerArrays(rows=rows, cell_bits=8, weight_bits=bits, adc_levels=1024, adc_range="max")
    for rate in (0.5, 0.98, 1.0):
        shape = Shape(channels=600, kernel=1, large=True, rate=rate, arrays=arrays, conditions=conditions)
        drawn = shape.draw()
        assert pack(drawn.layers).kind == kind
        agree(drawn)


def test_cells_that_do_not_fit_are_left_to_the_definition() -> None:
    conditions = CellConditions(on_off=1.05)
    agree(Shape(channels=1, arrays=LayerArrays(rows=4, cell_bits=8), conditions=conditions).draw())
