"""The accelerator: a preset, what a configuration changes of it, and whether the result can exist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from aster_dse.errors import InputError
from aster_dse.hardware.library import Library, load_library
from aster_dse.hardware.preset_files import Fabric, Preset, load_preset
from aster_dse.hardware.rules import RULES, BrokenRuleError, cycle_gates
from aster_dse.space import HARDWARE_KNOBS, HardwareConfig
from aster_dse.space.cell_conditions import CELL, CellConditions, canonical_conditions, parse_conditions
from aster_dse.space.layers import LayerKnobs, layer_matches, layer_names, layers_text, parse_layers

__all__ = [
    "Accelerator",
    "check_design",
    "resolve",
]


_READ_OUT = ("compute", "adc_levels", "adc_range", "column_kind")
"""What a preset's notes on accuracy are about."""
CHIPS_UNDER_CONDITIONS = 8
"""Chips that are drawn where the cells have conditions and no number is given."""


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
    adc_range: str
    adc_range_per: str
    column_kind: str
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
    arrays: str
    """``real`` where accuracy is that of the network as the arrays compute it."""
    conditions: CellConditions
    """Of the cells in the arrays; ideal where none are asked for."""
    chips: int
    """Chips whose cells are drawn."""
    validation_samples: int | None
    """On which real arrays are judged; None for all."""
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
            "conditions": canonical_conditions(self.conditions.text),
            "layers": layers_text({pattern: knobs.chosen() for pattern, knobs in self.layers}) or None,
        }

    @property
    def max_clock_mhz(self) -> float:
        """The fastest clock in whose cycle a neuron can see whether it fires."""
        gate_ns = self.library.value(self.library.gate_delay, self.node_nm)
        return float(1e3 / (cycle_gates(self.fabric.membrane_bits) * gate_ns))

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


def resolve(config: HardwareConfig) -> Accelerator:
    """The accelerator that a configuration means.

    Raises:
        InputError: naming ``hardware.<knob>``, where base or library is unknown or the design cannot exist.
    """
    preset = load_preset(config.base)
    chosen: dict[str, Any] = preset.knobs.model_dump() | config.model_dump(
        exclude={"base"}, exclude_none=True
    )
    library = load_library(chosen["library"])
    chosen |= _read_out(config, chosen, library)
    chosen["cell"] = _cell(config, chosen["cell"], library)
    if config.cell_bits is None:
        chosen["cell_bits"] = min(chosen["cell_bits"], library.cells[chosen["cell"]].most_bits)
    conditions = _conditions(config, library, chosen["cell"])
    chosen["conditions"] = conditions
    chosen["chips"] = config.chips or (1 if conditions.ideal else CHIPS_UNDER_CONDITIONS)
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
            raise BrokenRuleError(f"{where}.{rule.knob}", *rule.explain(design), rule.reads)
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


def _conditions(config: HardwareConfig, library: Library, cell: str) -> CellConditions:
    """Of the cells; those that the library has for them where the configuration says so."""
    if config.conditions is None:
        return CellConditions()
    if config.conditions != CELL:
        return parse_conditions(config.conditions)
    published = library.cells[cell].conditions
    if published is None:
        known = [name for name, entry in library.cells.items() if entry.conditions is not None]
        raise InputError(
            "hardware.conditions",
            f"library {library.name} has no conditions of cell {cell!r}",
            f"write figures, as in variation=0.1, or take cell {' or '.join(known)}"
            if known
            else "write figures, as in variation=0.1",
        )
    return parse_conditions(published)


def _settled(preset: Preset, config: HardwareConfig, chosen: dict[str, Any]) -> tuple[str, ...]:
    notes = tuple(
        f"library {chosen['library']} has not the {what} of {preset.name}, {getattr(preset.knobs, name)}: "
        f"{chosen[name]} is taken"
        for name, what in (("adc_kind", "read-out"), ("cell", "cell"), ("cell_bits", "bits per cell"))
        if getattr(config, name) is None and chosen[name] != getattr(preset.knobs, name)
    )
    if all(chosen[name] == getattr(preset.knobs, name) for name in _READ_OUT):
        notes += preset.notes
    if config.arrays == "ideal" and not chosen["conditions"].ideal:
        notes += ("hardware.conditions change nothing while hardware.arrays is ideal",)
    if config.arrays == "real" and chosen["conditions"].ideal and chosen["compute"] == "analog":
        notes += _spare_levels(chosen["rows"], chosen["cell_bits"], chosen["adc_levels"])
    return notes


def _spare_levels(rows: int, cell_bits: int, levels: int) -> tuple[str, ...]:
    """A note where a converter has more levels than a column has sums."""
    most = rows * ((1 << cell_bits) - 1)
    if levels <= most + 1:
        return ()
    return (
        f"hardware.adc_levels: columns of {rows} rows of {cell_bits}-bit cells sum to {most} at most, so "
        f"{most + 1} of the {levels} levels are used",
    )
