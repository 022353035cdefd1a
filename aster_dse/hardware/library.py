"""Component libraries: what one action of each component costs, at which node and by whose word."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aster_dse.errors import InputError
from aster_dse.hardware.documents import parse, shipped_names, shipped_text, validate

__all__ = [
    "Cell",
    "Dram",
    "FlashCoefficients",
    "Library",
    "NodeScaling",
    "Quantity",
    "SarCoefficients",
    "Sram",
    "library_names",
    "load_library",
]

_FOLDER = "libraries"
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
ByNode = Annotated[dict[int, Positive], Field(min_length=1)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NodeScaling(_Entry):
    """How a circuit's figures change between nodes; only ratios mean something."""

    name: str
    source: str
    energy: Annotated[dict[float, ByNode], Field(min_length=1)]
    """By supply voltage, V."""
    area: ByNode
    delay: ByNode

    def nodes(self, supply_v: float) -> set[int]:
        return set(self.energy[supply_v]) & set(self.area) & set(self.delay)


class Quantity(_Entry):
    """One figure of one component: its value at each node for which the source gives it."""

    at_nm: ByNode
    unit: Literal["pJ", "um2"]
    per: str
    """The action, or the thing whose area it is."""
    size: Annotated[
        dict[Literal["rows", "columns", "bits"], Annotated[int, Field(ge=1)]], Field(max_length=1)
    ] = {}
    """The size that the value is for; the cost model takes it as proportional."""
    conditions: str = ""
    source: Annotated[str, Field(min_length=1)]

    @property
    def per_size(self) -> float:
        return 1.0 / next(iter(self.size.values()), 1)


class Cell(_Entry):
    """The memory cell of the analog arrays."""

    kind: str
    on_ohm: Positive
    off_ohm: Positive
    read_v: Positive
    mean_level: Annotated[float, Field(ge=0.0, le=1.0)]
    """Mean conductance of a cell between off (0) and on (1)."""
    area_f2: Positive
    """Cell area in squares of the feature size."""
    write_v: Positive
    write_pulse_ns: Positive
    source: Annotated[str, Field(min_length=1)]

    @property
    def mean_siemens(self) -> float:
        off, on = 1.0 / self.off_ohm, 1.0 / self.on_ohm
        return off + self.mean_level * (on - off)


class Sram(_Entry):
    """On-chip memories by capacity."""

    port_bits: Annotated[int, Field(ge=1)]
    capacity_kib: Annotated[tuple[Positive, ...], Field(min_length=2)]
    access_pj: Annotated[dict[int, tuple[Positive, ...]], Field(min_length=1)]
    area_mm2: Annotated[dict[int, tuple[Positive, ...]], Field(min_length=1)]
    conditions: str = ""
    source: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _tables_match(self) -> Sram:
        if list(self.capacity_kib) != sorted(set(self.capacity_kib)):
            raise ValueError("capacity_kib must increase")
        for name, table in (("access_pj", self.access_pj), ("area_mm2", self.area_mm2)):
            for node, values in table.items():
                if len(values) != len(self.capacity_kib):
                    raise ValueError(
                        f"{name}.{node} has {len(values)} values for {len(self.capacity_kib)} capacities"
                    )
        return self


class Dram(_Entry):
    """Off-chip memory; it does not scale with the chip's node."""

    access_pj: Positive
    access_bits: Annotated[int, Field(ge=1)]
    bandwidth_gbit_s: Positive
    source: Annotated[str, Field(min_length=1)]


class FlashArea(_Entry):
    at_nm: int
    intercept: float
    slope: float


class FlashCoefficients(_Entry):
    """Multilevel sense amplifiers: ``P = alpha (L - 1) uW + beta exp(gamma log10 R) W``."""

    alpha_uw: ByNode
    beta_w: ByNode
    gamma: Annotated[dict[int, float], Field(min_length=1)]
    sensing_ns: Positive
    area: FlashArea
    source: Annotated[str, Field(min_length=1)]


class SarArea(_Entry):
    at_nm: int
    bits: Annotated[tuple[int, ...], Field(min_length=2)]
    values: Annotated[tuple[Positive, ...], Field(min_length=2)]


class SarCoefficients(_Entry):
    """Successive approximation: ``E = [(a log2 L + b) uW + c exp(d log10 R) W] (log2 L + 1) cycles``."""

    a_uw: ByNode
    b_uw: ByNode
    c_w: ByNode
    d: Annotated[dict[int, float], Field(min_length=1)]
    cycle_ns: Positive
    area_um2: SarArea
    source: Annotated[str, Field(min_length=1)]


