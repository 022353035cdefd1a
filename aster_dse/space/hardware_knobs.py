"""The knobs of an accelerator, each described once.

The types of their values are named here too: the configuration of a chip and the knobs of single layers are
models of these types. The accelerator's columns in a table of designs and what the fast totals share are
derived from :data:`HARDWARE_KNOBS`; tests hold the models to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

__all__ = [
    "ADC_KINDS",
    "ADC_RANGES",
    "ADC_RANGE_PER",
    "ARRAYS",
    "COLUMN_KINDS",
    "COMPUTE",
    "HARDWARE_KNOBS",
    "LAYER_KNOB_NAMES",
    "PIPELINING",
    "ROW_SIZES",
    "AdcKind",
    "AdcLevels",
    "AdcRange",
    "AdcRangePer",
    "Arrays",
    "CellBits",
    "Chips",
    "ColumnKind",
    "ColumnMux",
    "Columns",
    "Compute",
    "CostClass",
    "HardwareKnob",
    "NodeNm",
    "Pipelining",
    "Rows",
    "ValidationSamples",
    "WeightBits",
]

NodeNm = Literal[65, 45, 32, 28, 22]
Rows = Literal[16, 32, 64, 128, 256, 512, 1024]
Columns = Annotated[int, Field(ge=8, le=1024, multiple_of=8)]
CellBits = Annotated[int, Field(ge=1, le=8)]
WeightBits = Annotated[int, Field(ge=1, le=16)]
Compute = Literal["analog", "digital"]
AdcKind = Literal["flash", "sar", "murmann", "table", "capacitive"]
AdcLevels = Literal[2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
AdcRange = Literal["worst", "max", "p99.9", "p99", "unit", "mse", "mse2", "neurosim"]
AdcRangePer = Literal["slice", "layer"]
ColumnKind = Literal["pair", "offset"]
ColumnMux = Annotated[int, Field(ge=1, le=128)]
Pipelining = Literal["none", "layers", "steps"]
Arrays = Literal["ideal", "real"]
Chips = Annotated[int, Field(ge=1, le=64)]
ValidationSamples = Annotated[int, Field(ge=16, le=1_000_000)]

ROW_SIZES: tuple[int, ...] = get_args(Rows)
"""Array heights (rows) for which an activity trace counts the accesses that event gating leaves."""
COMPUTE: tuple[str, ...] = get_args(Compute)
ADC_KINDS: tuple[str, ...] = get_args(AdcKind)
ADC_RANGES: tuple[str, ...] = get_args(AdcRange)
ADC_RANGE_PER: tuple[str, ...] = get_args(AdcRangePer)
COLUMN_KINDS: tuple[str, ...] = get_args(ColumnKind)
PIPELINING: tuple[str, ...] = get_args(Pipelining)
ARRAYS: tuple[str, ...] = get_args(Arrays)


class CostClass(Enum):
    """What depends on a column of a design table, as the fast totals divide the cost model."""

    STRUCTURE = "structure"
    """Arrays, buffers, network: counts of events and coefficients that designs share."""
    CONVERTER = "converter"
    """The read-out of a column alone."""
    STRUCTURE_AND_CONVERTER = "structure and converter"
    MULTIPLEXER = "multiplexer"
    """The read-out (what the columns of a converter share), and the totals by its own formula."""
    APART = "apart"
    """Makes layers depend on each other: such designs are scored by themselves."""
    NONE = "none"
    """Costs nothing."""


@dataclass(frozen=True)
class HardwareKnob:
    """A knob of an accelerator."""

    name: str
    cost: CostClass
    kind: Literal["integer", "number", "boolean", "choice"] = "integer"
    """How a table of designs holds it: a choice as its index in ``choices``."""
    unit: str = "1"
    choices: tuple[str, ...] = ()
    """Values of a choice."""
    per_layer: bool = False
    """Whether a single layer may differ from the chip."""
    optional: bool = False
    """None is a value, which a table of designs holds as 0."""
    column: bool = True
    """Whether it is a column of its own; node and cell share the column ``technology``."""
    numerics: bool = False
    """Changes what real arrays compute, so that accuracy may depend on it. (Cell and node do so only by the
    conditions that the library has for a cell, which ``conditions`` then stands for.)"""
    fixed_only: bool = False
    """Says how a study judges its configurations, so a space gives it one value."""
    later: bool = False
    """Came after the first studies: a space's hash leaves it out where it is at its default."""
    preset_default: str | None = None
    """What a preset that says nothing of it means; None where it must say something."""

    def number(self, value: Any) -> Any:
        """What stands for a value in a table of designs."""
        if self.kind == "choice":
            return self.choices.index(value)
        return 0 if value is None else value


