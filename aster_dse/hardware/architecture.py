"""The accelerator: a preset, what a configuration changes of it, and whether the result can exist."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from aster_dse.errors import InputError
from aster_dse.hardware.documents import parse, shipped_names, shipped_text, validate
from aster_dse.hardware.library import Library, load_library
from aster_dse.space import HardwareConfig

__all__ = ["KNOBS", "RULES", "Accelerator", "Fabric", "Rule", "preset_names", "resolve"]

_FOLDER = "presets"

KNOBS = tuple(name for name in HardwareConfig.model_fields if name not in ("base", "library"))
"""The knobs that are numbers or choices of one design, in the order of the configuration."""


class Fabric(BaseModel):
    """What a preset says of the digital side beyond the knobs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    membrane_bits: Annotated[int, Field(ge=4, le=64)]
    """Width of LIF state, residual stream and accumulators."""
    flit_bits: Annotated[int, Field(ge=8, le=4096)]
    """Bits that a router passes per cycle."""
    router_cycles: Annotated[int, Field(ge=1, le=64)]
    """Cycles from the input to the output of a router."""
    digital_lanes: Annotated[int, Field(ge=8, le=65536)]
    """Bits per cycle and tile of the attention unit and of the max-pool unit."""


@dataclass(frozen=True)
class Accelerator:
    """One design, every knob set (``tiles`` None: as many as the network's weights need)."""

    base: str
    library: Library
    fabric: Fabric
    node_nm: int
    rows: int
    columns: int
    cell_bits: int
    weight_bits: int
    adc_kind: str
    adc_levels: int
    column_mux: int
    arrays_per_subarray: int
    subarrays_per_tile: int
    tiles: int | None
    buffer_kib: int
    event_gating: bool
    clock_mhz: float

    def knobs(self) -> dict[str, Any]:
        """The knobs with the names of :class:`~aster_dse.space.HardwareConfig`, JSON-able."""
        return {
            "base": self.base,
            "library": self.library.name,
            **{name: getattr(self, name) for name in KNOBS},
        }


@dataclass(frozen=True)
class Rule:
    """A reason why a design cannot exist. It reads one design or arrays of them alike."""

    knob: str
    broken: Callable[[Any], Any]
    explain: Callable[[Any], tuple[str, str]]
    """Problem and remedy, for one design."""


def columns_per_weight(design: Any) -> Any:
    """A positive and a negative column for each slice of ``cell_bits``."""
    return 2 * (-(-design.weight_bits // design.cell_bits))


def _arrays_per_tile(design: Any) -> Any:
    return design.arrays_per_subarray * design.subarrays_per_tile


RULES = (
    Rule(
        "column_mux",
        lambda d: d.column_mux > d.columns,
        lambda d: (
            f"{d.column_mux} columns per converter, but the array has {d.columns} columns",
            f"at most {d.columns}",
        ),
    ),
    Rule(
        "column_mux",
        lambda d: d.columns % d.column_mux != 0,
        lambda d: (
            f"{d.column_mux} does not divide the array's {d.columns} columns",
            "one of " + ", ".join(str(m) for m in range(1, min(d.columns, 128) + 1) if d.columns % m == 0),
        ),
    ),
    Rule(
        "columns",
        lambda d: columns_per_weight(d) > d.columns,
        lambda d: (
            f"{d.columns} columns cannot hold one weight: {d.weight_bits} bits in cells of {d.cell_bits}, "
            f"as differential pairs, take {columns_per_weight(d)}",
            "raise columns or cell_bits, or lower weight_bits",
        ),
    ),
    Rule(
        "buffer_kib",
        lambda d: d.buffer_kib * 8192 < d.rows * _arrays_per_tile(d),
        lambda d: (
            f"{d.buffer_kib} KiB cannot hold one row vector of {d.rows} bits for each of the tile's "
            f"{_arrays_per_tile(d)} arrays",
            f"at least {-(-d.rows * _arrays_per_tile(d) // 8192)}",
        ),
    ),
    Rule(
        "buffer_kib",
        lambda d: d.buffer_kib * 8192 < d.columns * d.cell_bits,
        lambda d: (
            f"{d.buffer_kib} KiB cannot hold the cells of one row: {d.columns} of {d.cell_bits} bits",
            f"at least {-(-d.columns * d.cell_bits // 8192)}",
        ),
    ),
)


class _Knobs(HardwareConfig):
    """The knobs as a preset gives them: without a base of its own."""

    base: str = ""


class _Preset(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    knobs: _Knobs
    fabric: Fabric


def preset_names() -> tuple[str, ...]:
    """Names that ``hardware.base`` can take."""
    return shipped_names(_FOLDER)


@lru_cache(maxsize=32)
def _preset(name: str) -> _Preset:
    if name not in preset_names():
        raise InputError(
            "hardware.base", f"{name!r} is no known preset", f"one of {', '.join(preset_names())}"
        )
    preset = validate(_Preset, parse(shipped_text(_FOLDER, name), f"{name}.yaml"), f"{name}.yaml")
    for knob in ("library", *KNOBS):
        if knob != "tiles" and getattr(preset.knobs, knob) is None:
            raise InputError(f"{name}.yaml: knobs.{knob}", "a preset gives every knob a value")
    return preset


def resolve(config: HardwareConfig) -> Accelerator:
    """The accelerator that a configuration means.

    Raises:
        InputError: naming ``hardware.<knob>``, where base or library is unknown or the design cannot exist.
    """
    preset = _preset(config.base)
    chosen = preset.knobs.model_dump() | config.model_dump(exclude={"base"}, exclude_none=True)
    library = load_library(chosen["library"])
    design = Accelerator(
        base=config.base, library=library, fabric=preset.fabric, **{name: chosen[name] for name in KNOBS}
    )
    for rule in RULES:
        if rule.broken(design):
            raise InputError(f"hardware.{rule.knob}", *rule.explain(design))
    known = library.scaling.nodes(library.supply_v)
    if design.node_nm not in known:
        raise InputError(
            "hardware.node_nm",
            f"{library.name} cannot be scaled to {design.node_nm} nm",
            f"one of {', '.join(map(str, sorted(known)))}",
        )
    return design
