"""Sequences ``[T, B, H, W, C]`` as images, and what needs no weights on them."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import max_pool2d

from aster_dse.network.kernels.library import FAST, STEADY, Build

__all__ = ["images", "pool", "sequence", "token_mean"]


def images(x: Tensor) -> Tensor:
    """``[T, B, H, W, C]`` seen as ``[T * B, C, H, W]``, channels-last in memory."""
    return x.flatten(0, 1).permute(0, 3, 1, 2)


def sequence(x: Tensor, steps: int) -> Tensor:
    """``[T * B, C, H, W]`` seen as ``[T, B, H, W, C]``."""
    merged, channels, height, width = x.shape
    return x.permute(0, 2, 3, 1).reshape(steps, merged // steps, height, width, channels)


def pool(x: Tensor) -> Tensor:
    """3x3 max-pool with stride 2 of ``[T, B, H, W, C]``."""
    return sequence(max_pool2d(images(x), 3, stride=2, padding=1), len(x))


def token_mean(x: Tensor, build: Build = FAST) -> Tensor:
    """``[T, B, 1, 1, C]`` mean over the pixels; with steady kernels summed one pixel after the other."""
    if build != STEADY:
        return x.mean((2, 3), keepdim=True)
    first, *others = x.flatten(2, 3).unbind(2)
    total = first.clone()
    for pixel in others:
        total += pixel
    return (total / float(1 + len(others)))[:, :, None, None]
