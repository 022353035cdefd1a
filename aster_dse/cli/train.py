"""``aster-dse train`` and ``finetune``: one network, trained to a checkpoint that is gone on from."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aster_dse.cli.data import identified
from aster_dse.cli.networks import (
    CheckpointPath,
    Data,
    Device,
    DeviceName,
    PresetName,
    Settings,
    Threads,
    Weights,
    checked_device,
    say_assumed,
)
from aster_dse.cli.options import Json
from aster_dse.cli.output import say, stdout_kept_clean
from aster_dse.cli.settings import settings
from aster_dse.cli.training_run import Plan, option_words, report, run_training
from aster_dse.commands import Places, command
from aster_dse.errors import InputError

if TYPE_CHECKING:
    from aster_dse.space import Candidate, NetworkConfig, WorkloadConfig
    from aster_dse.space.presets import Preset
    from aster_dse.training import InitialWeights, TrainedNetwork

__all__ = ["finetune", "train"]

_GROUPS = ("workload.", "network.", "training.")

Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="DIR",
        help="Folder of the checkpoint; default one named after the configuration, here.",
    ),
]
Test = Annotated[
    bool, typer.Option("--test", help="Measure the test samples too, once the training has ended.")
]


def train(
    workload: Annotated[
        str, typer.Argument(metavar="WORKLOAD", help="Name of the data set, as in cifar10 or digits-dvs.")
    ],
    preset: PresetName = None,
    data: Data = None,
    set_: Settings = None,
    output: Output = None,
    device: Device = DeviceName.AUTO,
    threads: Threads = 1,
    test: Test = False,
    json: Json = False,
) -> None:
    """Train one network; the same command goes on after anything."""
    knobs = settings(set_ or [], _GROUPS)
    with stdout_kept_clean():
        chosen = _preset_for(workload, preset, knobs)
        candidate = identified(_candidate(_workload(workload, chosen), chosen, None, knobs), data)
        folder = output or Path(f"{workload}-{candidate.training_key()}")
        options = option_words(preset, set_, folder, device, threads, test)
        again = command("train", workload, options=options, places=Places(data=data))
        plan = Plan(candidate, folder, data, checked_device(device), threads, again)
        document = run_training(plan, test=test)
    report(document, data=data, json=json)


def finetune(
    checkpoint: CheckpointPath,
    workload: Annotated[
        str | None,
        typer.Argument(metavar="[WORKLOAD]", help="Data set to train on; default the checkpoint's own."),
    ] = None,
    preset: PresetName = None,
    weights: Weights = None,
    data: Data = None,
    set_: Settings = None,
    output: Output = None,
    device: Device = DeviceName.AUTO,
    threads: Threads = 1,
    test: Test = False,
    json: Json = False,
) -> None:
    """Train on from the weights of a checkpoint, ours or SDT's or ASTER's."""
    knobs = settings(set_ or [], _GROUPS)
    with stdout_kept_clean():
        from aster_dse.evaluation.checkpoint import UNKNOWN, Wishes, load_checkpoint
        from aster_dse.space.presets import preset as known

        wanted = Wishes(
            knobs={path: value for path, value in knobs.items() if not path.startswith("training.")},
            preset=known(preset) if preset is not None else None,
            workload=workload,
            copy=None if weights is None else weights.value,
        )
        found = load_checkpoint(checkpoint, wanted)
        say_assumed(found)
        name = found.workload.name
        if name == UNKNOWN:
            raise InputError(str(checkpoint), "does not say its data set", "finetune CHECKPOINT WORKLOAD")
        chosen = _preset_for(name, preset, knobs)
        # The network keeps its frames, unless a preset is named.
        base = found.workload if preset is None else _workload(name, chosen)
        base = base.model_copy(update={"data": None})  # of its training; this one's is what lies there now
        candidate = identified(_candidate(base, chosen, found.network, knobs), data)
        initial = _initial(found.trained, candidate, checkpoint)
        folder = output or Path(f"{name}-{candidate.training_key()}-from-{initial.digest[:8]}")
        options = ["--weights", weights.value] if weights else []
        options += option_words(preset, set_, folder, device, threads, test)
        named = [checkpoint, workload] if workload else [checkpoint]
        again = command("finetune", *named, options=options, places=Places(data=data))
        plan = Plan(candidate, folder, data, checked_device(device), threads, again, initial)
        document = run_training(plan, test=test)
    report(document, data=data, json=json)


def _preset_for(workload: str, name: str | None, knobs: dict[str, Any]) -> Preset | None:
    """The preset that is named, else the first one of the data set, if there is any.

    Raises:
        InputError: the one that is named reads other frames than the data set has.
    """
    from aster_dse.space.presets import preset, preset_names
    from aster_dse.workload import workload_shape

    known = [preset(entry) for entry in preset_names()]
    if name is None:
        return next((entry for entry in known if entry.workload.name == workload), None)
    chosen = preset(name)
    if chosen.workload.name != workload:
        theirs, ours = workload_shape(chosen.workload), workload_shape(_workload(workload, chosen, knobs))
        if (theirs.in_channels, theirs.static) != (ours.in_channels, ours.static):
            fitting = [entry.name for entry in known if entry.workload.name == workload]
            raise InputError(
                f"--preset {name}",
                f"reads {_frames(theirs.in_channels, theirs.static)}, {workload} has "
                f"{_frames(ours.in_channels, ours.static)}",
                f"one of {', '.join(fitting)}" if fitting else "leave it out",
            )
    return chosen


def _frames(channels: int, static: bool) -> str:
    return f"{'images' if static else 'event frames'} of {channels} channels"


def _workload(name: str, chosen: Preset | None, knobs: dict[str, Any] | None = None) -> WorkloadConfig:
    from aster_dse.evaluation.checkpoint import workload_for

    fallback = None
    if chosen is not None:
        fallback = chosen.workload.model_copy(update={"name": name, "folder": None})
    return workload_for(name, knobs or {}, fallback=fallback)


def _candidate(
    workload: WorkloadConfig, chosen: Preset | None, network: NetworkConfig | None, knobs: dict[str, Any]
) -> Candidate:
    """What is trained: the preset's network and recipe where there is one, ``--set`` over all.

    Raises:
        InputError: frames that the data set does not have.
    """
    from aster_dse.space import Candidate, NetworkConfig, TrainingConfig, assign
    from aster_dse.space.presets import in_epochs
    from aster_dse.workload import workload_shape

    training = chosen.training if chosen else TrainingConfig()
    epochs = knobs.get("training.epochs", training.epochs)
    if chosen and epochs != training.epochs:
        training = in_epochs(training, epochs)
        usual = chosen.training.epochs
        say(f"training.epochs {epochs}, not {usual}: warm-up, cool-down and mixing keep their shares")
    base = Candidate(
        workload=workload,
        network=network or (chosen.network if chosen else NetworkConfig()),
        training=training,
    )
    candidate = assign(base, knobs)
    workload_shape(candidate.workload)
    return candidate


def _initial(trained: TrainedNetwork, candidate: Candidate, path: Path) -> InitialWeights:
    """The weights to begin with; those of the head only where it tells the same classes apart.

    Raises:
        InputError: the network reads other channels than the data set has.
    """
    from aster_dse.training import InitialWeights
    from aster_dse.workload import workload_shape

    shape, has = workload_shape(candidate.workload), trained.geometry
    channels = has.synaptic[0].in_channels
    if channels != shape.in_channels:
        raise InputError(
            str(path),
            f"reads {channels} channels, {candidate.workload.name} has {shape.in_channels}",
            "a checkpoint for such frames",
        )
    state = dict(trained.model.state_dict())
    if has.classes != shape.classes:
        say(
            f"the head for {has.classes} classes is replaced by a new one for the {shape.classes} of "
            f"{candidate.workload.name}"
        )
        state = {name: tensor for name, tensor in state.items() if not name.startswith("head.")}
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].detach().cpu().contiguous().numpy().tobytes())
    return InitialWeights(state, digest.hexdigest()[:20])
