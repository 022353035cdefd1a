"""``aster-dse hardware estimate``: the cost model asked directly, for a network that nobody has trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aster_dse.cli.extras import need
from aster_dse.cli.options import Json
from aster_dse.cli.output import number, print_json, print_table, say, table
from aster_dse.cli.settings import group, hardware_file, settings
from aster_dse.cli.written import checked_output
from aster_dse.errors import InputError

if TYPE_CHECKING:
    from aster_dse.hardware import HardwareCost
    from aster_dse.network.geometry import NetworkGeometry

__all__ = ["FiringRate", "NetworkName", "estimate", "geometry_of", "knobs_of"]


_ALIASES = {
    "sdt-8-384": "imagenet-8-384",
    "sdt-6-512": "imagenet-6-512",
    "sdt-8-512": "imagenet-8-512",
    "sdt-10-512": "imagenet-10-512",
    "sdt-8-768": "imagenet-8-768",
    "sdt-2-256-cifar": "cifar10-2-256",
    "sdt-2-512-cifar": "cifar10-2-512",
    "sdt-2-256-cifar10-dvs": "cifar10-dvs-2-256-t16",
    "sdt-2-256-gesture": "dvs-gesture-2-256-t16",
}
_FRAME_KNOBS = ("workload.resolution", "workload.timesteps")
_DRAWN = (".png", ".html")
_RATES = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, *(step / 20 for step in range(2, 21)))
"""Firing rates of the curves."""


NetworkName = Annotated[
    str,
    typer.Option(
        "--network",
        metavar="NETWORK",
        help="A preset, as for --preset of train; a short name, as in sdt-8-512; or a checkpoint.",
    ),
]
FiringRate = Annotated[
    float,
    typer.Option(
        "--firing-rate", min=0.0, max=1.0, help="Share of neurons that fire in a step, in every layer."
    ),
]


def estimate(
    network: NetworkName = "digits-dvs",
    firing_rate: FiringRate = 0.2,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="A knob of network or hardware, workload.resolution or workload.timesteps; repeatable.",
        ),
    ] = None,
    hardware: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML with knobs of the accelerator.")
    ] = None,
    library: Annotated[
        str | None, typer.Option(help="Component library: the name of one that ships, or a YAML file.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Draw breakdown and roofline as .png or .html."),
    ] = None,
    json: Json = False,
) -> None:
    """Estimate energy, latency and area of one inference, with independent spikes of one rate."""
    if output is not None:
        need("a figure", "figures")
    checked_output(output, _DRAWN)
    knobs = knobs_of(hardware, set_, library)
    geometry, accelerator = geometry_of(network, knobs), group(knobs, "hardware")
    cost = _cost(geometry, accelerator, firing_rate)
    if output is not None:
        _draw(output, network, geometry, accelerator, firing_rate, cost)
    ranges = range_costs(cost) if cost.knobs["arrays"] == "real" else None
    if json:
        document = {"network": network, "firing_rate": firing_rate, **_document(geometry, cost)}
        print_json(document if ranges is None else {**document, "accuracy": None, "ranges": ranges})
        return
    _print_cost(network, firing_rate, geometry, cost)
    if ranges is not None:
        _print_ranges(ranges)


def _draw(
    path: Path,
    network: str,
    geometry: NetworkGeometry,
    hardware: dict[str, Any],
    firing_rate: float,
    cost: HardwareCost,
) -> None:
    from aster_dse.activity.uniform import uniform_activity
    from aster_dse.export.cost_figure import cost_figure
    from aster_dse.export.drawing import write_figure
    from aster_dse.hardware import resolve
    from aster_dse.hardware.baselines.compare import energy_by_rate
    from aster_dse.hardware.roofline import roofline
    from aster_dse.space import HardwareConfig

    activity, design = uniform_activity(geometry, firing_rate), resolve(HardwareConfig(**hardware))
    roof = roofline(geometry, activity, design, cost)
    curves = energy_by_rate(geometry, HardwareConfig(**hardware), _RATES)
    title = (
        f"{network} at firing rate {firing_rate:g} on {cost.knobs['base']}, library {cost.library}: "
        f"{number(cost.energy_uj)} uJ, {number(cost.latency_us)} us, {number(cost.area_mm2)} mm2"
    )
    write_figure(cost_figure(cost, roof, title=title, rates=_RATES, curves=curves), path)
    say(f"wrote {path}")


def knobs_of(file: Path | None, set_: list[str] | None, library: str | None) -> dict[str, Any]:
    """The knobs that the options set, by path.

    Raises:
        InputError: a knob that is none, or a value that it does not take.
    """
    knobs = hardware_file(file) if file is not None else {}
    knobs |= settings(set_ or [], ["network.", "hardware.", *_FRAME_KNOBS])
    if library is not None:
        knobs["hardware.library"] = library
    return knobs


def geometry_of(network: str, knobs: dict[str, Any]) -> NetworkGeometry:
    """Of a preset or a checkpoint, with the knobs that are set.

    Raises:
        InputError: neither, or a knob that does not fit.
    """
    if Path(network).exists():
        return _checkpoint_geometry(Path(network), knobs)
    from aster_dse.network.on_workload import geometry_for
    from aster_dse.space import NetworkConfig, WorkloadConfig
    from aster_dse.space.document import nearest_name
    from aster_dse.space.presets import preset, preset_names

    known = [*preset_names(), *_ALIASES]
    name = _ALIASES.get(network, network)
    if name not in preset_names():
        raise InputError(
            "--network", f"there is no preset {network!r}, and no such file", nearest_name(network, known)
        )
    chosen = preset(name)
    return geometry_for(
        WorkloadConfig(**{**chosen.workload.model_dump(), **group(knobs, "workload")}),
        NetworkConfig(**{**chosen.network.model_dump(), **group(knobs, "network")}),
    )


def _checkpoint_geometry(path: Path, knobs: dict[str, Any]) -> NetworkGeometry:
    from aster_dse.cli.networks import say_assumed
    from aster_dse.evaluation.checkpoint import Wishes, load_checkpoint

    asked = {name: value for name, value in knobs.items() if not name.startswith("hardware.")}
    checkpoint = load_checkpoint(path, Wishes(knobs=asked))
    say_assumed(checkpoint)
    return checkpoint.trained.geometry


def _cost(geometry: NetworkGeometry, hardware: dict[str, Any], firing_rate: float) -> HardwareCost:
    from aster_dse import hardware as model
    from aster_dse.activity.uniform import uniform_activity
    from aster_dse.space import HardwareConfig

    accelerator = model.resolve(HardwareConfig(**hardware))
    return model.estimate(geometry, uniform_activity(geometry, firing_rate), accelerator)[0]


def range_costs(cost: HardwareCost) -> dict[str, Any]:
    """The ranges of the converters and what they cost, for JSON."""
    parts = ("adc_ranges", "step_multipliers", "row_counters")
    energy = sum(cost.energy_pj_by_component.get(name, 0.0) for name in parts)
    area = sum(cost.area_um2_by_component.get(name, 0.0) for name in parts)
    names = ("adc_range", "adc_range_per", "adc_levels", "column_kind")
    return {
        **{name: cost.knobs[name] for name in names},
        "energy_pj": energy,
        "energy_share": energy / (cost.energy_uj * 1e6) if cost.energy_uj else 0.0,
        "area_um2": area,
        "area_share": area / (cost.area_mm2 * 1e6) if cost.area_mm2 else 0.0,
    }


def _print_ranges(ranges: dict[str, Any]) -> None:
    print(
        f"real arrays: {ranges['adc_levels']} levels over range {ranges['adc_range']} per "
        f"{ranges['adc_range_per']}, columns: {ranges['column_kind']}; ranges, multipliers and row counters "
        f"take {number(ranges['energy_pj'] * 1e-3)} nJ ({ranges['energy_share']:.1%}) and "
        f"{number(ranges['area_um2'] * 1e-6)} mm² ({ranges['area_share']:.1%})"
    )
    print(
        "accuracy on real arrays needs a trained network and its data: aster-dse evaluate CHECKPOINT "
        "--arrays real, or aster-dse hardware sweep CHECKPOINT --over adc_range"
    )


def _tops_per_w(geometry: NetworkGeometry, cost: HardwareCost) -> float:
    """Two operations for each synapse and time step, whether it carries a spike or not."""
    from aster_dse.hardware.baselines.operations import layer_macs

    operations = 2 * geometry.timesteps * sum(layer_macs(geometry).values())
    return operations / (cost.energy_uj * 1e6) if cost.energy_uj else float("inf")


def _document(geometry: NetworkGeometry, cost: HardwareCost) -> dict[str, Any]:
    return {
        "energy_uj": cost.energy_uj,
        "latency_us": cost.latency_us,
        "area_mm2": cost.area_mm2,
        "power_mw": cost.power_mw,
        "inferences_per_s": cost.inferences_per_s,
        "edp_uj_us": cost.edp_uj_us,
        "tops_per_w": _tops_per_w(geometry, cost),
        "interval_us": cost.interval_us,
        "leakage_mw": cost.leakage_mw,
        "energy_pj_by_kind": cost.energy_pj_by_kind,
        "by_component": {
            "energy_pj": cost.energy_pj_by_component,
            "area_um2": cost.area_um2_by_component,
        },
        "by_layer": [
            {"layer": layer, "energy_pj": energy, "latency_ns": cost.latency_ns_by_layer[layer]}
            for layer, energy in cost.energy_pj_by_layer.items()
        ],
        "library": cost.library,
        "hardware": cost.knobs,
        "arrays": cost.arrays,
        "tiles": cost.tiles,
        "replicas": cost.replicas,
        "utilisation": cost.utilisation,
        "notes": list(cost.notes),
    }


def _print_cost(network: str, firing_rate: float, geometry: NetworkGeometry, cost: HardwareCost) -> None:
    print(
        f"{network} at firing rate {firing_rate:g}: {number(cost.energy_uj)} uJ, "
        f"{number(cost.latency_us)} us, {number(cost.area_mm2)} mm² "
        f"({number(cost.arrays)} arrays on {number(cost.tiles)} tiles, "
        f"{cost.utilisation:.0%} of the cells used, library {cost.library})"
    )
    print(
        f"{number(cost.power_mw)} mW ({number(cost.leakage_mw)} static), "
        f"{number(cost.inferences_per_s)} inferences/s, "
        f"{number(_tops_per_w(geometry, cost))} TOPS/W (two operations a synapse and step, spike or not), "
        f"energy times delay {number(cost.edp_uj_us)} uJ us"
    )
    parts = table(["component", "energy nJ", "share", "area mm²"], right=["energy nJ", "share", "area mm²"])
    total_pj = cost.energy_uj * 1e6 or 1.0
    for name in dict.fromkeys([*cost.energy_pj_by_component, *cost.area_um2_by_component]):
        energy, area = cost.energy_pj_by_component.get(name, 0.0), cost.area_um2_by_component.get(name, 0.0)
        if energy or area:
            share = f"{energy / total_pj:.1%}"
            parts.add_row(name.replace("_", " "), number(energy * 1e-3), share, number(area * 1e-6))
    print_table(parts)
    layers = table(["layer", "energy nJ", "latency us"], right=["energy nJ", "latency us"])
    for layer, energy in cost.energy_pj_by_layer.items():
        layers.add_row(layer, number(energy * 1e-3), number(cost.latency_ns_by_layer[layer] * 1e-3))
    print_table(layers)
    kinds = [(kind.replace("_", " "), pj) for kind, pj in cost.energy_pj_by_kind.items()]
    split = ", ".join(f"{number(pj * 1e-3)} nJ ({pj / total_pj:.1%}) {kind}" for kind, pj in kinds)
    print(f"of the energy of this inference grow {split}")
    if cost.replicas:
        copies = ", ".join(f"{layer} x{count}" for layer, count in cost.replicas.items())
        print(f"copies: {copies}")
    for note in cost.notes:
        print(f"note: {note}")
