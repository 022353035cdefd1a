"""Batches for the network: frames as a time-first tensor, shuffled and shifted by seed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from aster_dse.workload import Split, Workload

__all__ = ["network_input", "training_batches"]


def network_input(frames: Tensor, workload: Workload) -> Tensor:
    """Stored frames ``[B, T, C, H, W]`` as the network reads them, ``[T, B, C, H, W]`` float32.

    A static image is seen ``T`` times through a repeated view, which the network computes once.
    """
    x = frames.transpose(0, 1).to(torch.float32)
    if workload.scale != 1.0:
        x = x * workload.scale
    return x.expand(workload.config.timesteps, -1, -1, -1, -1) if workload.static else x


def training_batches(
    split: Split, batch_size: int, shift: int, seed: int, epoch: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Every sample once, in an order and with shifts that follow from ``(seed, epoch)`` alone.

    Batches differ by one sample at most, so that none is too small for its batch statistics.

    Args:
        shift: each sample moves by up to this many pixels in both directions; what enters is empty.
    """
    # Not the generator's state but the epoch decides: a resumed training goes on exactly as an unbroken one.
    rng = np.random.default_rng([seed, epoch])
    frames, labels = torch.from_numpy(split.frames), torch.from_numpy(split.labels)
    height, width = frames.shape[-2:]
    order = torch.from_numpy(rng.permutation(len(split)))
    for chosen in order.tensor_split(-(-len(split) // batch_size)):
        batch = frames[chosen]
        if shift:
            framed = pad(batch, (shift, shift, shift, shift))
            moves = rng.integers(0, 2 * shift + 1, (len(chosen), 2)).tolist()
            for sample, (down, right) in enumerate(moves):
                batch[sample] = framed[sample, ..., down : down + height, right : right + width]
        yield batch, labels[chosen]
