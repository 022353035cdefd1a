"""The entries of a component library: how each kind of component is described, and what is checked of it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aster_dse.space.cell_conditions import parse_conditions
from aster_dse.space.hardware_knobs import AdcKind

__all__ = [
    "AdcKind",
    "ByNode",
    "CapacitiveCoefficients",
    "Cell",
    "Dram",
    "Entry",
    "FlashCoefficients",
    "Leakage",
    "NodeScaling",
    "Positive",
    "Quantity",
    "SarCoefficients",
    "Sram",
    "TableCoefficients",
]

Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
ByNode = Annotated[dict[int, Positive], Field(min_length=1)]


class Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NodeScaling(Entry):
    """How a circuit's figures change between nodes; only ratios mean something."""

    name: str
    source: str
    energy: Annotated[dict[float, ByNode], Field(min_length=1)]
    """By supply voltage, V."""
    area: ByNode
    delay: ByNode

    def nodes(self, supply_v: float) -> set[int]:
        return set(self.energy[supply_v]) & set(self.area) & set(self.delay)


class Quantity(Entry):
    """One figure of one component: its value at each node for which the source gives it."""

    at_nm: Annotated[dict[int, NotNegative], Field(min_length=1)]
    unit: Literal["pJ", "um2", "ns"]
    per: str
    """The action, or the thing whose area it is."""
    size: Annotated[
        dict[Literal["rows", "columns", "bits", "subarrays"], Annotated[int, Field(ge=1)]],
        Field(max_length=1),
    ] = {}
    """The size that the value is for; the cost model takes it as proportional, but for ``fixed_at_nm``."""
    fixed_at_nm: dict[int, NotNegative] = {}
    """What of the value does not go with the size, at the same nodes; nothing where it is not given."""
    conditions: str = ""
    source: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _parts(self) -> Quantity:
        if self.fixed_at_nm and set(self.fixed_at_nm) != set(self.at_nm):
            raise ValueError("fixed_at_nm must have the nodes of at_nm")
        for node, fixed in self.fixed_at_nm.items():
            if fixed > self.at_nm[node]:
                raise ValueError(f"fixed_at_nm.{node} is more than at_nm.{node}")
        return self

    @property
    def per_size(self) -> float:
        return 1.0 / next(iter(self.size.values()), 1)


class Cell(Entry):
    """A memory cell of the arrays."""

    kind: str
    on_ohm: Positive | None = None
    """Resistances of the two ends of its range; None for cells that are no resistors."""
    off_ohm: Positive | None = None
    read_v: Positive | None = None
    most_bits: Annotated[int, Field(ge=1, le=8)]
    """Bits that it can be programmed to."""
    mean_level: Annotated[float, Field(ge=0.0, le=1.0)]
    """Mean conductance of a cell between off (0) and on (1)."""
    read_pj: Positive | None = None
    """Of a conducting cell at half conductance; None takes the library's `cell_read_energy`."""
    sensed_pj: dict[int, Positive] = {}
    """By node, of a conducting cell at its mean level during a flash conversion; empty takes the converter's
    formula for its mean conductance."""
    area_f2: Positive
    """Cell area in squares of the feature size."""
    write_v: Positive | None = None
    write_pj: Positive | None = None
    """Of one write; None takes write voltage squared times mean conductance times pulse."""
    write_pulse_ns: Positive
    volatile: bool = False
    """Needs power to keep its value, and leaks like a memory."""
    conditions: str | None = None
    """Published conditions of such cells, as :func:`~aster_dse.space.parse_conditions` reads them."""
    conditions_source: Annotated[str, Field(min_length=1)] | None = None
    source: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _complete(self) -> Cell:
        if (self.conditions is None) != (self.conditions_source is None):
            raise ValueError("give both conditions and conditions_source, or neither")
        if self.conditions is not None:
            try:
                parse_conditions(self.conditions)
            except ValueError as error:
                problem, remedy = error.args
                raise ValueError(f"conditions: {problem} ({remedy})") from None
        if (self.on_ohm is None) != (self.off_ohm is None):
            raise ValueError("give both on_ohm and off_ohm, or neither")
        if self.write_pj is None and (self.write_v is None or self.on_ohm is None):
            raise ValueError("give write_pj, or write_v with on_ohm and off_ohm")
        return self

    @property
    def mean_siemens(self) -> float:
        """Mean conductance; 0 for cells that are no resistors."""
        if self.on_ohm is None or self.off_ohm is None:
            return 0.0
        off, on = 1.0 / self.off_ohm, 1.0 / self.on_ohm
        return off + self.mean_level * (on - off)

    @property
    def relative_level(self) -> float:
        """Mean conductance over that of a cell at half conductance, for which reads are stated."""
        if self.on_ohm is None or self.off_ohm is None:
            return 2.0 * self.mean_level
        return self.mean_siemens / ((1.0 / self.on_ohm + 1.0 / self.off_ohm) / 2.0)

    @property
    def mean_write_pj(self) -> float:
        """Energy of a write."""
        if self.write_pj is not None:
            return self.write_pj
        assert self.write_v is not None
        return self.write_v**2 * self.mean_siemens * self.write_pulse_ns * 1e3


