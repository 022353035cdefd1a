"""Checkpoints in safetensors: tensors and JSON text, nothing that could run when it is loaded.

Two files lie in a training's folder: ``epoch.safetensors`` while it runs (weights, averaged weights and the
optimiser's state, replaced after every epoch) and ``network.safetensors`` when it has ended (the weights to
use). Each is written whole, with its digest beside it, which every reading compares
(:mod:`aster_dse.stored_files`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from aster_dse.errors import InputError
from aster_dse.network.finite import check_finite
from aster_dse.network.model import SpikeDrivenTransformer
from aster_dse.network.on_workload import geometry_for
from aster_dse.network.published import load_translated
from aster_dse.network.weights_file import plain_names
from aster_dse.space import TRAINING_VERSION, NetworkConfig, TrainingConfig, WorkloadConfig
from aster_dse.stored_files import DamagedFileError, keep, read_kept
from aster_dse.training.trained import EpochRow, InitialWeights, TrainedNetwork

__all__ = ["EPOCH_FILE", "NETWORK_FILE", "load_trained", "read", "weights_digest", "write"]

NETWORK_FILE = "network.safetensors"
EPOCH_FILE = "epoch.safetensors"


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Replace ``path`` by these tensors and this JSON-able metadata, in one step."""
    content = safetensors.torch.save(
        {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()},
        metadata={name: json.dumps(value) for name, value in metadata.items()},
    )
    keep(path, content)


def read(path: Path, *, expected: str | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a file that :func:`write` made.

    Args:
        expected: SHA-256 of a file that has none beside it, where another place knows it.

    Raises:
        NotFoundError: there is none.
        DamagedFileError: it is not what was written, or no safetensors file.
        NotFiniteWeightsError: it holds values that are no numbers, whoever wrote them.
        InputError: it cannot be read.
    """
    try:
        found = _parsed(path, read_kept(path, "checkpoint", expected=expected))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(str(path), f"cannot be read: {reason}", "make it readable") from error
    except DamagedFileError as error:
        if error.content:
            with suppress(DamagedFileError):
                check_finite(_parsed(path, error.content)[0], str(path))  # says more, where it is that
        raise
    check_finite(found[0], str(path))
    return found


def _parsed(path: Path, content: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        tensors = safetensors.torch.load(content)
        length = int.from_bytes(content[:8], "little")
        texts = json.loads(content[8 : 8 + length]).get("__metadata__") or {}
        metadata = {name: json.loads(text, parse_constant=_no_number) for name, text in texts.items()}
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        text = " ".join(str(error).split())
        raise DamagedFileError(
            str(path), f"cannot be read: {text}", "a checkpoint written by a training"
        ) from error
    return tensors, metadata


def _no_number(word: str) -> float:
    raise ValueError(f"its metadata holds {word}")


def weights_digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of weights, whatever else their file says: equal for two trainings that ended alike."""
    digest = hashlib.sha256()
    for name, values in sorted(state.items()):
        digest.update(f"{name} {values.dtype} {tuple(values.shape)} ".encode())
        digest.update(values.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


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


def load_trained(
    path: Path, *, device: str | torch.device = "cpu", expected: str | None = None
) -> TrainedNetwork:
    """The network of a finished training, from ``network.safetensors`` or the folder that holds it.

    Args:
        expected: as for :func:`read`.

    Raises:
        NotFoundError: there is none.
        InputError: the file is damaged or no checkpoint of a finished training.
    """
    path = path / NETWORK_FILE if path.is_dir() else path
    trained = trained_of(*read(path, expected=expected), path)
    trained.model.to(device)
    return trained


def trained_of(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], path: Path) -> TrainedNetwork:
    """The network of what :func:`read` gave.

    Args:
        path: where it lies, for messages.

    Raises:
        InputError: it is no finished training.
    """
    try:
        network = NetworkConfig.model_validate(metadata["network"])
        workload = WorkloadConfig.model_validate(metadata["workload"])
        geometry = geometry_for(workload, network)
        model = SpikeDrivenTransformer(network, geometry)
        load_translated(model, plain_names(tensors, str(path)), str(path))
        history = tuple(EpochRow(**row) for row in metadata["history"])
        figures = {name: float(metadata[name]) for name in ("accuracy", "wall_s", "cpu_s")}
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        text = " ".join(str(error).split())
        raise InputError(
            str(path), f"is not a finished training: {text}", "the file a training left"
        ) from error
    return TrainedNetwork(
        model=model.eval(),
        geometry=geometry,
        epochs=len(history),
        parameters=sum(p.numel() for p in model.parameters()),
        history=history,
        resumed_from_epoch=len(history),
        **figures,
    )
