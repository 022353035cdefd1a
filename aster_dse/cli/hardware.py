"""``aster-dse hardware estimate``: the cost model asked directly, for a network that nobody has trained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aster_dse.cli.options import Json
from aster_dse.cli.output import number, print_json, print_table, table
from aster_dse.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from aster_dse.hardware import HardwareCost

__all__ = ["estimate"]


@dataclass(frozen=True)
class _Preset:
    """A published network and the frames it reads."""

    depth: int
    width: int
    resolution: int
    pooling: str
    timesteps: int
    in_channels: int
    classes: int
    input_bits: int
    event_mode: bool = False


def _imagenet(depth: int, width: int) -> _Preset:
    return _Preset(depth, width, 224, "1111", 4, 3, 1000, 8)


# Yao et al., "Spike-driven Transformer", NeurIPS 2023, and its published training configurations.
_PRESETS = {
    "sdt-8-384": _imagenet(8, 384),
    "sdt-6-512": _imagenet(6, 512),
    "sdt-8-512": _imagenet(8, 512),
    "sdt-10-512": _imagenet(10, 512),
    "sdt-8-768": _imagenet(8, 768),
    "sdt-2-256-cifar": _Preset(2, 256, 32, "0011", 4, 3, 10, 8),
    "sdt-2-512-cifar": _Preset(2, 512, 32, "0011", 4, 3, 10, 8),
    "sdt-2-256-cifar10-dvs": _Preset(2, 256, 64, "0011", 16, 2, 10, 1, event_mode=True),
    "sdt-2-256-gesture": _Preset(2, 256, 128, "0111", 16, 2, 11, 1, event_mode=True),
    "digits-dvs": _Preset(2, 32, 32, "1101", 4, 2, 10, 1),
}
_FRAME_KNOBS = ("workload.resolution", "workload.timesteps")


def estimate(
    network: Annotated[
        str, typer.Option(metavar="PRESET", help=f"One of {', '.join(_PRESETS)}.")
    ] = "digits-dvs",
    firing_rate: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of neurons that fire in a step, in every layer.")
    ] = 0.2,
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
    json: Json = False,
) -> None:
    """Estimate energy, latency and area of one inference, with independent spikes of one rate."""
    if network not in _PRESETS:
        raise InputError("--network", f"there is no preset {network!r}", f"one of {', '.join(_PRESETS)}")
    knobs = _hardware_file(hardware) if hardware is not None else {}
    for setting in set_ or []:
        path, value = _setting(setting)
        knobs[path] = value
    if library is not None:
        knobs["hardware.library"] = library
    cost = _cost(_PRESETS[network], knobs, firing_rate)
    if json:
        print_json({"network": network, "firing_rate": firing_rate, **_document(cost)})
    else:
        _print_cost(network, firing_rate, cost)


def _cost(preset: _Preset, knobs: dict[str, Any], firing_rate: float) -> HardwareCost:
    from aster_dse import hardware as model
    from aster_dse.activity.uniform import uniform_activity
    from aster_dse.network.geometry import network_geometry
    from aster_dse.space import HardwareConfig, NetworkConfig

    preset = replace(preset, **{path.split(".")[1]: knobs[path] for path in _FRAME_KNOBS if path in knobs})
    base = {
        "depth": preset.depth,
        "width": preset.width,
        "pooling": preset.pooling,
        "event_mode": preset.event_mode,
    }
    network = NetworkConfig(**{**base, **_group(knobs, "network")})
    geometry = network_geometry(
        network,
        in_channels=preset.in_channels,
        resolution=preset.resolution,
        classes=preset.classes,
        timesteps=preset.timesteps,
        input_bits=preset.input_bits,
    )
    accelerator = model.resolve(HardwareConfig(**_group(knobs, "hardware")))
    return model.estimate(geometry, uniform_activity(geometry, firing_rate), accelerator)[0]


def _group(knobs: dict[str, Any], group: str) -> dict[str, Any]:
    prefix = f"{group}."
    return {path.removeprefix(prefix): value for path, value in knobs.items() if path.startswith(prefix)}


def _setting(setting: str) -> tuple[str, Any]:
    from aster_dse.space.document import Place, nearest_name, parse_yaml
    from aster_dse.space.knobs import knobs

    place = Place(f"--set {setting}")
    path, equals, text = setting.partition("=")
    path = path.strip()
    if not equals:
        raise place.error("no setting", "write path=value, as in network.width=32")
    known = [p for p in knobs() if p.startswith(("network.", "hardware.")) or p in _FRAME_KNOBS]
    if path not in known:
        raise place.error(f"there is no knob {path}", nearest_name(path, known))
    return path, knobs()[path].check(parse_yaml(text, place), place)


def _hardware_file(file: Path) -> dict[str, Any]:
    from aster_dse.space.document import Place, nearest_name, parse_yaml
    from aster_dse.space.knobs import knobs

    place = Place(str(file))
    try:
        content = parse_yaml(file.read_text(encoding="utf-8"), place)
    except FileNotFoundError:
        raise NotFoundError(f"{file}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise place.error(f"cannot be read: {getattr(error, 'strerror', None) or 'not text'}") from None
    if not isinstance(content, dict):
        raise place.error("no mapping", "write it like rows: 64")
    known = {path.removeprefix("hardware."): path for path in knobs() if path.startswith("hardware.")}
    for name in content:
        if name not in known:
            raise place.at(name).error("unknown knob", nearest_name(name, known))
    return {known[name]: knobs()[known[name]].check(value, place.at(name)) for name, value in content.items()}


def _document(cost: HardwareCost) -> dict[str, Any]:
    return {
        "energy_uj": cost.energy_uj,
        "latency_us": cost.latency_us,
        "area_mm2": cost.area_mm2,
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
        "utilisation": cost.utilisation,
        "notes": list(cost.notes),
    }


def _print_cost(network: str, firing_rate: float, cost: HardwareCost) -> None:
    print(
        f"{network} at firing rate {firing_rate:g}: {number(cost.energy_uj)} uJ, "
        f"{number(cost.latency_us)} us, {number(cost.area_mm2)} mm² "
        f"({number(cost.arrays)} arrays on {number(cost.tiles)} tiles, "
        f"{cost.utilisation:.0%} of the cells used, library {cost.library})"
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
    for note in cost.notes:
        print(f"note: {note}")
