"""The accelerator: a preset, what a configuration changes of it, and whether the result can exist."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from aster_dse.errors import InputError
from aster_dse.hardware.documents import parse, shipped_names, shipped_text, user_text, validate
from aster_dse.hardware.library import Library, load_library
from aster_dse.space import HARDWARE_KNOBS, HardwareConfig
from aster_dse.space.hardware_knobs import COMPUTE
from aster_dse.space.layers import LayerKnobs, layer_matches, layer_names, layers_text, parse_layers

__all__ = [
    "RULES",
    "Accelerator",
    "Fabric",
    "Rule",
    "check_design",
    "columns_per_weight",
    "is_digital",
    "preset_names",
    "resolve",
]

_FOLDER = "presets"


class Fabric(BaseModel):
    """What a preset says of the digital side beyond the knobs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    membrane_bits: Annotated[int, Field(ge=4, le=64)]
    """Width of LIF state, residual stream and accumulators."""
    router_cycles: Annotated[int, Field(ge=1, le=64)]
    """Cycles from the input to the output of a router."""
    digital_lanes: Annotated[int, Field(ge=8, le=65536)]
    """Bits per cycle and tile of the attention unit and of the max-pool unit."""
    columns_per_slice: Annotated[int, Field(ge=1, le=2)]
    """2 where a positive and a negative column hold a weight's slice, 1 where an offset makes it positive."""
    links_mm2: Annotated[float, Field(ge=0.0)] = 0.0
    """Area of the chip's links to others."""


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
    cell: str
    compute: str
    adc_kind: str
    adc_levels: int
    column_mux: int
    arrays_per_subarray: int
    subarrays_per_tile: int
    tiles: int | None
    area_budget_mm2: float | None
    pipelining: str
    buffer_kib: int
    flit_bits: int
    event_gating: bool
    clock_mhz: float
    layers: tuple[tuple[str, LayerKnobs], ...] = ()
    """Knobs of single layers by pattern; later ones win."""
    notes: tuple[str, ...] = ()
    """What was settled here and not asked for."""

    def knobs(self) -> dict[str, Any]:
        """The knobs with the names of :class:`~aster_dse.space.HardwareConfig`, JSON-able."""
        return {
            "base": self.base,
            "library": self.library.name,
            **{name: getattr(self, name) for name in HARDWARE_KNOBS},
            "layers": layers_text({pattern: knobs.chosen() for pattern, knobs in self.layers}) or None,
        }

    def of_layers(self, layers: Sequence[str]) -> list[Accelerator]:
        """The design as each of some layers sees it."""
        settings = [(pattern, knobs.chosen()) for pattern, knobs in self.layers]
        views: dict[tuple[tuple[str, Any], ...], Accelerator] = {(): self}
        found = []
        for layer in layers:
            chosen: dict[str, Any] = {}
            for pattern, knobs in settings:
                if layer_matches(pattern, layer):
                    chosen |= knobs
            key = tuple(sorted(chosen.items()))
            if key not in views:
                views[key] = replace(self, **chosen)
            found.append(views[key])
        return found


@dataclass(frozen=True)
class Rule:
    """A reason why a design cannot exist. It reads one design or arrays of them alike."""

    knob: str
    broken: Callable[[Any], Any]
    explain: Callable[[Any], tuple[str, str]]
    """Problem and remedy, for one design."""


