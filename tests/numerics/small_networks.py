"""Small untrained networks that fire everywhere, on random frames, for every option of the network."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch

from aster_dse.network.geometry import network_geometry
from aster_dse.network.layers import BatchNorm
from aster_dse.network.model import SpikeDrivenTransformer
from aster_dse.space import NetworkConfig, WorkloadConfig
from aster_dse.training import TrainedNetwork
from aster_dse.training.trained import Feed
from aster_dse.workload import Split, Workload

Kind = Literal["events", "images", "normalised"]
RESOLUTION, CLASSES = 16, 5
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def small_workload(
    kind: Kind = "events", *, timesteps: int = 3, train: int = 64, validation: int = 24
) -> Workload:
    """Random frames: of events, or static images with 8 bits, as they are or normalised by channel."""
    rng = np.random.default_rng(7)
    events = kind == "events"
    channels = {"events": 2, "images": 1, "normalised": 3}[kind]

    def split(samples: int) -> Split:
        shape = (samples, timesteps if events else 1, channels, RESOLUTION, RESOLUTION)
        if events:
            frames = (rng.random(shape) < 0.15).astype(np.uint8)
        else:
            # Half of the pixels are dark, as in digits, so that windows are silent here and there.
            frames = (rng.integers(0, 256, shape) * (rng.random(shape) < 0.5)).astype(np.uint8)
        return Split(frames, rng.integers(0, CLASSES, samples))

    normalised = kind == "normalised"
    return Workload(
        config=WorkloadConfig(
            name="digits-dvs" if events else "digits", resolution=RESOLUTION, timesteps=timesteps
        ),
        train=split(train),
        validation=split(validation),
        test=split(4),
        classes=CLASSES,
        in_channels=channels,
        input_bits=1 if events else 8,
        scale=1.0 if events else 1 / 255,
        static=not events,
        class_names=tuple("abcde"),
        mean=MEAN if normalised else (),
        std=STD if normalised else (),
    )


def small_network(workload: Workload, **options: Any) -> TrainedNetwork:
    """Random weights, with the norms' statistics of the training samples and gains of both signs."""
    config = NetworkConfig(**{"width": 16, "depth": 1, "stem": "4-2-1-1", **options})
    geometry = network_geometry(
        config,
        in_channels=workload.in_channels,
        resolution=RESOLUTION,
        classes=CLASSES,
        timesteps=workload.config.timesteps,
        input_bits=workload.input_bits,
    )
    torch.manual_seed(3)
    model = SpikeDrivenTransformer(config, geometry)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, BatchNorm):
                module.momentum = 1.0
                module.weight.uniform_(1.0, 2.5).mul_(
                    torch.where(torch.rand(len(module.weight)) < 0.2, -1, 1)
                )
                module.bias.uniform_(-0.2, 0.6)
        model.train()
        feed = Feed(workload.train, workload, torch.device("cpu"))
        # Norms see firing neurons before them only after these have been normalised themselves.
        for _ in range(3):
            model(feed.frames(slice(0, 64)))
    return TrainedNetwork(model.eval(), geometry, 0.2, 1, 1, 1.0, 1.0, ())
