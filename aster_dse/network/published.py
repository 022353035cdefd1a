"""Reads weights saved by the published Spike-Driven Transformer and ASTER code into our network."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from aster_dse.errors import InputError, NotFoundError
from aster_dse.network.model import SpikeDrivenTransformer

__all__ = ["load_published"]

_NAMES = (
    (r"patch_embed\.rpe_(conv|bn)\.", r"stem.position.\1."),
    (r"block\.(\d+)\.attn\.shortcut_lif\.", r"blocks.\1.attention.first_lif."),
    (r"block\.(\d+)\.attn\.talking_heads_lif\.", r"blocks.\1.attention.kv_lif."),
    (r"block\.(\d+)\.attn\.proj_(conv|bn)\.", r"blocks.\1.attention.proj.\2."),
    (r"block\.(\d+)\.mlp\.(fc[12])_(conv|bn)\.", r"blocks.\1.mlp.\2.\3."),
    (r"block\.(\d+)\.mlp\.(fc[12])_lif\.", r"blocks.\1.mlp.\2_lif."),
)


def load_published(model: SpikeDrivenTransformer, source: Path | Mapping[str, Tensor]) -> None:
    """Load published weights into ``model``.

    Args:
        source: a ``.safetensors`` file, a PyTorch checkpoint (``.pth``, ``.pth.tar``), or a state dictionary
            with the published names, ``module.`` prefixes allowed.

    Raises:
        NotFoundError: there is no such file.
        InputError: it cannot be read, or does not fit the network's configuration.
    """
    where = str(source) if isinstance(source, Path) else "published weights"
    weights = _read(source) if isinstance(source, Path) else source
    try:
        translated = _translate(weights)
        expected = model.state_dict()
        missing = sorted(expected.keys() - translated.keys())
        unknown = sorted(translated.keys() - expected.keys())
        if missing or unknown:
            names = ", ".join([f"no {name}" for name in missing] + [f"unknown {name}" for name in unknown])
            raise InputError(where, names, "depth, neuron and mode must be those it was trained with")
        model.load_state_dict(translated)
    except (RuntimeError, KeyError) as error:
        text = str(error).replace("\n", " ")
        raise InputError(where, text, "the network's configuration must be that of the weights") from error


def _read(path: Path) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise NotFoundError(f"{path}: no such file")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        # timm's checkpoints carry the command line beside the weights.
        with torch.serialization.safe_globals([argparse.Namespace]):
            content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever the two readers raise on a foreign or damaged file
        raise InputError(
            str(path), f"cannot be read: {error}", "a safetensors file or a PyTorch checkpoint"
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(content.get(key), Mapping):
            content = content[key]
            break
    return content


def _translate(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    translated: dict[str, Tensor] = {}
    fused: dict[str, dict[str, Tensor]] = {}
    for published, tensor in weights.items():
        name = published.removeprefix("module.")
        # The published code creates these and never uses them.
        if re.search(r"\.(talking_heads|attn_lif|rpe_lif)\.", name):
            continue
        stage = re.fullmatch(r"patch_embed\.proj_(conv|bn|lif)([123]?)\.(.+)", name)
        part = re.fullmatch(r"block\.(\d+)\.attn\.([qkv])_(conv|bn|lif)\.(.+)", name)
        if stage:
            kind, index, rest = stage.groups()
            place = f"lifs.{index or 0}" if kind == "lif" else f"stages.{index or 0}.{kind}"
            translated[f"stem.{place}.{rest}"] = tensor
        elif part:
            block, letter, kind, rest = part.groups()
            place = "qkv_lif" if kind == "lif" else f"qkv.{kind}"
            fused.setdefault(f"blocks.{block}.attention.{place}.{rest}", {})[letter] = tensor
        else:
            for pattern, replacement in _NAMES:
                name = re.sub(pattern, replacement, name)
            translated[name] = tensor
    for name, parts in fused.items():
        ordered = [parts[letter] for letter in "qkv"]
        if name.endswith("num_batches_tracked"):
            translated[name] = ordered[0]
        else:
            translated[name] = torch.cat(
                [tensor.reshape(-1) if tensor.ndim == 0 else tensor for tensor in ordered]
            )
    return translated
