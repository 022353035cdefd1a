"""``aster-dse record``: images filmed by the simulated event camera, as a data set of events."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from aster_dse.cli.data import loaded
from aster_dse.cli.networks import Data, Settings
from aster_dse.cli.options import Json
from aster_dse.cli.output import duration, print_json, say
from aster_dse.cli.settings import settings
from aster_dse.commands import Places, command

__all__ = ["record"]

_NATIVE = {"cifar10": 32, "cifar100": 32}
"""Sides of images that are smaller than a sensor; others are read as large as the sensor is."""
_KNOBS = ("workload.folder", "workload.classes", "workload.resolution", "workload.validation_share")
_LINE_EVERY_S = 5.0


def record(
    workload: Annotated[
        str,
        typer.Argument(
            metavar="WORKLOAD", help="A data set of still images: digits, cifar10, image-folder, ..."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the recordings go.")
    ],
    data: Data = None,
    set_: Settings = None,
    resolution: Annotated[
        int, typer.Option(min=8, max=512, help="Height and width of the sensor, pixels.")
    ] = 64,
    bins: Annotated[
        int, typer.Option(min=1, max=1000, help="Legs of the motion, 25 ms each; four are one loop.")
    ] = 16,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, help="At most so many images for training and for the test, the classes in turn."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Draws the sensor, the motion, the noise.")
    ] = 0,
    json: Json = False,
) -> None:
    """Film still images with the simulated event camera, as a folder that event-folder reads.

    A run that was cut off goes on where it stopped.
    """
    from aster_dse.space import Candidate, NetworkConfig, TrainingConfig, WorkloadConfig, assign
    from aster_dse.workload import record_workload

    side = min(_NATIVE.get(workload, resolution), resolution)
    usual = Candidate(
        workload=WorkloadConfig(name=workload, resolution=side, timesteps=1),
        network=NetworkConfig(),
        training=TrainingConfig(),
    )
    images = loaded(assign(usual, settings(set_ or [], _KNOBS)).workload, data)
    made = record_workload(
        images, output, resolution=resolution, bins=bins, seed=seed, limit=limit, on_sample=_progress()
    )
    if json:
        print_json({**asdict(made), "folder": str(made.folder)})
        return
    kept = f", {made.kept:,} were there" if made.kept else ""
    each = f", {made.events / made.recorded:,.0f} events each" if made.recorded else ""
    print(f"{output}: {made.recorded:,} recordings of {made.duration_us / 1000:g} ms made{kept}{each}")
    place = output.absolute()
    knobs = {"workload.folder": place.name, "workload.classes": made.classes}
    options = [word for path, value in knobs.items() for word in ("--set", f"{path}={value}")]
    print("train on them with:")
    print(f"  {command('train', 'event-folder', options=options, places=Places(data=place.parent))}")


def _progress() -> Callable[[int, int], None]:
    """Tell on stderr how far it is, now and then."""
    started = told = time.monotonic()
    first: int | None = None

    def report(done: int, total: int) -> None:
        nonlocal told, first
        first = done if first is None else first
        now = time.monotonic()
        if now - told < _LINE_EVERY_S or done == total:
            return
        told = now
        left = (now - started) / max(1, done - first) * (total - done)
        say(f"{done:,} of {total:,} recordings, about {duration(left)} left")

    return report
