"""What the arrays of a layer do to it: the part of an accelerator that changes results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from aster_dse.network.geometry import NetworkGeometry
from aster_dse.space.hardware_knobs import AdcRange, AdcRangePer, ColumnKind, Compute

__all__ = ["EXACT", "NUMERICS_VERSION", "LayerArrays", "NetworkArrays", "RangeRule"]

NUMERICS_VERSION = 1
"""Part of every key; raise it when the same arrays would give other results."""

RangeRule = AdcRange | Literal["exact"]
"""How the range that a converter's levels span is chosen, see :mod:`aster_dse.numerics.ranges`."""
EXACT = "exact"
"""Column sums as they are, without a converter: calibration, and comparison with the plain network."""
_NOT_CALIBRATED = ("worst", "unit", EXACT)


@dataclass(frozen=True)
class LayerArrays:
    """The arrays of one layer."""

    compute: Compute = "analog"
    """Digital arrays are exact; only their weights are quantised."""
    rows: int = 128
    """N, rows of an array; a layer's fan-in is cut into tiles of so many."""
    cell_bits: int = 2
    weight_bits: int = 8
    adc_levels: int = 32
    """L, codes of a converter, 0 and full scale included."""
    adc_range: RangeRule = "mse"
    adc_range_per: AdcRangePer = "slice"
    column_kind: ColumnKind = "pair"
    """A positive and a negative column for each slice, or one whose weights an offset makes positive."""

    def __post_init__(self) -> None:
        if self.weight_bits < 2:
            raise ValueError("a symmetric weight has at least 2 bits")
        if self.rows < 1 or self.rows & (self.rows - 1):
            raise ValueError("rows must be a power of two")

    @property
    def slices(self) -> int:
        """Parts that a weight is cut into; a digital array sums whole weights."""
        return 1 if self.compute == "digital" else -(-self.weight_bits // self.cell_bits)

    @property
    def full_cell(self) -> int:
        """Level of a cell that is fully on."""
        return (1 << self.cell_bits) - 1

    @property
    def offset(self) -> int:
        """What is added to every quantised weight, so that one column can hold it."""
        return 1 << (self.weight_bits - 1) if self.column_kind == "offset" and self.compute == "analog" else 0

    @property
    def calibrated(self) -> bool:
        """Whether its ranges are taken from samples."""
        return self.compute == "analog" and self.adc_range not in _NOT_CALIBRATED

    @property
    def rounds_down(self) -> bool:
        """Whether a code is the last one that the sum reaches, in place of the nearest."""
        return self.compute == "analog" and self.adc_range == "neurosim"

    @property
    def text(self) -> str:
        """In a few words."""
        if self.compute == "digital":
            return f"digital, {self.weight_bits}-bit weights"
        return (
            f"{self.rows} rows, {self.weight_bits}-bit weights in {self.cell_bits}-bit cells "
            f"({self.column_kind}), "
            f"{self.adc_levels} levels over {self.adc_range} per {self.adc_range_per}"
        )

    def exact(self) -> LayerArrays:
        """The same cells, read without a converter: what a calibration runs on."""
        return replace(self.canonical(), adc_levels=0, adc_range="exact", adc_range_per="slice")

    def canonical(self) -> LayerArrays:
        """Equal for arrays that do the same: what has no effect is at one value."""
        if self.compute == "digital":
            return LayerArrays(
                "digital",
                rows=self.rows,
                weight_bits=self.weight_bits,
                cell_bits=1,
                adc_levels=0,
                adc_range="exact",
            )
        return self if self.calibrated else replace(self, adc_range_per="slice")


@dataclass(frozen=True)
class NetworkArrays:
    """The arrays of a whole network: a numerics class."""

    layers: tuple[LayerArrays, ...]
    """In the order of ``geometry.synaptic``."""
    calibration_set: int = 0
    """Which training samples ranges are taken from: ``calibration.sample_index``."""

    @classmethod
    def uniform(cls, layers: int, arrays: LayerArrays, calibration_set: int = 0) -> NetworkArrays:
        """All layers alike."""
        return cls((arrays,) * layers, calibration_set)

    @property
    def calibrated(self) -> bool:
        """Whether some range is taken from samples."""
        return any(layer.calibrated for layer in self.layers)

    def canonical(self) -> NetworkArrays:
        """Equal for classes that do the same."""
        return NetworkArrays(
            tuple(layer.canonical() for layer in self.layers), self.calibration_set if self.calibrated else 0
        )

    def exact(self) -> NetworkArrays:
        """What its ranges are calibrated on."""
        return NetworkArrays(tuple(layer.exact() for layer in self.layers), self.calibration_set)

    def exact_of_any_height(self) -> NetworkArrays:
        """Equal for classes whose layers read the same where read-out is exact: rows cut whole numbers, which
        makes no difference, and bits of the cells decide what is rounded when slices are put together."""
        exact = self.exact()
        return replace(exact, layers=tuple(replace(layer, rows=1) for layer in exact.layers))

    def key(self, network: str) -> str:
        """Content address of a pass.

        Args:
            network: address of the trained network, its data included.

        Returns:
            20 hexadecimal digits of a SHA-256 over what the arrays do, layer by layer.
        """
        return _digest({"network": network, "arrays": _parts(self.canonical().layers), "set": self._set()})

    def calibration_key(self, network: str) -> str:
        """Content address of the histograms that the ranges come from."""
        return _digest(
            {"network": network, "exact": _parts(self.exact().layers), "set": self.calibration_set}
        )

    def text(self, geometry: NetworkGeometry) -> str:
        """What messages call the class: what all layers do, and where some differ."""
        common = max(self.layers, key=self.layers.count)
        parts = [common.text]
        parts += [
            f"{layer.name}: {own.text}"
            for layer, own in zip(geometry.synaptic, self.layers, strict=True)
            if own != common
        ]
        return "; ".join(parts) + f"; calibration set {self.calibration_set}"

    def _set(self) -> int:
        return self.canonical().calibration_set


def _parts(layers: Sequence[LayerArrays]) -> list[dict[str, object]]:
    return [asdict(layer) for layer in layers]


def _digest(content: dict[str, object]) -> str:
    text = json.dumps({"version": NUMERICS_VERSION, **content}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:20]
