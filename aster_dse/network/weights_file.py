"""Reads weights that other programs saved: safetensors, and PyTorch checkpoints whose code is never run.

Understood are the checkpoints of timm's training script (which SDT and ASTER use): the weights, a copy
averaged over the steps (EMA), and the command line they were trained with, which tells what weights do not.
"""

from __future__ import annotations

import argparse
import json
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors
import torch
from torch import Tensor

from aster_dse.errors import InputError, NotFoundError

__all__ = ["WeightsCopy", "WeightsFile", "plain_names", "read_metadata", "read_weights"]

WeightsCopy = Literal["model", "ema"]

_COPIES: Mapping[WeightsCopy, tuple[str, ...]] = {
    "model": ("state_dict", "model"),
    "ema": ("state_dict_ema", "model_ema"),
}
_WRAPPERS = frozenset({"_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})
"""What torch's compiler, parallel training, averaging and checkpointing put into the names of weights."""
_AVERAGED = "n_averaged"
"""How many models ``torch.optim.swa_utils.AveragedModel`` has averaged: no weight."""
_REMEDY = "a safetensors file or a PyTorch checkpoint"

# What a checkpoint may hold beside tensors and plain values: timm's command line, and a metric from NumPy.
_HARMLESS: list[Any] = [
    argparse.Namespace,
    np.dtype,
    np.dtypes.Float64DType,
    np.dtypes.Float32DType,
    np.dtypes.Int64DType,
    (np._core.multiarray.scalar, "numpy._core.multiarray.scalar"),  # type: ignore[attr-defined]
    (np._core.multiarray.scalar, "numpy.core.multiarray.scalar"),  # type: ignore[attr-defined]
]


@dataclass(frozen=True)
class WeightsFile:
    """Weights by the names of the program that saved them, and what the file says of their network."""

    path: Path
    weights: Mapping[str, Tensor]
    """Without what wrappers of the model put into the names, see :func:`plain_names`."""
    stated: Mapping[str, Any]
    """By the saving program's own words, such as ``pooling_stat``; empty where the file says nothing."""
    copy: WeightsCopy | None
    """Which copy was taken, where the file distinguishes them."""
    copies: tuple[WeightsCopy, ...]
    """Those that it holds."""


def read_weights(path: Path, copy: WeightsCopy | None = None) -> WeightsFile:
    """Read a file of weights.

    Args:
        copy: the weights as trained, or their average; default the former where the file holds it.

    Raises:
        NotFoundError: there is no such file.
        InputError: it cannot be read, holds no weights or not that copy, or would run code.
    """
    if not path.is_file():
        raise NotFoundError(f"{path}: no such file")
    if path.suffix == ".safetensors":
        content, stated = _safetensors(path)
    else:
        content = _pickled(path)
        arguments = content.get("args")
        stated = dict(vars(arguments)) if isinstance(arguments, argparse.Namespace) else {}
    held = {name: _copy(content, keys) for name, keys in _COPIES.items()}
    copies: tuple[WeightsCopy, ...] = tuple(name for name in _COPIES if held[name] is not None)
    if copy is not None and copy not in (copies or ("model",)):
        raise InputError(str(path), f"holds no {copy} weights", f"--weights {(copies or ('model',))[0]}")
    taken = copy if copies and copy else (copies[0] if copies else None)
    found = held[taken] if taken else content
    tensors = {str(name): value for name, value in (found or {}).items() if isinstance(value, Tensor)}
    weights = plain_names(tensors, str(path))
    if not weights:
        raise InputError(str(path), "holds no weights", _REMEDY)
    return WeightsFile(path, weights, stated, taken, copies)


def plain_names(weights: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """Weights by the names of the model itself, whatever wrapped it, in whatever order: ``module.``,
    ``_orig_mod.`` and the like, before a name or inside it.

    Raises:
        InputError: two weights have the same name then.
    """
    plain: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        parts = [part for part in name.split(".") if part not in _WRAPPERS]
        short = ".".join(parts)
        if short == _AVERAGED:
            continue
        if short in plain and not torch.equal(plain[short], tensor):
            raise InputError(where, f"holds {short} twice, once as {name}", "one copy of the weights")
        plain[short] = tensor
    return plain


def read_metadata(path: Path) -> dict[str, str]:
    """The text that a safetensors file carries beside its tensors.

    Raises:
        InputError: it is damaged or no such file.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (safetensors.SafetensorError, OSError) as error:
        raise InputError(str(path), f"cannot be read: {_line(error)}", _REMEDY) from error


def _safetensors(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    texts = read_metadata(path)
    try:
        stated = json.loads(texts.get("config", "{}"))
    except json.JSONDecodeError:
        raise InputError(f"{path}: config", "is not JSON", "the metadata that the writer left") from None
    if not isinstance(stated, dict):
        raise InputError(f"{path}: config", "is no mapping", "the metadata that the writer left")
    with safetensors.safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, stated  # noqa: SIM118 - no mapping


def _pickled(path: Path) -> dict[str, Any]:
    try:
        with torch.serialization.safe_globals(_HARMLESS), warnings.catch_warnings():
            # Said of every file that torch did not write; whether it can be read is found out next.
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever the reader raises on a foreign or damaged file
        if wanted := re.search(r"GLOBAL (\S+)", str(error)):
            raise InputError(
                str(path),
                f"would run {wanted.group(1)} when loaded, so it was not",
                "save its state_dict alone, or as safetensors",
            ) from None
        foreign = "Weights only load failed" in str(error)
        problem = "no PyTorch checkpoint" if foreign else _line(error)
        raise InputError(str(path), f"cannot be read: {problem}", _REMEDY) from error
    if not isinstance(content, Mapping):
        raise InputError(str(path), f"holds a {type(content).__name__}, no weights by name", _REMEDY)
    return dict(content)


def _copy(content: Mapping[str, Any], keys: Iterable[str]) -> Mapping[str, Any] | None:
    return next((content[key] for key in keys if isinstance(content.get(key), Mapping)), None)


def _line(error: Exception) -> str:
    return getattr(error, "strerror", None) or "damaged, cut short or of another kind"
