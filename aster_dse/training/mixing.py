"""Mixing two samples of a batch and their labels: mixup and cutmix.

Sources: Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018; Yun et al., "CutMix:
Regularization Strategy to Train Strong Classifiers with Localizable Features", ICCV 2019.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from aster_dse.space import TrainingConfig

__all__ = ["Mix", "draw_mix", "mixed_inputs", "mixed_labels"]

_STREAM = 0x31C


@dataclass(frozen=True)
class Mix:
    """How a batch is mixed: every sample with the one at its place counted from the end."""

    own: float
    """Share of the sample itself."""
    box: tuple[int, int, int, int] | None
    """Top, left, bottom and right of what comes from the other; None blends whole samples."""


def draw_mix(config: TrainingConfig, epoch: int, step: int, height: int, width: int) -> Mix | None:
    """How the batch of this step is mixed; None leaves it as it is. Both kinds given, each has its half."""
    if not (config.mixup or config.cutmix):
        return None
    if config.mix_epochs is not None and epoch > config.mix_epochs:
        return None
    random = np.random.default_rng([config.seed, _STREAM, epoch, step])
    if random.random() >= config.mix_probability:
        return None
    cut = bool(config.cutmix) and (not config.mixup or random.random() < 0.5)
    alpha = config.cutmix if cut else config.mixup
    own = float(random.beta(alpha, alpha))
    if not cut:
        return Mix(own, None)
    high, wide = height * math.sqrt(1.0 - own), width * math.sqrt(1.0 - own)
    y, x = int(random.integers(height)), int(random.integers(width))
    top, bottom = max(0, round(y - high / 2)), min(height, round(y + high / 2))
    left, right = max(0, round(x - wide / 2)), min(width, round(x + wide / 2))
    # What is cut off at the border counts for the sample itself.
    return Mix(1.0 - (bottom - top) * (right - left) / (height * width), (top, left, bottom, right))


def mixed_inputs(inputs: Tensor, partners: Tensor, mix: Mix) -> Tensor:
    """``[T, B, C, H, W]`` mixed with ``partners`` of the same shape."""
    if mix.box is None:
        return inputs * mix.own + partners * (1.0 - mix.own)
    top, left, bottom, right = mix.box
    out = inputs.clone()
    out[..., top:bottom, left:right] = partners[..., top:bottom, left:right]
    return out


def mixed_labels(labels: Tensor, partners: Tensor, classes: int, mix: Mix) -> Tensor:
    """``[B, classes]`` probabilities."""
    own = one_hot(labels, classes).to(torch.float32)
    return own * mix.own + one_hot(partners, classes).to(torch.float32) * (1.0 - mix.own)
