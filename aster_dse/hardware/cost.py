"""The cost of an inference: one code path for one design and for many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aster_dse.activity import InferenceActivity
from aster_dse.hardware.architecture import Accelerator
from aster_dse.hardware.area import AREA_COMPONENTS, area_by_component, leakage_mw
from aster_dse.hardware.cost_notes import cost_notes
from aster_dse.hardware.dataflow import Dataflow, dataflow
from aster_dse.hardware.designs import DesignTable
from aster_dse.hardware.energy import ENERGY_COMPONENTS, ENERGY_KINDS, energy_by_layer
from aster_dse.hardware.events import count_events
from aster_dse.hardware.latency import latency_by_layer
from aster_dse.hardware.memory import membrane_kib
from aster_dse.hardware.placement import place
from aster_dse.hardware.readout import read_out
from aster_dse.hardware.totals import Totals, totals
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.space import METRICS, ROW_SIZES

__all__ = ["CostTable", "HardwareCost", "estimate", "estimate_many"]

Array = NDArray[np.float64]

_CHUNK = 512
"""Designs scored at once: few enough that the intermediate arrays stay in the cache."""
_SHARED_CHUNK = 1 << 17
"""Designs whose totals are put together at once: a few dozen arrays of this length are some 50 MB."""


@dataclass(frozen=True)
class HardwareCost:
    """Mean energy and latency of one inference, and the chip's area, each with its breakdown.

    Within rounding, every breakdown adds up to its total.
    """

    energy_uj: float
    latency_us: float
    area_mm2: float
    library: str
    """Name of the component library that the figures come from."""
    knobs: dict[str, Any]
    energy_pj_by_component: dict[str, float]
    energy_pj_by_layer: dict[str, float]
    energy_pj: dict[str, dict[str, float]]
    """By component, then by layer; a layer is absent where it is zero."""
    latency_ns_by_layer: dict[str, float]
    area_um2_by_component: dict[str, float]
    interval_us: float
    """From one inference to the next while they follow one another."""
    leakage_mw: float
    """Static power of the chip."""
    arrays: int
    """Arrays that the weights need, with all copies."""
    tiles: int
    """Tiles on the chip."""
    replicas: dict[str, int]
    """Copies of the layers that have more than one."""
    utilisation: float
    """Share of the chip's cells that hold weights of the network."""
    notes: tuple[str, ...]
    """What a reader should know of this design: reloads, clamps."""

    @property
    def energy_pj_by_kind(self) -> dict[str, float]:
        """The energy of an inference by what it grows with, as in ``ENERGY_KINDS``: sums, no costs of one."""
        return {
            kind: sum(self.energy_pj_by_component[name] for name in names)
            for kind, names in ENERGY_KINDS.items()
        }

    @property
    def power_mw(self) -> float:
        """Mean power while inferences follow one another, mW."""
        if not self.interval_us:
            return 0.0
        dynamic_uj = self.energy_uj - self.energy_pj_by_component["static"] * 1e-6
        return dynamic_uj / self.interval_us * 1e3 + self.leakage_mw

    @property
    def inferences_per_s(self) -> float:
        """As many as can follow one another."""
        return 1e6 / self.interval_us if self.interval_us else float("inf")

    @property
    def edp_uj_us(self) -> float:
        """Energy times delay, uJ us."""
        product: float = METRICS["edp_uj_us"].compute(vars(self))
        return product

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "energy_uj": self.energy_uj,
            "latency_us": self.latency_us,
            "area_mm2": self.area_mm2,
            "library": self.library,
            "knobs": dict(self.knobs),
            "energy_pj_by_component": dict(self.energy_pj_by_component),
            "energy_pj_by_layer": dict(self.energy_pj_by_layer),
            "energy_pj": {component: dict(layers) for component, layers in self.energy_pj.items()},
            "latency_ns_by_layer": dict(self.latency_ns_by_layer),
            "area_um2_by_component": dict(self.area_um2_by_component),
            "interval_us": self.interval_us,
            "leakage_mw": self.leakage_mw,
            "arrays": self.arrays,
            "tiles": self.tiles,
            "replicas": dict(self.replicas),
            "utilisation": self.utilisation,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, eq=False)
class CostTable:
    """``K`` costs as arrays. The breakdowns are empty along ``K`` where they were not asked for."""

    energy_uj: Array
    latency_us: Array
    area_mm2: Array
    arrays: NDArray[np.int64]
    tiles: NDArray[np.int64]
    tiles_needed: NDArray[np.int64]
    utilisation: Array
    interval_us: Array
    leakage_mw: Array
    layers: tuple[str, ...]
    energy_pj: Array
    """``[K, component, layer]``, components as in ``ENERGY_COMPONENTS``."""
    latency_ns: Array
    """``[K, layer]``"""
    area_um2: Array
    """``[K, component]``, components as in ``AREA_COMPONENTS``."""
    replicas: NDArray[np.int64]
    """``[K, synaptic layer]``"""
    membrane_kib: Array
    """``[K, synaptic layer]`` of each memory of a layer's membranes."""

    def __len__(self) -> int:
        return len(self.energy_uj)


