"""A network from whatever checkpoint people have: one of ours, or weights saved by SDT's and ASTER's scripts.

What weights tell (width, depth, hidden width, stem, neuron, classes, input channels) is read off them. The
rest comes from what is set by hand, from recorded inputs, from the file's metadata or command line, from a
preset that is named, and at last from the published preset of the most similar shape, which is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import BaseModel, ValidationError

from aster_dse.errors import InputError, NotFoundError
from aster_dse.evaluation.recorded import RecordedInputs
from aster_dse.network.geometry import NetworkGeometry, network_geometry
from aster_dse.network.model import SpikeDrivenTransformer
from aster_dse.network.published import (
    PublishedShape,
    load_translated,
    published_shape,
    stated_shape,
    translate,
)
from aster_dse.network.weights_file import WeightsCopy, read_metadata, read_weights
from aster_dse.space import NetworkConfig, WorkloadConfig
from aster_dse.space.model_words import model_error
from aster_dse.space.presets import Preset, preset, preset_names
from aster_dse.training import TrainedNetwork, load_trained
from aster_dse.training.checkpoint import EPOCH_FILE, NETWORK_FILE
from aster_dse.workload import workload_names, workload_shape

__all__ = ["UNKNOWN", "Checkpoint", "Wishes", "load_checkpoint", "workload_for"]

UNKNOWN = "unknown"
"""Name of the data set where nothing tells it."""

ConfigT = TypeVar("ConfigT", bound=BaseModel)

_ASKED = ("pooling", "event_mode", "num_heads")
"""Knobs of the network that weights do not tell (``num_heads`` not always)."""


@dataclass(frozen=True)
class Wishes:
    """What the user says of a checkpoint."""

    knobs: Mapping[str, Any]
    """By path: ``network.pooling``, ``workload.resolution``."""
    preset: Preset | None = None
    workload: str | None = None
    """Name of a data set."""
    copy: WeightsCopy | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A network and the data that it was made for."""

    path: Path
    trained: TrainedNetwork
    """Figures of its training are zero where the file does not tell them."""
    workload: WorkloadConfig
    ours: bool
    assumed: Mapping[str, Any]
    """Settings that nobody stated, by path."""
    assumed_from: str = ""
    """Name of the preset that they come from."""

    @property
    def network(self) -> NetworkConfig:
        return self.trained.model.config


def load_checkpoint(
    path: Path, wishes: Wishes, *, recorded: RecordedInputs | None = None, device: str = "cpu"
) -> Checkpoint:
    """Load a network.

    Args:
        path: ``network.safetensors`` of a training or its folder, or a file of published weights.
        recorded: inputs that the network shall read.

    Raises:
        NotFoundError: there is no such file.
        InputError: it is damaged, no network of this kind, or contradicts what the user says.
    """
    if path.is_dir():
        if not (path / NETWORK_FILE).is_file() and (path / EPOCH_FILE).is_file():
            raise InputError(str(path), "holds a training that has not ended", "go on with it first")
        path = path / NETWORK_FILE
    if not path.is_file():
        raise NotFoundError(f"{path}: no such checkpoint")
    if path.suffix == ".safetensors" and {"network", "workload"} <= read_metadata(path).keys():
        found = _ours(path, wishes, recorded)
    else:
        found = _published(path, wishes, recorded)
    found.trained.model.to(device).eval()
    return found


def workload_for(
    name: str, knobs: Mapping[str, Any], *, fallback: WorkloadConfig | None = None
) -> WorkloadConfig:
    """The workload of a data set as its first preset has it, unless ``fallback`` is of that data set.

    Args:
        knobs: settings by path that go first.

    Raises:
        InputError: no such data set, or a setting that it does not take.
    """
    if name not in workload_names():
        raise InputError(
            "workload", f"there is no data set {name!r}", f"one of {', '.join(workload_names())}"
        )
    presets = [preset(entry).workload for entry in preset_names()]
    known = [config for config in (fallback, *presets) if config is not None and config.name == name]
    base = known[0] if known else WorkloadConfig(name=name)
    return _validated(WorkloadConfig, base.model_dump() | _group(knobs, "workload"), "--set")


def _ours(path: Path, wishes: Wishes, recorded: RecordedInputs | None) -> Checkpoint:
    refused = [name for name in wishes.knobs if name.startswith("network.")]
    if refused:
        raise InputError(
            f"--set {refused[0]}", f"{path} says what network it holds", "only workload.* can be set"
        )
    if wishes.copy == "ema":
        raise InputError(str(path), "holds one copy of its weights", "leave out --weights")
    trained = load_trained(path)
    base = WorkloadConfig.model_validate_json(read_metadata(path)["workload"])
    # The network keeps its frames on another data set, unless told otherwise.
    frames = {"resolution": base.resolution, "timesteps": base.timesteps} | _frames_of(recorded)
    knobs = {f"workload.{name}": value for name, value in frames.items()} | dict(wishes.knobs)
    workload = workload_for(wishes.workload or base.name, knobs, fallback=base)
    if workload != base:
        shape = workload_shape(workload)
        geometry = _geometry(
            trained.model.config,
            workload,
            in_channels=trained.geometry.synaptic[0].in_channels,
            classes=trained.geometry.classes,
            input_bits=shape.input_bits,
        )
        trained = _moved(trained, geometry)
    return Checkpoint(path, trained, workload, ours=True, assumed={})


