"""Single layers on our arrays beside the same by other simulators: part of ``aster-dse hardware validate``.

Apart from :mod:`aster_dse.hardware.validation`, since it computes networks' layers and so loads torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from aster_dse.hardware.baselines.analog_linear import analog_linear_outputs, analog_linear_version
from aster_dse.hardware.baselines.stored_layers import StoredLayer, stored_layers
from aster_dse.hardware.validation import Agreement
from aster_dse.network.geometry import SynapticLayer
from aster_dse.numerics.arrays import LayerArrays
from aster_dse.numerics.cells import Chip
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.network import ArrayConvolution
from aster_dse.numerics.weights import QuantisedWeights
from aster_dse.space.cell_conditions import CellConditions

__all__ = ["NotComputed", "layer_outputs_here", "layer_validation"]

TOLERANCE = 1e-4
"""Of an output: float32 rounding apart, all must be equal."""


@dataclass(frozen=True)
class NotComputed:
    """Figures for which something is missing here."""

    what: str
    source: str
    reason: str


def layer_validation() -> tuple[Agreement | NotComputed, ...]:
    """How many outputs of each layer are equal, of as many as there are."""
    layers = stored_layers()
    ours = [layer_outputs_here(layer) for layer in layers]
    return (*_crosssim(layers, ours), *_analog_linear(layers, ours))


def _crosssim(
    layers: tuple[StoredLayer, ...], ours: list[NDArray[np.float32]]
) -> Iterator[Agreement | NotComputed]:
    source = (
        "CrossSim 3.2.0, bit-sliced, pairs and offsets subtracted digitally, a range for each slice; stored"
    )
    for layer, found in zip(layers, ours, strict=True):
        yield _agreement(layer, layer.outputs, found, source)


def _analog_linear(
    layers: tuple[StoredLayer, ...], ours: list[NDArray[np.float32]]
) -> Iterator[Agreement | NotComputed]:
    version = analog_linear_version()
    source = "aihwkit-lightning, an AnalogLinear per tile, slice and side"
    if version is None:
        reason = "not installed: pip install 'aihwkit-lightning==2.1.*'"
        yield NotComputed(f"{len(layers)} layers", source, reason)
        return
    for layer, found in zip(layers, ours, strict=True):
        theirs = analog_linear_outputs(layer)
        yield _agreement(layer, theirs, found, source.replace(",", f" {version}, run here,", 1))


def _agreement(
    layer: StoredLayer, theirs: NDArray[np.float32], ours: NDArray[np.float32], source: str
) -> Agreement:
    equal = int((np.abs(theirs - ours) <= TOLERANCE).sum())
    what = f"layer, {layer.name}: outputs equal to {TOLERANCE:g}"
    return Agreement(what, "", theirs.size, equal, 0.0, source)


@torch.no_grad()
def layer_outputs_here(layer: StoredLayer) -> NDArray[np.float32]:
    """``[windows, outputs]`` by our arrays."""
    _, height, width, channels = layer.inputs.shape
    arrays = LayerArrays(
        rows=layer.rows,
        cell_bits=layer.cell_bits,
        weight_bits=layer.weight_bits,
        adc_levels=layer.levels,
        column_kind=layer.column,
    )
    ready = ArrayLayer(
        layer=SynapticLayer(
            "layer", channels, len(layer.q), layer.kernel, height, width, input_bits=layer.input_bits
        ),
        number=0,
        arrays=arrays,
        weights=QuantisedWeights(layer.q.astype(np.int32), layer.step, layer.bias),
        multipliers=layer.multipliers,
        chip=Chip(CellConditions()),
    )
    outputs = ArrayConvolution([ready])(torch.from_numpy(layer.inputs).float()[None])
    return np.asarray(outputs.flatten(0, 3).numpy())
