"""``aster-dse hardware compare``: one network on our accelerator and elsewhere, each with its assumptions."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from aster_dse.cli.hardware import FiringRate, NetworkName, geometry_of, knobs_of
from aster_dse.cli.networks import Settings
from aster_dse.cli.options import Json
from aster_dse.cli.output import number, print_json, print_table, table
from aster_dse.cli.settings import group

__all__ = ["compare"]


def compare(
    network: NetworkName = "digits-dvs",
    firing_rate: FiringRate = 0.2,
    set_: Settings = None,
    hardware: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML with knobs of the accelerator.")
    ] = None,
    library: Annotated[
        str | None, typer.Option(help="Component library: the name of one that ships, or a YAML file.")
    ] = None,
    json: Json = False,
) -> None:
    """Compare the cost of one inference with an edge GPU, a neuromorphic chip and published estimates."""
    from aster_dse.hardware.baselines.compare import comparison
    from aster_dse.space import HardwareConfig

    knobs = knobs_of(hardware, set_, library)
    geometry = geometry_of(network, knobs)
    found = comparison(geometry, HardwareConfig(**group(knobs, "hardware")), firing_rate)
    ours = found[0]
    if json:
        alternatives = [
            {
                **asdict(row),
                "energy_ratio": row.energy_uj / ours.energy_uj,
                "latency_ratio": None
                if row.latency_us is None or ours.latency_us is None
                else row.latency_us / ours.latency_us,
            }
            for row in found
        ]
        print_json({"network": network, "firing_rate": firing_rate, "alternatives": alternatives})
        return
    print(f"{network} at firing rate {firing_rate:g}, one inference")
    rows = table(
        ["", "energy uJ", "over ours", "latency us", "over ours"],
        right=["energy uJ", "over ours", "latency us"],
    )
    for row in found:
        latency = ratio = ""
        if row.latency_us is not None and ours.latency_us is not None:
            latency, ratio = number(row.latency_us), f"{number(row.latency_us / ours.latency_us)}x"
        rows.add_row(
            row.name, number(row.energy_uj), f"{number(row.energy_uj / ours.energy_uj)}x", latency, ratio
        )
    print_table(rows)
    for row in found:
        print(f"{row.name}: {row.assumptions}")