def _moved(trained: TrainedNetwork, geometry: NetworkGeometry) -> TrainedNetwork:
    """The same weights on frames of another size or number."""
    model = SpikeDrivenTransformer(trained.model.config, geometry)
    model.load_state_dict(trained.model.state_dict())
    return replace(trained, model=model.eval(), geometry=geometry)


def _published(path: Path, wishes: Wishes, recorded: RecordedInputs | None) -> Checkpoint:
    file = read_weights(path, wishes.copy)
    shape = published_shape(file.weights, str(path))
    stated = stated_shape(file.stated) | _frames_of(recorded)
    if wishes.workload is not None:
        frames = workload_for(wishes.workload, {})
        stated = {"resolution": frames.resolution, "timesteps": frames.timesteps, **stated}
    similar = wishes.preset or _most_similar(shape, stated)
    knobs, assumed = _settings(shape, stated, wishes, similar, str(path))
    network = _validated(NetworkConfig, shape.knobs | _group(knobs, "network"), str(path))
    name = wishes.workload or stated.get("dataset") or (similar.workload.name if similar else None)
    given = {key: value for key, value in knobs.items() if key.startswith("workload.")}
    if wishes.workload or name in workload_names():
        workload = workload_for(str(name), given, fallback=similar.workload if similar else None)
        input_bits = workload_shape(workload).input_bits
    else:
        workload = _validated(
            WorkloadConfig, {"name": str(name or UNKNOWN)} | _group(given, "workload"), str(path)
        )
        input_bits = 1 if shape.in_channels == 2 else 8
    geometry = _geometry(
        network, workload, in_channels=shape.in_channels, classes=shape.classes, input_bits=input_bits
    )
    with torch.random.fork_rng(devices=[]):
        model = SpikeDrivenTransformer(network, geometry)
    load_translated(model, translate(file.weights, str(path)), str(path))
    trained = TrainedNetwork(
        model=model,
        geometry=geometry,
        accuracy=0.0,
        epochs=0,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        wall_s=0.0,
        cpu_s=0.0,
        history=(),
    )
    return Checkpoint(
        path, trained, workload, ours=False, assumed=assumed, assumed_from=similar.name if similar else ""
    )


def _frames_of(recorded: RecordedInputs | None) -> dict[str, Any]:
    """What recorded inputs tell of the frames that a network reads."""
    if recorded is None:
        return {}
    steps = {} if recorded.timesteps is None else {"timesteps": recorded.timesteps}
    return {"resolution": int(recorded.frames.shape[-1]), **steps}


def _settings(
    shape: PublishedShape, stated: Mapping[str, Any], wishes: Wishes, similar: Preset | None, where: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Every setting that weights do not tell, by path, and those of them that were assumed."""
    paths = [f"network.{name}" for name in _ASKED] + ["workload.resolution", "workload.timesteps"]
    known = {f"network.{name}": value for name, value in shape.knobs.items()}
    found, assumed = dict(wishes.knobs), {}
    for path, value in found.items():
        if path in known and value != known[path]:
            raise InputError(f"--set {path}", f"{value}, but the weights of {where} say {known[path]}")
    for path in paths:
        group, _, name = path.partition(".")
        if path in found:
            continue
        if path in known:
            found[path] = known[path]
        elif name in stated:
            found[path] = stated[name]
        elif similar is not None:
            found[path] = getattr(getattr(similar, group), name)
            if wishes.preset is None:
                assumed[path] = found[path]
        else:
            raise InputError(where, f"does not say its {name}", f"--preset NAME, or --set {path}=...")
    return found, assumed


def _most_similar(shape: PublishedShape, stated: Mapping[str, Any]) -> Preset | None:
    """The preset of a published network that has most in common; input channels must agree."""
    best, most = None, -1
    for name in preset_names():
        candidate = preset(name)
        if candidate.workload.name not in workload_names() or candidate.workload.name.startswith("digits"):
            continue
        frames = workload_shape(candidate.workload)
        if frames.in_channels != shape.in_channels:
            continue
        # What is worth more than all that follow it comes first.
        agree = (
            stated.get("dataset") == candidate.workload.name,
            frames.classes == shape.classes,
            candidate.network.depth == shape.depth,
            candidate.network.width == shape.width,
            stated.get("resolution") == candidate.workload.resolution,
            stated.get("timesteps") == candidate.workload.timesteps,
        )
        score = sum(same << place for place, same in enumerate(reversed(agree)))
        if score > most:
            best, most = candidate, score
    return best


def _geometry(
    network: NetworkConfig, workload: WorkloadConfig, *, in_channels: int, classes: int, input_bits: int
) -> NetworkGeometry:
    return network_geometry(
        network,
        in_channels=in_channels,
        resolution=workload.resolution,
        classes=classes,
        timesteps=workload.timesteps,
        input_bits=input_bits,
    )


def _group(knobs: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {path.partition(".")[2]: value for path, value in knobs.items() if path.startswith(f"{name}.")}


def _validated(kind: type[ConfigT], values: Mapping[str, Any], where: str) -> ConfigT:
    try:
        return kind(**values)
    except ValidationError as error:
        raise model_error(error, kind, where) from None