SramTable = Annotated[dict[int, tuple[Positive, ...]], Field(min_length=1)]


class Sram(Entry):
    """On-chip memories by capacity: per node, a figure for each of ``capacity_kib``."""

    TABLES: ClassVar[tuple[str, ...]] = ("read_pj", "write_pj", "area_mm2", "leakage_uw")

    port_bits: Annotated[int, Field(ge=1)]
    capacity_kib: Annotated[tuple[Positive, ...], Field(min_length=2)]
    read_pj: SramTable
    """Of ``port_bits``."""
    write_pj: SramTable
    area_mm2: SramTable
    leakage_uw: SramTable
    conditions: str = ""
    source: Annotated[str, Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _accesses(cls, values: Any) -> Any:
        """Sources that do not tell reads from writes give ``access_pj`` for both."""
        if not isinstance(values, dict) or "access_pj" not in values:
            return values
        if both := sorted({"read_pj", "write_pj"} & set(values)):
            raise ValueError(f"give access_pj for reads and writes alike, or {both[0]}, not both")
        rest = {name: value for name, value in values.items() if name != "access_pj"}
        return rest | {"read_pj": values["access_pj"], "write_pj": values["access_pj"]}

    @model_validator(mode="after")
    def _tables_match(self) -> Sram:
        if list(self.capacity_kib) != sorted(set(self.capacity_kib)):
            raise ValueError("capacity_kib must increase")
        for name in self.TABLES:
            table: dict[int, tuple[float, ...]] = getattr(self, name)
            for node, values in table.items():
                if len(values) != len(self.capacity_kib):
                    raise ValueError(
                        f"{name}.{node} has {len(values)} values for {len(self.capacity_kib)} capacities"
                    )
        return self


class Dram(Entry):
    """Off-chip memory; it does not scale with the chip's node."""

    access_pj: Positive
    access_bits: Annotated[int, Field(ge=1)]
    bandwidth_gbit_s: Positive
    source: Annotated[str, Field(min_length=1)]


class FlashArea(Entry):
    at_nm: int
    intercept: float
    slope: float


class FlashCoefficients(Entry):
    """Multilevel sense amplifiers: ``P = alpha (L - 1) uW + beta exp(gamma log10 R) W``."""

    alpha_uw: ByNode
    beta_w: ByNode
    gamma: Annotated[dict[int, float], Field(min_length=1)]
    sensing_ns: Positive
    area: FlashArea
    source: Annotated[str, Field(min_length=1)]


class SarArea(Entry):
    at_nm: int
    bits: Annotated[tuple[int, ...], Field(min_length=2)]
    values: Annotated[tuple[Positive, ...], Field(min_length=2)]


class SarCoefficients(Entry):
    """Successive approximation: ``E = [(a log2 L + b) uW + c exp(d log10 R) W] (log2 L + 1) cycles``."""

    a_uw: ByNode
    b_uw: ByNode
    c_w: ByNode
    d: Annotated[dict[int, float], Field(min_length=1)]
    cycle_ns: Positive
    area_um2: SarArea
    source: Annotated[str, Field(min_length=1)]


class TableCoefficients(Entry):
    """A converter of which energy and area are listed, by bits."""

    at_nm: int
    bits: Annotated[tuple[int, ...], Field(min_length=1)]
    energy_pj: Annotated[tuple[Positive, ...], Field(min_length=1)]
    area_um2: Annotated[tuple[Positive, ...], Field(min_length=1)]
    conversion_ns: Positive
    source: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _lengths(self) -> TableCoefficients:
        if list(self.bits) != sorted(set(self.bits)):
            raise ValueError("bits must increase")
        if not len(self.bits) == len(self.energy_pj) == len(self.area_um2):
            raise ValueError("bits, energy_pj and area_um2 must be of one length")
        return self


class CapacitiveCoefficients(Entry):
    """Capacitive successive approximation: ``E = (linear b + square 4^b) fF V^2``."""

    at_nm: int
    linear_ff: Positive
    square_ff: Positive
    supply_v: Positive
    bit_ns: Positive
    """Delay per bit, and what each row of the array adds to it."""
    bit_row_ns: NotNegative
    area: FlashArea
    source: Annotated[str, Field(min_length=1)]


class Leakage(Entry):
    """Static power of logic, per area."""

    uw_per_mm2: ByNode
    conditions: str = ""
    source: Annotated[str, Field(min_length=1)]
