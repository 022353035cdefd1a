"""Component libraries: what one action of each component costs, at which node and by whose word."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from functools import cached_property, lru_cache
from typing import Annotated, Any

from pydantic import Field, model_validator

from aster_dse.errors import InputError
from aster_dse.hardware.components import (
    AdcKind,
    CapacitiveCoefficients,
    Cell,
    Dram,
    Entry,
    FlashCoefficients,
    Leakage,
    NodeScaling,
    Positive,
    Quantity,
    SarCoefficients,
    Sram,
    TableCoefficients,
)
from aster_dse.hardware.documents import (
    parse,
    shipped_names,
    shipped_table,
    shipped_text,
    user_text,
    validate,
)
from aster_dse.space.document import in_lines
from aster_dse.space.file_knobs import is_user_file

__all__ = ["Library", "library_names", "load_library"]

_FOLDER = "libraries"
_UNITS = {"energy": "pJ", "area": "um2", "delay": "ns"}


class Library(Entry):
    """Every figure that the cost model uses, with its source."""

    name: str
    title: str
    scaling: NodeScaling
    supply_v: Positive
    cells: Annotated[dict[Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")], Cell], Field(min_length=1)]
    """Of analog arrays, by name; the first is the default."""
    digital_cell: Cell
    """Of digital arrays."""
    adc_kind: AdcKind
    """The read-out taken where an accelerator's own is not in the library and none is asked for."""
    row_drive_energy: Quantity
    row_driver_area: Quantity
    column_energy: Quantity
    cell_read_energy: Quantity
    adder_energy: Quantity
    adder_area: Quantity
    shift_add_energy: Quantity | None = None
    """Of 16 bits; None composes it of an adder as wide as a converted value and a shift register."""
    shift_add_area: Quantity
    multiplier_energy: Quantity | None = None
    """Of a multiplication, whose size is the products of single bits in it; None takes a full adder and a
    gate for each of them."""
    multiplier_area: Quantity | None = None
    row_count_energy: Quantity | None = None
    """Of counting the driven rows in an access of an array; None composes it of adders and registers."""
    row_count_area: Quantity | None = None
    """Of what counts them, per array."""
    register_energy: Quantity
    register_area: Quantity
    comparator_energy: Quantity
    comparator_area: Quantity
    gate_energy: Quantity
    gate_area: Quantity
    router_energy: Quantity
    router_area: Quantity
    bus_energy: Quantity
    bus_area: Quantity
    clock_energy: Quantity
    gate_delay: Quantity
    leakage: Leakage
    sram: Sram
    dram: Dram
    flash: FlashCoefficients | None = None
    sar: SarCoefficients | None = None
    table: TableCoefficients | None = None
    capacitive: CapacitiveCoefficients | None = None
    survey: bool = False
    """Whether the regression over published converters goes with these arrays."""

    @property
    def adc_kinds(self) -> tuple[str, ...]:
        """The read-outs that the library has figures for."""
        own = [name for name in ("flash", "sar", "table", "capacitive") if getattr(self, name) is not None]
        return (*own, "murmann") if self.survey else tuple(own)

    @cached_property
    def digest(self) -> str:
        """20 hexadecimal digits over every figure: which library it was, whatever its name."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:20]

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Library({self.name!r}, {self.digest})"

    @model_validator(mode="after")
    def _consistent(self) -> Library:
        if self.supply_v not in self.scaling.energy:
            known = ", ".join(str(v) for v in self.scaling.energy)
            raise ValueError(f"supply_v {self.supply_v} is not in {self.scaling.name} (one of {known})")
        known_nodes = self.scaling.nodes(self.supply_v)
        for name, nodes in self._nodes():
            if strange := set(nodes) - known_nodes:
                raise ValueError(f"{name}: {self.scaling.name} has no factor for {min(strange)} nm")
        if self.adc_kind not in self.adc_kinds:
            raise ValueError(f"adc_kind: there are no figures for {self.adc_kind!r}")
        for name in self._given():
            unit = _UNITS[name.rpartition("_")[2]]
            if getattr(self, name).unit != unit:
                raise ValueError(f"{name}: unit must be {unit}")
        return self

    @classmethod
    def _quantities(cls) -> list[str]:
        return [field for field in cls.model_fields if field.rpartition("_")[2] in _UNITS]

    def _given(self) -> list[str]:
        return [name for name in self._quantities() if getattr(self, name) is not None]

    def _nodes(self) -> list[tuple[str, list[int]]]:
        found = [(name, list(getattr(self, name).at_nm)) for name in self._given()]
        for name in Sram.TABLES:
            found.append((f"sram.{name}", list(getattr(self.sram, name))))
        found.append(("leakage", list(self.leakage.uw_per_mm2)))
        found += [(f"cells.{name}.sensed_pj", list(cell.sensed_pj)) for name, cell in self.cells.items()]
        if self.flash is not None:
            found += [("flash.alpha_uw", list(self.flash.alpha_uw)), ("flash.area", [self.flash.area.at_nm])]
        if self.sar is not None:
            found += [("sar.a_uw", list(self.sar.a_uw)), ("sar.area_um2", [self.sar.area_um2.at_nm])]
        if self.table is not None:
            found.append(("table", [self.table.at_nm]))
        if self.capacitive is not None:
            found += [
                ("capacitive", [self.capacitive.at_nm]),
                ("capacitive.area", [self.capacitive.area.at_nm]),
            ]
        return found

    def nearest_node(self, nodes: Iterable[int], node_nm: int) -> int:
        """The node of a table that is nearest by ratio; the larger one where two are equally near."""
        return min(nodes, key=lambda n: (abs(math.log(n / node_nm)), -n))

    def energy_factor(self, from_nm: int, to_nm: int) -> float:
        table = self.scaling.energy[self.supply_v]
        return table[to_nm] / table[from_nm]

    def area_factor(self, from_nm: int, to_nm: int) -> float:
        return self.scaling.area[to_nm] / self.scaling.area[from_nm]

    def delay_factor(self, from_nm: int, to_nm: int) -> float:
        return self.scaling.delay[to_nm] / self.scaling.delay[from_nm]

    def value(self, quantity: Quantity, node_nm: int) -> float:
        """The figure for one unit of size at a node: as given, else scaled from the nearest node given."""
        nearest = self.nearest_node(quantity.at_nm, node_nm)
        value = quantity.at_nm[nearest] - quantity.fixed_at_nm.get(nearest, 0.0)
        return value * self._factor(quantity, nearest, node_nm) * quantity.per_size

    def fixed(self, quantity: Quantity, node_nm: int) -> float:
        """What does not go with the size, at a node."""
        nearest = self.nearest_node(quantity.at_nm, node_nm)
        return quantity.fixed_at_nm.get(nearest, 0.0) * self._factor(quantity, nearest, node_nm)

    def _factor(self, quantity: Quantity, from_nm: int, to_nm: int) -> float:
        factor = {"pJ": self.energy_factor, "um2": self.area_factor, "ns": self.delay_factor}[quantity.unit]
        return factor(from_nm, to_nm)


def library_names() -> tuple[str, ...]:
    """The libraries that ship."""
    return shipped_names(_FOLDER)


def load_library(name_or_path: str) -> Library:
    """A library that ships, by its name, or a user's own file, by its path.

    Raises:
        InputError: no such library or file, or one that does not validate.
    """
    if name_or_path in library_names():
        return _shipped_library(name_or_path)
    if not is_user_file(name_or_path):
        raise InputError(
            "hardware.library",
            f"{name_or_path!r} is no known library",
            f"one of {', '.join(library_names())}, or the path of a .yaml file",
        )
    return _build(user_text(name_or_path, "hardware.library"), name_or_path)


@lru_cache(maxsize=32)
def _shipped_library(name: str) -> Library:
    return _build(shipped_text(_FOLDER, name), f"{name}.yaml")


@lru_cache(maxsize=32)
def _build(text: str, source: str) -> Library:
    with in_lines(text, source):
        document = parse(text, source)
        tables, name = shipped_names(f"{_FOLDER}/scaling"), document.get("scaling")
        if name not in tables:
            raise InputError(
                f"{source}: scaling", f"{name!r} is no known scaling table", f"one of {', '.join(tables)}"
            )
        document = {**document, "sram": _with_table(document.get("sram"), source)}
        scaling = validate(NodeScaling, parse(shipped_text(f"{_FOLDER}/scaling", name), name), f"{name}.yaml")
        return validate(Library, {**document, "scaling": scaling}, source)


def _with_table(sram: Any, source: str) -> Any:
    """Memories by the name of a table that ships; what stands beside the name replaces the table's."""
    if not isinstance(sram, dict) or "table" not in sram:
        return sram
    tables, name = shipped_names(f"{_FOLDER}/memories", ".json"), sram["table"]
    if name not in tables:
        raise InputError(
            f"{source}: sram.table", f"{name!r} is no known table of memories", f"one of {', '.join(tables)}"
        )
    given = {key: value for key, value in sram.items() if key != "table"}
    return {**shipped_table(f"{_FOLDER}/memories", name), **given}