class Library(_Entry):
    """Every figure that the cost model uses, with its source."""

    name: str
    title: str
    scaling: NodeScaling
    supply_v: Positive
    cell: Cell
    row_drive_energy: Quantity
    row_driver_area: Quantity
    column_energy: Quantity
    cell_read_energy: Quantity
    adder_energy: Quantity
    adder_area: Quantity
    shift_add_energy: Quantity
    shift_add_area: Quantity
    register_energy: Quantity
    register_area: Quantity
    comparator_energy: Quantity
    comparator_area: Quantity
    gate_energy: Quantity
    gate_area: Quantity
    router_energy: Quantity
    router_area: Quantity
    bus_energy: Quantity
    sram: Sram
    dram: Dram
    flash: FlashCoefficients
    sar: SarCoefficients

    @cached_property
    def digest(self) -> str:
        """20 hexadecimal digits over every figure: which library it was, whatever its name."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:20]

    def __hash__(self) -> int:
        return hash(self.digest)

    @model_validator(mode="after")
    def _consistent(self) -> Library:
        if self.supply_v not in self.scaling.energy:
            known = ", ".join(str(v) for v in self.scaling.energy)
            raise ValueError(f"supply_v {self.supply_v} is not in {self.scaling.name} (one of {known})")
        known_nodes = self.scaling.nodes(self.supply_v)
        for name, nodes in self._nodes():
            if strange := set(nodes) - known_nodes:
                raise ValueError(f"{name}: {self.scaling.name} has no factor for {min(strange)} nm")
        for name in (field for field in type(self).model_fields if field.endswith(("_energy", "_area"))):
            unit = "pJ" if name.endswith("_energy") else "um2"
            if getattr(self, name).unit != unit:
                raise ValueError(f"{name}: unit must be {unit}")
        return self

    def _nodes(self) -> list[tuple[str, list[int]]]:
        found = [
            (n, list(getattr(self, n).at_nm))
            for n in type(self).model_fields
            if n.endswith(("_energy", "_area"))
        ]
        found += [("sram.access_pj", list(self.sram.access_pj)), ("sram.area_mm2", list(self.sram.area_mm2))]
        found += [("flash.alpha_uw", list(self.flash.alpha_uw)), ("flash.area", [self.flash.area.at_nm])]
        found += [("sar.a_uw", list(self.sar.a_uw)), ("sar.area_um2", [self.sar.area_um2.at_nm])]
        return found

    def nearest_node(self, nodes: Iterable[int], node_nm: int) -> int:
        """The node of a table that is nearest by ratio; the larger one where two are equally near."""
        return min(nodes, key=lambda n: (abs(math.log(n / node_nm)), -n))

    def energy_factor(self, from_nm: int, to_nm: int) -> float:
        table = self.scaling.energy[self.supply_v]
        return table[to_nm] / table[from_nm]

    def area_factor(self, from_nm: int, to_nm: int) -> float:
        return self.scaling.area[to_nm] / self.scaling.area[from_nm]

    def value(self, quantity: Quantity, node_nm: int) -> float:
        """The figure for one unit of size at a node: as given, else scaled from the nearest node given."""
        nearest = self.nearest_node(quantity.at_nm, node_nm)
        factor = self.energy_factor if quantity.unit == "pJ" else self.area_factor
        return quantity.at_nm[nearest] * factor(nearest, node_nm) * quantity.per_size


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
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(
            "hardware.library",
            f"{name_or_path!r} is no known library",
            f"one of {', '.join(library_names())}, or the path of a .yaml file",
        )
    try:
        status = path.stat()
        return _user_library(str(path), status.st_mtime_ns, status.st_size)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise InputError(
            "hardware.library", f"cannot read {name_or_path}: {reason}", "give a readable YAML file"
        ) from None


@lru_cache(maxsize=32)
def _shipped_library(name: str) -> Library:
    return _build(shipped_text(_FOLDER, name), f"{name}.yaml")


@lru_cache(maxsize=32)
def _user_library(path: str, modified_ns: int, size: int) -> Library:  # noqa: ARG001  # a changed file is read again
    return _build(Path(path).read_text("utf-8"), path)


def _build(text: str, source: str) -> Library:
    document = parse(text, source)
    tables, name = shipped_names(f"{_FOLDER}/scaling"), document.get("scaling")
    if name not in tables:
        raise InputError(
            f"{source}: scaling", f"{name!r} is no known scaling table", f"one of {', '.join(tables)}"
        )
    scaling = validate(NodeScaling, parse(shipped_text(f"{_FOLDER}/scaling", name), name), f"{name}.yaml")
    return validate(Library, {**document, "scaling": scaling}, source)
