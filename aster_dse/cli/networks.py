"""What the commands on one network share: their options, and a checkpoint made ready to be measured."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aster_dse.cli.output import say
from aster_dse.cli.settings import settings
from aster_dse.commands import command
from aster_dse.errors import InputError

if TYPE_CHECKING:
    from aster_dse.evaluation.checkpoint import Checkpoint, Wishes
    from aster_dse.evaluation.recorded import RecordedInputs
    from aster_dse.evaluation.subject import SplitName, Subject
    from aster_dse.workload import Workload

__all__ = [
    "CheckpointPath",
    "Copy",
    "Data",
    "Device",
    "DeviceName",
    "ExitMetric",
    "HardwareFile",
    "Inputs",
    "Library",
    "LogFile",
    "Metric",
    "Opened",
    "PresetName",
    "Settings",
    "Split",
    "SplitOf",
    "Threads",
    "Weights",
    "WorkloadName",
    "check_fit",
    "checked_device",
    "opened",
    "say_assumed",
    "wishes",
]


class DeviceName(StrEnum):
    """What ``--device`` takes."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Copy(StrEnum):
    """What ``--weights`` takes."""

    MODEL = "model"
    EMA = "ema"


class SplitOf(StrEnum):
    """What ``--split`` takes."""

    VALIDATION = "validation"
    TEST = "test"


class Metric(StrEnum):
    """What ``--exit-metric`` takes."""

    CONFIDENCE = "confidence"
    ENTROPY = "entropy"


CheckpointPath = Annotated[
    Path,
    typer.Argument(
        metavar="CHECKPOINT",
        help="A training's folder or network.safetensors, or weights of SDT or ASTER "
        "(.safetensors, .pth, .pth.tar).",
    ),
]
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Where data sets lie; default ASTER_DSE_DATA, else ./data."),
]
WorkloadName = Annotated[
    str | None, typer.Option("--workload", metavar="NAME", help="Data set; default the checkpoint's own.")
]
PresetName = Annotated[
    str | None, typer.Option("--preset", metavar="NAME", help="Published network and recipe by name.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change one knob, as in training.epochs=2; repeatable."),
]
Device = Annotated[DeviceName, typer.Option("--device", help="Where the network runs.")]
Threads = Annotated[int, typer.Option("--threads", min=1, metavar="N", help="Threads on the CPU.")]
Weights = Annotated[
    Copy | None,
    typer.Option("--weights", help="Of a checkpoint with both: as trained, or averaged (EMA)."),
]
Inputs = Annotated[
    Path | None,
    typer.Option("--inputs", metavar="FILE.npz", help="Recorded inputs instead of a data set."),
]
Split = Annotated[
    SplitOf | None,
    typer.Option(
        "--split",
        help="Samples to measure on; default validation for our networks, test for others', which were "
        "trained on all training samples.",
    ),
]
ExitMetric = Annotated[Metric, typer.Option("--exit-metric", help="What is held against exit thresholds.")]
HardwareFile = Annotated[
    Path | None,
    typer.Option("--hardware", metavar="FILE", help="YAML with knobs of the accelerator; adds its cost."),
]
Library = Annotated[
    str | None,
    typer.Option("--library", help="Component library: the name of one that ships, or a YAML file."),
]
LogFile = Annotated[
    Path | None,
    typer.Option(
        "--firing-log", metavar="FILE", help="Take the blocks' activity from this log, ours or ASTER's."
    ),
]


@dataclass(frozen=True)
class Opened:
    """A checkpoint, ready to be measured."""

    checkpoint: Checkpoint
    subject: Subject
    recorded: RecordedInputs | None
    data: str | None = None
    """SHA-256 of the data that it is measured on, where that lies in a folder."""

    @property
    def about(self) -> dict[str, Any]:
        """What was measured, for JSON."""
        where: dict[str, Any] = {"workload": self.checkpoint.workload.name, "split": self.subject.split}
        if self.data is not None:
            trained_on = self.checkpoint.workload.data
            where |= {"data": self.data, "data_of_training": trained_on or "unverified"}
        if self.recorded is not None:
            where = {"inputs": str(self.recorded.path)}
        return {"checkpoint": str(self.checkpoint.path), **where, "samples": len(self.subject.feed)}


def wishes(
    workload: str | None, preset: str | None, set_: list[str] | None, weights: Copy | None = None
) -> Wishes:
    """What the options say of a checkpoint.

    Raises:
        InputError: no such preset, or a setting that is none.
    """
    from aster_dse.evaluation.checkpoint import Wishes
    from aster_dse.space.presets import preset as known

    return Wishes(
        knobs=settings(set_ or [], ["workload.", "network."]),
        preset=known(preset) if preset is not None else None,
        workload=workload,
        copy=None if weights is None else weights.value,
    )


