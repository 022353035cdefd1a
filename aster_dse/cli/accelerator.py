"""The accelerator that commands on one network are given, and what its real arrays make of the network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aster_dse.cli.networks import Opened
from aster_dse.cli.output import say
from aster_dse.cli.settings import group, hardware_file, settings
from aster_dse.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from aster_dse.evaluation.array_subject import OnArrays
    from aster_dse.evaluation.result import Evaluation
    from aster_dse.hardware import HardwareCost
    from aster_dse.numerics.network_passes import NetworkPasses
    from aster_dse.space import HardwareConfig

__all__ = [
    "ArrayKind",
    "Arrays",
    "activity_of",
    "array_document",
    "cost_document",
    "hardware_of",
    "measured_on_arrays",
    "passes_of",
    "without_hardware",
]

_GROUP = "hardware."


class ArrayKind(StrEnum):
    """What ``--arrays`` takes."""

    IDEAL = "ideal"
    REAL = "real"


Arrays = Annotated[
    ArrayKind | None,
    typer.Option(
        "--arrays",
        help="Real: the network as the accelerator's arrays compute it; by default what the accelerator's "
        "knobs say, else ideal.",
    ),
]


def without_hardware(set_: list[str] | None) -> list[str]:
    """The settings of ``--set`` but those of the accelerator."""
    return [word for word in set_ or [] if not word.strip().startswith(_GROUP)]


def hardware_of(
    hardware: Path | None, library: str | None, set_: list[str] | None, arrays: ArrayKind | None
) -> HardwareConfig | None:
    """The accelerator of the options; None where none of them speaks of one.

    Raises:
        NotFoundError: there is no such file.
        InputError: a knob that is none, or an accelerator that cannot exist.
    """
    from aster_dse.hardware import resolve
    from aster_dse.space import HardwareConfig

    knobs = hardware_file(hardware) if hardware is not None else {}
    knobs |= settings([word for word in set_ or [] if word.strip().startswith(_GROUP)], [_GROUP])
    if library is not None:
        knobs["hardware.library"] = library
    if arrays is ArrayKind.REAL or (arrays is not None and knobs):
        knobs["hardware.arrays"] = arrays.value
    if not knobs and hardware is None:
        return None
    config = HardwareConfig(**group(knobs, "hardware"))
    resolve(config)
    return config


def activity_of(found: Opened, firing_log: Path | None) -> NDArray[np.float64]:
    """The blocks' activity: from a log, else recorded beside the inputs, else from training data."""
    from aster_dse.activity.firing_log import read_firing_log

    depth = found.subject.trained.geometry.depth
    if firing_log is not None:
        return read_firing_log(firing_log).block_activity(depth, str(firing_log))
    recorded = found.recorded
    if recorded is not None and recorded.log is not None:
        return recorded.log.block_activity(depth, str(recorded.path.with_suffix(".json")))
    if recorded is not None:
        say("the blocks' activity is measured on the recorded inputs; --firing-log FILE takes another")
    return found.subject.firing_log().block_activity(depth, "the network")


def cost_document(cost: HardwareCost) -> dict[str, Any]:
    """What an inference costs, for JSON."""
    return {
        "energy_uj": cost.energy_uj,
        "latency_us": cost.latency_us,
        "area_mm2": cost.area_mm2,
        "energy_pj_by_component": cost.energy_pj_by_component,
        "library": cost.library,
        "hardware": cost.knobs,
        "notes": list(cost.notes),
    }


@contextmanager
def passes_of(found: Opened, firing_log: Path | None = None) -> Iterator[NetworkPasses]:
    """Passes of an opened network while the block runs.

    Raises:
        InputError: the network has no training samples, or a firing log was given.
    """
    from aster_dse.evaluation.array_subject import network_passes, pass_folder

    if firing_log is not None:
        raise InputError(
            "--firing-log", "real arrays take the blocks' activity from training data", "leave it out"
        )
    made = 0

    def count() -> None:
        nonlocal made
        made += 1
        say(f"pass {made} through the arrays ...")

    with pass_folder(found.checkpoint.path, ours=found.checkpoint.ours) as folder:
        yield network_passes(found.subject, folder, on_pass=count)


def measured_on_arrays(found: Opened, hardware: HardwareConfig, firing_log: Path | None) -> OnArrays:
    """The network on the arrays of a design; exits, counts and accuracy come from the same passes.

    Raises:
        InputError: the network has no training samples to set ranges on.
        PassError: a pass could not be made.
    """
    from aster_dse.evaluation.array_subject import on_arrays

    with passes_of(found, firing_log) as passes:
        return on_arrays(passes, found.checkpoint.workload, hardware)


def array_document(measured: OnArrays, result: Evaluation) -> dict[str, Any]:
    """What the arrays make of a network under one policy, for JSON; figures are means over the chips."""
    hardware, metrics = result.detail["hardware"], result.metrics
    return {
        "arrays": "real",
        "accuracy_ideal": metrics["accuracy_ideal"],
        "accuracy_min": metrics["accuracy_min"],
        "accuracy_std": metrics["accuracy_std"],
        "chips": len(measured.chips),
        "energy_uj": metrics["energy_uj"],
        "latency_us": metrics["latency_us"],
        "area_mm2": metrics["area_mm2"],
        "energy_pj_by_component": hardware["energy_pj_by_component"],
        "library": hardware["library"],
        "hardware": hardware["knobs"],
        "notes": hardware["notes"],
    }