def estimate(
    geometry: NetworkGeometry, activity: InferenceActivity, accelerators: Accelerator | Sequence[Accelerator]
) -> list[HardwareCost]:
    """Cost of each accelerator, with all breakdowns.

    Args:
        activity: one policy for all accelerators, or one for each; with one accelerator, any number.

    Raises:
        ValueError: activity of another network, or numbers of policies and accelerators that do not pair.
    """
    designs = [accelerators] if isinstance(accelerators, Accelerator) else list(accelerators)
    if not designs:
        return []
    names = [layer.name for layer in geometry.synaptic]
    table = estimate_many(geometry, activity, DesignTable.stack(designs, names), breakdown=True)
    if len(designs) == 1:
        designs *= len(table)
    return [_cost(table, i, design, names) for i, design in enumerate(designs)]


def estimate_many(
    geometry: NetworkGeometry, activity: InferenceActivity, designs: DesignTable, *, breakdown: bool = False
) -> CostTable:
    """Costs of ``K`` pairs of a policy and a design; a single policy or design meets all of the others.

    Args:
        breakdown: keep energy by component and layer, latency by layer and area by component.

    Raises:
        ValueError: activity of another network, or numbers of policies and designs that do not pair.
    """
    _check(geometry, activity)
    policies, rows = len(activity), len(designs)
    if policies != rows and 1 not in (policies, rows):
        raise ValueError(f"{policies} policies and {rows} designs do not pair")
    count = max(policies, rows) if min(policies, rows) else 0
    if rows == 1 and count > 1:
        designs = designs.take(np.zeros(count, dtype=np.int64))
    flow = dataflow(geometry)
    if policies == 1 and not breakdown and count > _CHUNK:
        shared = _shared(flow, activity, designs)
        if shared is not None:
            return shared
    return _in_chunks(flow, activity, designs, count, breakdown)


def _in_chunks(
    flow: Dataflow, activity: InferenceActivity, designs: DesignTable, count: int, breakdown: bool
) -> CostTable:
    policies = len(activity)
    chunks = []
    for begin in range(0, count, _CHUNK):
        part = slice(begin, min(begin + _CHUNK, count))
        chunks.append(
            _score(flow, activity if policies == 1 else _take(activity, part), designs.take(part), breakdown)
        )
    if not chunks:
        chunks = [_score(flow, activity, designs, breakdown)]
    return chunks[0] if len(chunks) == 1 else _join(chunks)


def _shared(flow: Dataflow, activity: InferenceActivity, designs: DesignTable) -> CostTable | None:
    """Totals of designs that have much in common, a part after the other; None where they have not.

    Designs whose layers depend on each other are scored by themselves.
    """
    count = len(designs)
    apart = (designs.pipelining > 0) | (designs.area_budget_mm2 > 0)
    if apart.any():
        rest = np.flatnonzero(~apart)
        if len(rest) <= _CHUNK:
            return None
        together = _shared(flow, activity, designs.take(rest))
        if together is None:
            return None
        others = np.flatnonzero(apart)
        scored = _in_chunks(flow, activity, designs.take(others), len(others), breakdown=False)
        order = np.empty(count, dtype=np.int64)
        order[np.concatenate([rest, others])] = np.arange(count)
        return _take_costs(_join([together, scored]), order)
    figures: dict[str, Any] = {
        name: np.empty(count, np.int64 if name in ("arrays", "tiles", "tiles_needed") else np.float64)
        for name in Totals.__dataclass_fields__
    }
    for begin in range(0, count, _SHARED_CHUNK):
        part = slice(begin, min(begin + _SHARED_CHUNK, count))
        found = totals(flow, activity, designs.take(part), chunk=_CHUNK)
        if found is None:
            return None
        for name, values in figures.items():
            values[part] = getattr(found, name)
    for name, unit in (("energy_pj", 1e-6), ("latency_ns", 1e-3), ("interval_ns", 1e-3), ("area_um2", 1e-6)):
        figures[name] *= unit
    return CostTable(
        energy_uj=figures["energy_pj"],
        latency_us=figures["latency_ns"],
        area_mm2=figures["area_um2"],
        arrays=figures["arrays"],
        tiles=figures["tiles"],
        tiles_needed=figures["tiles_needed"],
        utilisation=figures["utilisation"],
        interval_us=figures["interval_ns"],
        leakage_mw=figures["leakage_mw"],
        layers=flow.rows,
        energy_pj=np.zeros((0, len(ENERGY_COMPONENTS), len(flow.rows))),
        latency_ns=np.zeros((0, len(flow.rows))),
        area_um2=np.zeros((0, len(AREA_COMPONENTS))),
        replicas=np.zeros((0, len(flow.fan_in)), dtype=np.int64),
        membrane_kib=np.zeros((0, len(flow.fan_in))),
    )


