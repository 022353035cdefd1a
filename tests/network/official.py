"""Networks run with the published code: configuration, weights, inputs, logits, exits and firing log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open

from aster_dse.network.geometry import NetworkGeometry, network_geometry
from aster_dse.space import NetworkConfig

DATA = Path(__file__).parent / "data"
NAMES = ("sdt_static_lif", "sdt_event_erode_lif", "sdt_event_plif")


@dataclass(frozen=True)
class Official:
    config: NetworkConfig
    geometry: NetworkGeometry
    weights: Path
    frames: torch.Tensor
    """``[T, B, C, H, W]``"""
    logits: dict[frozenset[int], np.ndarray]
    """By the set of skipped blocks, ``[T, B, classes]``."""
    firing_rate: dict[str, dict[str, float]]
    early_exit: dict[str, Any]


def load_official(name: str) -> Official:
    weights = DATA / f"{name}.safetensors"
    with safe_open(weights, "np") as file:
        stated = json.loads(file.metadata()["config"])
    config = NetworkConfig(
        width=stated["dim"],
        depth=stated["depth"],
        mlp_ratio=stated["mlp_ratio"],
        neuron=stated["spike_mode"],
        pooling=stated["pooling_stat"],
        event_mode=stated["event_mode"],
        num_heads=stated["num_heads"],
    )
    geometry = network_geometry(
        config,
        in_channels=stated["in_channels"],
        resolution=stated["size"],
        classes=stated["classes"],
        timesteps=stated["T"],
    )
    arrays = dict(np.load(DATA / f"{name}.npz", allow_pickle=False))
    frames = torch.from_numpy(arrays.pop("input"))
    static = frames.ndim == 4
    logits = {
        frozenset(int(block) for block in key.removeprefix("logits_skip_").split(","))
        if key != "logits"
        else frozenset[int](): value
        for key, value in arrays.items()
    }
    log = json.loads((DATA / f"{name}.json").read_text())
    return Official(
        config,
        geometry,
        weights,
        frames.expand(stated["T"], *frames.shape) if static else frames.transpose(0, 1),
        logits,
        log["firing_rate"],
        log["early_exit"],
    )