_S, _C, _SC = CostClass.STRUCTURE, CostClass.CONVERTER, CostClass.STRUCTURE_AND_CONVERTER

HARDWARE_KNOBS: dict[str, HardwareKnob] = {
    knob.name: knob
    for knob in (
        HardwareKnob("node_nm", _SC, unit="nm", column=False),
        HardwareKnob("rows", _SC, per_layer=True, numerics=True),
        HardwareKnob("columns", _S, per_layer=True),
        HardwareKnob("cell_bits", _SC, unit="bit", per_layer=True, numerics=True),
        HardwareKnob("weight_bits", _SC, unit="bit", per_layer=True, numerics=True),
        HardwareKnob("cell", _SC, "choice", column=False),
        HardwareKnob("compute", _SC, "choice", choices=COMPUTE, per_layer=True, numerics=True),
        HardwareKnob("adc_kind", _C, "choice", choices=ADC_KINDS, per_layer=True),
        HardwareKnob("adc_levels", _C, per_layer=True, numerics=True),
        HardwareKnob(
            "adc_range",
            _C,
            "choice",
            choices=ADC_RANGES,
            per_layer=True,
            numerics=True,
            later=True,
            preset_default="mse2",
        ),
        HardwareKnob(
            "adc_range_per",
            _C,
            "choice",
            choices=ADC_RANGE_PER,
            per_layer=True,
            numerics=True,
            later=True,
            preset_default="slice",
        ),
        HardwareKnob(
            "column_kind", _SC, "choice", choices=COLUMN_KINDS, per_layer=True, numerics=True, later=True
        ),
        HardwareKnob("column_mux", CostClass.MULTIPLEXER, per_layer=True),
        HardwareKnob("arrays_per_subarray", _S),
        HardwareKnob("subarrays_per_tile", _S),
        HardwareKnob("tiles", _S, optional=True),
        HardwareKnob("area_budget_mm2", CostClass.APART, "number", unit="mm2", optional=True),
        HardwareKnob("pipelining", CostClass.APART, "choice", choices=PIPELINING),
        HardwareKnob("buffer_kib", _S, unit="KiB"),
        HardwareKnob("flit_bits", _S, unit="bit"),
        HardwareKnob("event_gating", _S, "boolean", numerics=True),
        HardwareKnob("clock_mhz", _C, "number", unit="MHz"),
        HardwareKnob(
            "arrays",
            CostClass.NONE,
            "choice",
            choices=ARRAYS,
            numerics=True,
            fixed_only=True,
            later=True,
            preset_default="ideal",
        ),
        HardwareKnob(
            "conditions",
            CostClass.NONE,
            "choice",
            column=False,
            optional=True,
            numerics=True,
            fixed_only=True,
            later=True,
        ),
        HardwareKnob(
            "chips",
            CostClass.NONE,
            column=False,
            optional=True,
            numerics=True,
            fixed_only=True,
            later=True,
        ),
        HardwareKnob(
            "validation_samples",
            CostClass.NONE,
            column=False,
            optional=True,
            numerics=True,
            fixed_only=True,
            later=True,
        ),
    )
}
"""All but those that name files (``base``, ``library``) and the text of ``layers``, by name, in the order of
the configuration."""

LAYER_KNOB_NAMES = tuple(name for name, knob in HARDWARE_KNOBS.items() if knob.per_layer)
"""Knobs that may differ from layer to layer."""