def _score(flow: Dataflow, activity: InferenceActivity, designs: DesignTable, breakdown: bool) -> CostTable:
    count = len(designs)
    converter = read_out(designs)
    placement = place(flow, designs, converter)
    events = count_events(flow, activity, designs, placement)
    times = latency_by_layer(flow, activity, designs, placement, events, converter)
    components = area_by_component(flow, designs, placement, converter)
    leakage = leakage_mw(flow, designs, placement, components)
    energy = energy_by_layer(flow, designs, placement, events, converter, times, leakage)
    area = np.stack([components[name] for name in AREA_COMPONENTS], axis=1)

    synaptic, attention = list(energy.synaptic.values()), list(energy.attention.values())
    energy_pj = np.zeros((count if breakdown else 0, len(ENERGY_COMPONENTS), len(flow.rows)))
    latency_ns = np.zeros((count if breakdown else 0, len(flow.rows)))
    if breakdown:
        for parts, at in ((energy.synaptic, flow.synaptic_row), (energy.attention, flow.attention_row)):
            for name, values in parts.items():
                energy_pj[:, ENERGY_COMPONENTS.index(name), at] += values
        latency_ns[:, flow.synaptic_row] = times.synaptic_ns
        latency_ns[:, flow.attention_row] = times.attention_ns
    total_pj = sum(v.sum(axis=1) for v in (*synaptic, *attention))
    return CostTable(
        energy_uj=np.asarray(total_pj) * 1e-6,
        latency_us=(times.synaptic_ns.sum(axis=1) + times.attention_ns.sum(axis=1)) * 1e-3,
        area_mm2=area.sum(axis=1) * 1e-6,
        arrays=placement.arrays,
        tiles=placement.tiles,
        tiles_needed=placement.tiles_needed,
        utilisation=placement.utilisation,
        interval_us=times.interval_ns * 1e-3,
        leakage_mw=leakage,
        layers=flow.rows,
        energy_pj=energy_pj,
        latency_ns=latency_ns,
        area_um2=area[: count if breakdown else 0],
        replicas=placement.replicas[: count if breakdown else 0],
        membrane_kib=membrane_kib(flow, designs, placement)[: count if breakdown else 0],
    )


def _cost(table: CostTable, i: int, design: Accelerator, layers: Sequence[str]) -> HardwareCost:
    matrix = table.energy_pj[i]
    return HardwareCost(
        energy_uj=float(table.energy_uj[i]),
        latency_us=float(table.latency_us[i]),
        area_mm2=float(table.area_mm2[i]),
        library=design.library.name,
        knobs=design.knobs(),
        energy_pj_by_component=dict(zip(ENERGY_COMPONENTS, matrix.sum(axis=1).tolist(), strict=True)),
        energy_pj_by_layer=dict(zip(table.layers, matrix.sum(axis=0).tolist(), strict=True)),
        energy_pj={
            component: {layer: float(v) for layer, v in zip(table.layers, row, strict=True) if v}
            for component, row in zip(ENERGY_COMPONENTS, matrix, strict=True)
        },
        latency_ns_by_layer=dict(zip(table.layers, table.latency_ns[i].tolist(), strict=True)),
        area_um2_by_component=dict(zip(AREA_COMPONENTS, table.area_um2[i].tolist(), strict=True)),
        interval_us=float(table.interval_us[i]),
        leakage_mw=float(table.leakage_mw[i]),
        arrays=int(table.arrays[i]),
        tiles=int(table.tiles[i]),
        replicas={name: int(n) for name, n in zip(layers, table.replicas[i], strict=True) if n > 1},
        utilisation=float(table.utilisation[i]),
        notes=cost_notes(
            design,
            layers,
            area_mm2=float(table.area_mm2[i]),
            tiles=int(table.tiles[i]),
            tiles_needed=int(table.tiles_needed[i]),
            membrane_kib=table.membrane_kib[i],
        ),
    )


def _check(geometry: NetworkGeometry, activity: InferenceActivity) -> None:
    count, layers = len(activity), len(geometry.synaptic)
    expected = {
        "attention_runs": (count, geometry.depth),
        "driven_rows": (count, layers),
        "active_windows": (count, layers),
        # Counted for all heights of arrays, or for the designs' own alone.
        "active_accesses": (count, layers, 1 if activity.active_accesses.shape[-1] == 1 else len(ROW_SIZES)),
        "spikes": (count, len(geometry.neurons)),
    }
    for name, shape in expected.items():
        if (found := getattr(activity, name).shape) != shape:
            raise ValueError(f"activity.{name} has shape {found}, this network needs {shape}")


def _take(activity: InferenceActivity, part: slice) -> InferenceActivity:
    return replace(
        activity, **{name: getattr(activity, name)[part] for name in activity.__dataclass_fields__}
    )


def _take_costs(table: CostTable, order: NDArray[np.int64]) -> CostTable:
    """Totals in another order."""
    kept = {n: getattr(table, n) for n in CostTable.__dataclass_fields__ if n != "layers"}
    return replace(table, **{n: v[order] for n, v in kept.items() if len(v)})


def _join(chunks: list[CostTable]) -> CostTable:
    names = [n for n in CostTable.__dataclass_fields__ if n != "layers"]
    joined: dict[str, Any] = {n: np.concatenate([getattr(c, n) for c in chunks]) for n in names}
    return replace(chunks[0], **joined)
