"""Weights saved by the published Spike-Driven Transformer and ASTER code, loaded into our network."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aster_dse.errors import InputError
from aster_dse.network.finite import check_finite
from aster_dse.network.model import SpikeDrivenTransformer
from aster_dse.network.weights_file import plain_names, read_weights

__all__ = [
    "PublishedShape",
    "load_published",
    "load_translated",
    "published_shape",
    "stated_shape",
    "translate",
]

_COUNT = ".num_batches_tracked"
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
            with the published names; those of wrappers (``module.``, ``_orig_mod.``) are left out.

    Raises:
        NotFoundError: there is no such file.
        InputError: it cannot be read, does not fit the network's configuration, or holds NaN or infinity.
    """
    where = str(source) if isinstance(source, Path) else "published weights"
    weights = read_weights(source).weights if isinstance(source, Path) else source
    load_translated(model, translate(weights, where), where)


def load_translated(model: SpikeDrivenTransformer, weights: Mapping[str, Tensor], where: str) -> None:
    """Load weights that have our names already.

    The counts of batches that batch norms have seen may be missing: old files and converted ones have none,
    and nothing here reads them.

    Raises:
        InputError: with the first names that are missing or unknown, and their number.
    """
    expected = model.state_dict()
    counts = {name: tensor for name, tensor in expected.items() if name.endswith(_COUNT)}
    weights = {**counts, **weights}
    missing = sorted(expected.keys() - weights.keys())
    unknown = sorted(weights.keys() - expected.keys())
    if missing or unknown:
        problems = [_names("no", missing), _names("unknown", unknown)]
        raise InputError(
            where,
            "; ".join(problem for problem in problems if problem),
            "depth, neuron and mode must be those it was trained with",
        )
    for name, tensor in weights.items():
        if tensor.shape != expected[name].shape:
            raise InputError(
                where,
                f"{name} has shape {tuple(tensor.shape)}, the network needs {tuple(expected[name].shape)}",
                "the network's configuration must be that of the weights",
            )
    model.load_state_dict(dict(weights))


def _names(kind: str, names: Sequence[str], most: int = 3) -> str:
    if not names:
        return ""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{kind} " + f", {kind} ".join(names[:most]) + rest


@dataclass(frozen=True)
class PublishedShape:
    """What the weights alone tell of their network."""

    width: int
    depth: int
    mlp_ratio: int
    stem: str
    neuron: str
    classes: int
    in_channels: int
    num_heads: int | None
    """None where the weights of the unused mixing of heads are not there."""

    @property
    def knobs(self) -> dict[str, Any]:
        """Of :class:`~aster_dse.space.NetworkConfig`, by short name."""
        facts = {
            "width": self.width,
            "depth": self.depth,
            "mlp_ratio": self.mlp_ratio,
            "stem": self.stem,
            "neuron": self.neuron,
        }
        return facts | ({} if self.num_heads is None else {"num_heads": self.num_heads})


def published_shape(weights: Mapping[str, Tensor], where: str) -> PublishedShape:
    """Read the shape of the network off its weights.

    Raises:
        InputError: weights of another kind of network, or of a shape that ours cannot take.
    """

    def size(name: str, axis: int) -> int:
        tensor = weights.get(name)
        if tensor is None or tensor.ndim <= axis:
            raise InputError(where, f"no {name}: not a Spike-Driven Transformer", "weights of SDT or ASTER")
        return int(tensor.shape[axis])

    width = size("head.weight", 1)
    hidden = size("block.0.mlp.fc1_conv.weight", 0)
    channels = [size(f"patch_embed.proj_conv{stage}.weight", 0) for stage in ("", "1", "2", "3")]
    if hidden % width or channels[3] != width or any(width % count for count in channels):
        raise InputError(
            where,
            f"width {width}, hidden width {hidden} and stem channels {'-'.join(map(str, channels))}",
            "hidden width a multiple of the width, stem channels its divisors, the last one the width",
        )
    blocks = {int(found.group(1)) for name in weights if (found := re.match(r"block\.(\d+)\.", name))}
    heads = weights.get("block.0.attn.talking_heads.weight")
    return PublishedShape(
        width=width,
        depth=max(blocks) + 1,
        mlp_ratio=hidden // width,
        stem="-".join(str(width // count) for count in channels),
        neuron="plif" if any(name.endswith("_lif.w") for name in weights) else "lif",
        classes=size("head.weight", 0),
        in_channels=size("patch_embed.proj_conv.weight", 1),
        num_heads=None if heads is None else int(heads.shape[0]),
    )


_STATED = {
    "pooling_stat": "pooling",
    "event_mode": "event_mode",
    "dvs_mode": "event_mode",
    "num_heads": "num_heads",
    "T": "timesteps",
    "time_steps": "timesteps",
    "size": "resolution",
    "img_size": "resolution",
}
_DATA_SETS = {
    "torch/cifar10": "cifar10",
    "torch/cifar100": "cifar100",
    "cifar10-dvs-tet": "cifar10-dvs",
    "gesture": "dvs-gesture",
}
"""The published names of data sets that are not ours."""


def stated_shape(stated: Mapping[str, Any]) -> dict[str, Any]:
    """What a file says of its network and weights do not tell, in our words.

    Returns:
        Some of ``pooling``, ``event_mode``, ``num_heads``, ``timesteps``, ``resolution``, ``dataset``.
    """
    found = {ours: stated[theirs] for theirs, ours in _STATED.items() if stated.get(theirs) is not None}
    dataset = stated.get("dataset")
    if isinstance(dataset, str) and dataset:
        found["dataset"] = _DATA_SETS.get(dataset, dataset)
        # The published scripts switch the mode by the name of the data set.
        found.setdefault("event_mode", found["dataset"] == "cifar10-dvs")
    return found


def translate(weights: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """The weights by our names, q, k and v in one.

    Raises:
        InputError: q, k or v of a block is missing, or a weight that is used holds NaN or infinity.
    """
    translated: dict[str, Tensor] = {}
    fused: dict[str, dict[str, Tensor]] = {}
    used: dict[str, Tensor] = {}
    for name, tensor in plain_names(weights, where).items():
        # The published code creates these and never uses them.
        if re.search(r"\.(talking_heads|attn_lif|rpe_lif)\.", name):
            continue
        used[name] = tensor
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
            ours = name
            for pattern, replacement in _NAMES:
                ours = re.sub(pattern, replacement, ours)
            translated[ours] = tensor
    check_finite(used, where)
    for name, parts in fused.items():
        if name.endswith(_COUNT):
            translated[name] = next(iter(parts.values()))
            continue
        if absent := [letter for letter in "qkv" if letter not in parts]:
            # The name under which the file would hold it.
            found = re.fullmatch(r"blocks\.(\d+)\.attention\.qkv(?:_lif\.|\.(conv|bn)\.)(.+)", name)
            block, kind, rest = found.groups() if found else ("?", None, name)
            raise InputError(
                where,
                f"no block.{block}.attn.{absent[0]}_{kind or 'lif'}.{rest}",
                "the weights of q, k and v go together",
            )
        ordered = [parts[letter] for letter in "qkv"]
        translated[name] = torch.cat(
            [tensor.reshape(-1) if tensor.ndim == 0 else tensor for tensor in ordered]
        )
    return translated