def columns_per_weight(design: Any) -> Any:
    """One or two columns for each slice of ``cell_bits``; in a digital array a column for each bit."""
    slices = -(-design.weight_bits // design.cell_bits)
    digital = is_digital(design)
    return digital * design.weight_bits + (1 - digital) * _columns_per_slice(design) * slices


def is_digital(design: Any) -> Any:
    """1 where products are summed in adder trees, else 0."""
    if isinstance(design.compute, str):
        return COMPUTE.index(design.compute)
    return design.compute


def _columns_per_slice(design: Any) -> Any:
    return design.fabric.columns_per_slice if isinstance(design, Accelerator) else design.columns_per_slice


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
            f"{d.columns} columns cannot hold one weight: {d.weight_bits} bits in cells of "
            f"{1 if is_digital(d) else d.cell_bits}, "
            + ("as differential pairs, " if _columns_per_slice(d) > 1 and not is_digital(d) else "")
            + f"take {columns_per_weight(d)}",
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


def _preset(name_or_path: str) -> _Preset:
    if name_or_path in preset_names():
        return _shipped_preset(name_or_path)
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(
            "hardware.base",
            f"{name_or_path!r} is no known preset",
            f"one of {', '.join(preset_names())}, or the path of a .yaml file",
        )
    return _build_preset(user_text(path, "hardware.base"), name_or_path)


@lru_cache(maxsize=32)
def _shipped_preset(name: str) -> _Preset:
    return _build_preset(shipped_text(_FOLDER, name), f"{name}.yaml")


@lru_cache(maxsize=32)
def _build_preset(text: str, source: str) -> _Preset:
    preset = validate(_Preset, parse(text, source), source)
    for knob in ("library", *(name for name, knob in HARDWARE_KNOBS.items() if not knob.optional)):
        if getattr(preset.knobs, knob) is None:
            raise InputError(f"{source}: knobs.{knob}", "no value", "a preset gives every knob one")
    return preset


def resolve(config: HardwareConfig) -> Accelerator:
    """The accelerator that a configuration means.

    Raises:
        InputError: naming ``hardware.<knob>``, where base or library is unknown or the design cannot exist.
    """
    preset = _preset(config.base)
    chosen = preset.knobs.model_dump() | config.model_dump(exclude={"base"}, exclude_none=True)
    library = load_library(chosen["library"])
    chosen |= _read_out(config, chosen, library)
    chosen["cell"] = _cell(config, chosen["cell"], library)
    if config.cell_bits is None:
        chosen["cell_bits"] = min(chosen["cell_bits"], library.cells[chosen["cell"]].most_bits)
    design = Accelerator(
        base=config.base,
        library=library,
        fabric=preset.fabric,
        **{name: chosen[name] for name in HARDWARE_KNOBS},
        layers=parse_layers(chosen["layers"] or ""),
        notes=_settled(preset, config, chosen),
    )
    if design.tiles is not None and design.area_budget_mm2 is not None:
        raise InputError(
            "hardware.area_budget_mm2", "an area budget and a number of tiles at once", "give one of them"
        )
    known = library.scaling.nodes(library.supply_v)
    if design.node_nm not in known:
        raise InputError(
            "hardware.node_nm",
            f"{library.name} cannot be scaled to {design.node_nm} nm",
            f"one of {', '.join(map(str, sorted(known)))}",
        )
    check_design(design, "hardware")
    kinds = _kinds_of_layers(design.layers)
    checked: set[int] = set()
    for name, view in zip(kinds, design.of_layers(kinds), strict=True):
        # Layers that are alike are one object.
        if id(view) not in checked:
            checked.add(id(view))
            check_design(view, f"hardware.layers: {name}")
    return design


def _kinds_of_layers(layers: tuple[tuple[str, LayerKnobs], ...]) -> list[str]:
    """Layers that between them match every combination of patterns that any layer can match."""
    if not layers:
        return []
    blocks = {pattern.split(".")[1] for pattern, _ in layers if pattern.startswith("block.")} - {"*"}
    free = next(number for number in range(len(blocks) + 1) if str(number) not in blocks)
    return list(layer_names([*sorted(map(int, blocks)), free]))


def check_design(design: Accelerator, where: str) -> None:
    """Make sure that a design can exist, all of whose layers are alike.

    Args:
        where: what the message calls the group of its knobs.

    Raises:
        InputError: naming the knob that is to blame.
    """
    for rule in RULES:
        if rule.broken(design):
            raise InputError(f"{where}.{rule.knob}", *rule.explain(design))
    cell = design.library.cells[design.cell]
    if design.compute == "analog" and design.cell_bits > cell.most_bits:
        raise InputError(
            f"{where}.cell_bits",
            f"a cell of kind {design.cell} holds {cell.most_bits} bits, not {design.cell_bits}",
            f"at most {cell.most_bits}",
        )
    if design.compute == "analog" and design.adc_kind not in design.library.adc_kinds:
        raise InputError(
            f"{where}.adc_kind",
            f"library {design.library.name} has no figures for {design.adc_kind!r}",
            f"one of {', '.join(design.library.adc_kinds)}",
        )


def _read_out(config: HardwareConfig, chosen: dict[str, Any], library: Library) -> dict[str, Any]:
    """The library's own converter where the preset's is not in it and none is asked for."""
    if config.adc_kind is None and chosen["adc_kind"] not in library.adc_kinds:
        return {"adc_kind": library.adc_kind}
    return {}


def _cell(config: HardwareConfig, name: str, library: Library) -> str:
    if name in library.cells:
        return name
    if config.cell is None:
        return next(iter(library.cells))
    raise InputError(
        "hardware.cell", f"library {library.name} has no cell {name!r}", f"one of {', '.join(library.cells)}"
    )


def _settled(preset: _Preset, config: HardwareConfig, chosen: dict[str, Any]) -> tuple[str, ...]:
    return tuple(
        f"library {chosen['library']} has not the {what} of {preset.name}, {getattr(preset.knobs, name)}: "
        f"{chosen[name]} is taken"
        for name, what in (("adc_kind", "read-out"), ("cell", "cell"), ("cell_bits", "bits per cell"))
        if getattr(config, name) is None and chosen[name] != getattr(preset.knobs, name)
    )
