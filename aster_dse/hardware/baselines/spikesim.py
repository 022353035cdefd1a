"""SpikeSim's published estimate of energy and latency, exactly as its code computes it.

Source: Moitra et al., "SpikeSim: An End-to-End Compute-in-Memory Hardware Evaluation Tool for Benchmarking
Spiking Neural Networks", TCAD 2023, and its hardware evaluation script: constants at 65 nm, eight columns to
a converter. Known faults, kept here: no firing rate, no converter bits; constants are not rescaled with the
crossbar; converter and multiplexer are counted n^2 times; the latency counts the time steps twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from aster_dse.network.geometry import NetworkGeometry

__all__ = ["SPIKESIM_VGG9", "SpikeSimEstimate", "SpikeSimLayer", "spikesim", "spikesim_layers"]

_SHARED_PJ = 157.12 + 4.64 + 5.096 + 397.0
"""Of a processing element and use: input buffer, accumulators and the like."""
_CROSSBAR_PJ = 1.76423
"""Per row of a kernel and column group."""
_CONVERTER_PJ, _MULTIPLEXER_PJ = 2.03084, 0.094245
_SWITCH_PJ, _SHIFT_PJ = 1.15e-6, 0.2
_COLUMNS_PER_CONVERTER = 8
_ELEMENTS_PER_TILE = 8
_CYCLES = 26
"""Clock cycles of one output value."""


@dataclass(frozen=True)
class SpikeSimLayer:
    """A convolution; a linear layer has kernel and output size 1."""

    in_channels: int
    out_channels: int
    kernel: int
    out_size: int
    """Height and width of the output, after pooling."""


@dataclass(frozen=True)
class SpikeSimEstimate:
    """Of one inference."""

    elements: int
    """Processing elements: one crossbar each."""
    tiles: int
    energy_pj_by_layer: tuple[float, ...]
    latency_ns: float

    @property
    def energy_uj(self) -> float:
        """Of all layers."""
        return sum(self.energy_pj_by_layer) * 1e-6


SPIKESIM_VGG9 = tuple(
    SpikeSimLayer(*shape)
    for shape in (
        (3, 64, 3, 32), (64, 64, 3, 16), (64, 128, 3, 16), (128, 128, 3, 8), (128, 256, 3, 8),
        (256, 256, 3, 8), (256, 256, 3, 4),
    )
)  # fmt: skip
"""The convolutions of the VGG9 on CIFAR-10 that SpikeSim's repository ships as its example."""


def spikesim(
    layers: Sequence[SpikeSimLayer], *, timesteps: int, crossbar: int = 64, clock_mhz: float = 250.0
) -> SpikeSimEstimate:
    """Energy and latency of convolutions by SpikeSim's formula.

    Raises:
        ValueError: no layer, or a crossbar of fewer columns than share a converter.
    """
    if not layers or crossbar < _COLUMNS_PER_CONVERTER:
        raise ValueError(
            f"SpikeSim needs a layer and a crossbar of at least {_COLUMNS_PER_CONVERTER} columns"
        )
    groups = crossbar / _COLUMNS_PER_CONVERTER
    elements = [
        math.ceil(layer.in_channels / crossbar) * math.ceil(layer.out_channels / crossbar) for layer in layers
    ]

    def element_pj(kernel: int) -> float:
        column = kernel**2 * _CROSSBAR_PJ + groups * (_CONVERTER_PJ + _MULTIPLEXER_PJ)
        return _SHARED_PJ + groups * (column + 16 * _SWITCH_PJ + _SHIFT_PJ)

    values = [layer.out_size**2 * layer.out_channels for layer in layers]
    waiting = 0.75 * sum(values[:-1]) + values[-1]
    return SpikeSimEstimate(
        elements=sum(elements),
        tiles=math.ceil(sum(elements) / _ELEMENTS_PER_TILE),
        energy_pj_by_layer=tuple(
            timesteps * count * layer.out_size**2 * element_pj(layer.kernel)
            for count, layer in zip(elements, layers, strict=True)
        ),
        latency_ns=waiting * timesteps * _CYCLES * 1e3 / clock_mhz,
    )


def spikesim_layers(geometry: NetworkGeometry) -> tuple[SpikeSimLayer, ...]:
    """The layers with weights of a network, as SpikeSim would be told of them."""
    return tuple(
        SpikeSimLayer(layer.in_channels, layer.out_channels, layer.kernel_size, math.isqrt(layer.windows))
        for layer in geometry.synaptic
    )
