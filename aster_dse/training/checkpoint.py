"""Checkpoints in safetensors: tensors and JSON text, nothing that could run when it is loaded.

Two files lie in a training's folder: ``epoch.safetensors`` while it runs (weights, averaged weights and the
optimiser's state, replaced after every epoch) and ``network.safetensors`` when it has ended (the weights to
use). Each is written beside its place and renamed into it, so a reader never sees half a file.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from aster_dse.errors import AsterError, InputError, NotFoundError, machine_fault
from aster_dse.network.model import SpikeDrivenTransformer
from aster_dse.network.on_workload import geometry_for
from aster_dse.space import TRAINING_VERSION, NetworkConfig, TrainingConfig, WorkloadConfig
from aster_dse.training.trained import EpochRow, InitialWeights, TrainedNetwork

__all__ = ["EPOCH_FILE", "NETWORK_FILE", "load_trained", "read", "write"]

_log = logging.getLogger(__name__)

NETWORK_FILE = "network.safetensors"
EPOCH_FILE = "epoch.safetensors"


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Replace ``path`` by these tensors and this JSON-able metadata, in one step."""
    content = safetensors.torch.save(
        {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()},
        metadata={name: json.dumps(value) for name, value in metadata.items()},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".part", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a file that :func:`write` made.

    Raises:
        NotFoundError: there is none.
        InputError: it is no safetensors file, is cut short, or was not written here.
    """
    if not path.is_file():
        raise NotFoundError(f"{path}: no such checkpoint")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            texts = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        metadata = {name: json.loads(text) for name, text in texts.items()}
    except (safetensors.SafetensorError, json.JSONDecodeError, OSError) as error:
        raise InputError(
            str(path), f"cannot be read: {error}", "a checkpoint written by a training"
        ) from error
    return tensors, metadata


def train_anew_for(error: AsterError) -> None:
    """Log that a file is damaged. One that the machine fails to read may be whole: the error is raised."""
    if machine_fault(error) == "machine":
        raise error
    _log.warning("%s; training anew", error)


def identity(
    workload: WorkloadConfig,
    network: NetworkConfig,
    training: TrainingConfig,
    initial: InitialWeights | None = None,
) -> dict[str, Any]:
    """What a checkpoint must agree on to belong to a configuration."""
    return {
        "version": TRAINING_VERSION,
        "workload": workload.model_dump(mode="json"),
        "network": network.model_dump(mode="json"),
        "training": training.model_dump(mode="json"),
        "initial": None if initial is None else initial.digest,
    }


def write_trained(path: Path, trained: TrainedNetwork, configuration: Mapping[str, Any]) -> None:
    """Write a finished training."""
    metadata: dict[str, Any] = {
        **configuration,
        "accuracy": trained.accuracy,
        "wall_s": trained.wall_s,
        "cpu_s": trained.cpu_s,
        "history": [asdict(row) for row in trained.history],
    }
    write(path, trained.model.state_dict(), metadata)


def load_trained(path: Path, *, device: str | torch.device = "cpu") -> TrainedNetwork:
    """The network of a finished training, from ``network.safetensors`` or the folder that holds it.

    Raises:
        NotFoundError: there is none.
        InputError: the file is damaged or no checkpoint of a finished training.
    """
    path = path / NETWORK_FILE if path.is_dir() else path
    tensors, metadata = read(path)
    try:
        network = NetworkConfig.model_validate(metadata["network"])
        workload = WorkloadConfig.model_validate(metadata["workload"])
        geometry = geometry_for(workload, network)
        model = SpikeDrivenTransformer(network, geometry)
        model.load_state_dict(tensors)
        history = tuple(EpochRow(**row) for row in metadata["history"])
        figures = {name: float(metadata[name]) for name in ("accuracy", "wall_s", "cpu_s")}
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        text = " ".join(str(error).split())
        raise InputError(
            str(path), f"is not a finished training: {text}", "the file a training left"
        ) from error
    return TrainedNetwork(
        model=model.to(device).eval(),
        geometry=geometry,
        epochs=len(history),
        parameters=sum(p.numel() for p in model.parameters()),
        history=history,
        resumed_from_epoch=len(history),
        **figures,
    )