def checked_device(device: DeviceName) -> str:
    """The device by its name in torch.

    Raises:
        InputError: CUDA was asked for and is not there.
    """
    import torch

    there = torch.cuda.is_available()
    if device is DeviceName.CUDA and not there:
        raise InputError("--device", "cuda, but torch finds no CUDA device", "cpu or auto")
    return "cuda" if there and device is not DeviceName.CPU else "cpu"


def opened(
    path: Path,
    wanted: Wishes,
    *,
    data: Path | None,
    inputs: Path | None = None,
    split: SplitOf | None = None,
    samples: int | None = None,
    device: DeviceName = DeviceName.AUTO,
    threads: int = 1,
) -> Opened:
    """Load a checkpoint and what it shall be measured on.

    Args:
        split: None takes validation samples, but test samples for networks of others: those were trained on
            all training samples, from which many data sets' validation samples are taken.
        samples: training samples of the calibration; None for the usual number.

    Raises:
        NotFoundError: a file is not there.
        InputError: a file is damaged, or they do not fit together.
    """
    from aster_dse.activity.record import CALIBRATION_SAMPLES
    from aster_dse.evaluation.checkpoint import load_checkpoint
    from aster_dse.evaluation.recorded import beside, load_recorded
    from aster_dse.evaluation.subject import recorded_subject, workload_subject

    if inputs is None and data is None and wanted.workload is None:
        inputs = beside(path)
        if inputs is not None:
            say(f"using the inputs recorded beside the checkpoint, {inputs} (--data DIR takes a data set)")
    elif inputs is not None and (data is not None or wanted.workload is not None):
        raise InputError("--inputs", "given together with a data set", "leave out --data and --workload")
    recorded = None if inputs is None else load_recorded(inputs)
    checkpoint = load_checkpoint(path, wanted, recorded=recorded, device=checked_device(device))
    if checkpoint.ours and wanted.preset is not None:
        raise InputError("--preset", f"{path} says what network it holds", "leave it out")
    say_assumed(checkpoint)
    trained = checkpoint.trained
    if recorded is not None:
        return Opened(checkpoint, recorded_subject(trained, recorded, threads=threads), recorded)
    check_fit(checkpoint)
    workload = _data_of(checkpoint, wanted, data)
    name: SplitName = "validation" if checkpoint.ours else "test"
    if split is not None:
        name = split.value
    subject = workload_subject(
        trained, workload, split=name, samples=samples or CALIBRATION_SAMPLES, threads=threads
    )
    return Opened(checkpoint, subject, None, workload.config.data)


def _data_of(checkpoint: Checkpoint, wanted: Wishes, data: Path | None) -> Workload:
    """What lies there of the checkpoint's data set; said, where it is not what the network was trained on."""
    from aster_dse.cli.data import loaded

    asked = wanted.knobs.get("workload.data")
    found = loaded(checkpoint.workload.model_copy(update={"data": asked}), data)
    trained_on, now = checkpoint.workload.data, found.config.data
    if checkpoint.ours and now is not None and trained_on is None:
        say(f"data unverified: {checkpoint.path} does not say which data it was trained on")
    elif checkpoint.ours and now is not None and trained_on != now:
        say(f"the network was trained on data {str(trained_on)[:12]}, it is measured on data {now[:12]}")
    return found


def say_assumed(checkpoint: Checkpoint) -> None:
    """One line about what neither the file nor the user said."""
    if checkpoint.assumed:
        facts = ", ".join(f"{path} {value}" for path, value in checkpoint.assumed.items())
        say(f"assumed: {facts} (as {checkpoint.assumed_from}, the most similar preset; --set changes it)")


def check_fit(checkpoint: Checkpoint) -> None:
    """Whether a network can answer for its data set.

    Raises:
        InputError: the data set is not known, or has other channels or classes.
    """
    from aster_dse.evaluation.checkpoint import UNKNOWN
    from aster_dse.workload import workload_names, workload_shape

    name = checkpoint.workload.name
    if name not in workload_names():
        problem = "does not say its data set" if name == UNKNOWN else f"is for the data set {name!r}"
        raise InputError(str(checkpoint.path), problem, f"--workload, one of {', '.join(workload_names())}")
    shape, geometry = workload_shape(checkpoint.workload), checkpoint.trained.geometry
    has = (geometry.synaptic[0].in_channels, geometry.classes)
    if has != (shape.in_channels, shape.classes):
        adapting = command("finetune", checkpoint.path, name)
        raise InputError(
            str(checkpoint.path),
            f"reads {has[0]} channels and tells {has[1]} classes apart, {name} has {shape.in_channels} and "
            f"{shape.classes}",
            f"--workload names another data set; {adapting} adapts the network",
        )
