"""The stored cases as layers of the product, with their random numbers in place of the product's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from aster_dse.network.geometry import SynapticLayer
from aster_dse.network.layers import BatchNorm
from aster_dse.network.synapses import Synapse
from aster_dse.numerics import cells
from aster_dse.numerics.arrays import LayerArrays
from aster_dse.numerics.calibration import layer_multipliers
from aster_dse.numerics.cells import Chip
from aster_dse.numerics.column_sums import Inputs, histogram_of_inputs
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.network import ArrayConvolution
from aster_dse.numerics.weights import QuantisedWeights, fold, quantise
from aster_dse.space import WorkloadConfig
from aster_dse.space.cell_conditions import CellConditions
from aster_dse.workload import Split, Workload

CASES = tuple(sorted((Path(__file__).parent / "cases").glob("*.npz")))
_STUCK_SHARE = 0.125
"""Of the cells, on and off: any share does, since the masks are given."""


@dataclass(frozen=True)
class Case:
    """A stored layer, its inputs, and what the loop program makes of them."""

    name: str
    settings: dict[str, Any]
    stored: dict[str, Any]

    @property
    def arrays(self) -> LayerArrays:
        s = self.settings
        return LayerArrays(
            rows=s["rows"],
            cell_bits=s["cell_bits"],
            weight_bits=s["weight_bits"],
            adc_levels=s["levels"],
            adc_range=s["range"],
            adc_range_per=s["range_per"],
            column_kind="offset" if s["offset_column"] else "pair",
        )

    @property
    def conditions(self) -> CellConditions:
        s = self.settings
        stuck = _STUCK_SHARE if s["stuck_on_level"] else 0.0
        return CellConditions(
            on_off=s["on_off"],
            variation=s["sigma"],
            variation_of=s["sigma_of"],
            read_noise=s["read_noise"],
            stuck_on=stuck,
            stuck_off=stuck,
            drift=s["drift"],
        )

    @property
    def shape(self) -> SynapticLayer:
        outputs, channels, kernel, _ = self.stored["weights"].shape
        height, width = self.stored["inputs"].shape[3:]
        bits = self.settings["input_bits"]
        return SynapticLayer("layer", channels, outputs, kernel, height, width, input_bits=bits)

    def weights(self) -> QuantisedWeights:
        """By the product, from the stored floats."""
        norm = None
        if "gamma" in self.stored:
            norm = BatchNorm(self.shape.out_channels, eps=self.settings["eps"])
            with torch.no_grad():
                for values, name in (
                    (norm.weight, "gamma"),
                    (norm.bias, "beta"),
                    (norm.running_mean, "mean"),
                    (norm.running_var, "var"),
                ):
                    assert isinstance(values, Tensor)
                    values.copy_(torch.from_numpy(self.stored[name]))
        bias = torch.from_numpy(self.stored["conv_bias"]) if "conv_bias" in self.stored else None
        every = slice(0, self.shape.out_channels)
        synapse = Synapse("layer", torch.from_numpy(self.stored["weights"]), bias, norm, every)
        size = (self.shape.height, self.shape.width)
        return quantise(fold(synapse, self.workload(), size=size), self.settings["weight_bits"])

    def workload(self) -> Workload | None:
        """Of a layer that reads normalised images."""
        if self.settings["image_scale"] is None:
            return None
        config, none = WorkloadConfig(name="digits"), Split(np.zeros(0), np.zeros(0))
        mean, std = (tuple(self.stored[name].tolist()) for name in ("image_mean", "image_std"))
        scale = self.settings["image_scale"]
        return Workload(config, none, none, none, 2, 3, 8, scale, True, ("a", "b"), mean, std)

    def layer(self) -> ArrayLayer:
        """Ready to compute, with the stored ranges' samples for its calibration."""
        arrays, chip, weights = self.arrays, Chip(self.conditions), self.weights()
        exact = self._layer(arrays.exact(), [1 << 15] * arrays.slices, weights, chip)
        histogram = read(exact, self.maps("calibration"), histograms=True).histogram
        ranges = layer_multipliers(arrays, chip, histogram, exact.calibration_fine)
        return self._layer(arrays, ranges, weights, chip)

    def _layer(
        self, arrays: LayerArrays, ranges: list[int], weights: QuantisedWeights, chip: Chip
    ) -> ArrayLayer:
        gating = self.settings["gating"]
        return ArrayLayer(self.shape, 0, arrays, weights, ranges, chip, event_gating=gating)

    def maps(self, name: str) -> Tensor:
        """``[T, B, H, W, C]`` stored inputs."""
        return torch.from_numpy(self.stored[name]).float().movedim(2, -1)

    def feed(self, patch: pytest.MonkeyPatch) -> None:
        """Put the stored variation and stuck cells in place of the drawn ones."""
        if "variation_n" in self.stored:
            one = float(1 << cells._NORMAL_BITS)
            drawn = self.stored["variation_n"] * one
            patch.setattr(cells, "_normal", lambda *_: drawn)
        if "stuck" in self.stored:
            # The upper half of a key says whether its cell is stuck: below the share of those on, of both.
            each = round(_STUCK_SHARE * 2**32)
            places = np.array([2**32 - 1, each - 1, 2 * each - 1], dtype=np.uint64) << np.uint64(32)
            keys = places[self.stored["stuck"]]
            patch.setattr(cells, "_place_keys", lambda *_: keys)


@dataclass
class Read:
    """What a layer makes of inputs."""

    outputs: Any = None
    """``[windows, outputs]``"""
    counts: Any = None
    """``[N, 3]``"""
    histogram: Any = None
    """``[slices, sums]``"""


class _Observer:
    def __init__(self, histograms: bool) -> None:
        self.read = Read()
        self._histograms = histograms

    def counts(self, _: ArrayLayer, counts: Tensor) -> None:
        self.read.counts = counts.numpy()

    def inputs(self, layer: ArrayLayer, inputs: Inputs) -> None:
        if self._histograms:
            self.read.histogram = histogram_of_inputs(inputs, layer).numpy()


def read(layer: ArrayLayer, maps: Tensor, *, histograms: bool = False) -> Read:
    """By whichever path ``ASTER_DSE_KERNELS`` chooses."""
    module, observer = ArrayConvolution([layer]), _Observer(histograms)
    module.observer = observer
    observer.read.outputs = module(maps).flatten(0, 3).numpy()
    return observer.read


def load_case(path: Path) -> Case:
    stored = dict(np.load(path))
    return Case(path.stem, json.loads(str(stored["settings"])), stored)
