"""Augmentation of training samples: images one by one, event frames the same at every step.

Every draw comes from a generator seeded by the seed of the training, the epoch and the sample's place in the
epoch's order. So a training that goes on draws what it would have drawn, and a batch that several processes
share is augmented as if one had it all.

RandAugment: Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced search space",
CVPR workshops 2020, with operations that all grow with the magnitude, as timm's ``rand-m9-mstd0.5-inc1``.
Event frames: the operations of the published Spike-driven Transformer's event augmentation.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from aster_dse.space import TrainingConfig

__all__ = ["augment_events", "augment_images", "crop_boxes", "cut_out", "erase", "sample_generator"]

_STREAM = 0xA06
_GREY = 128
"""Colour that a moved image leaves behind it."""
_MAGNITUDE_SIGMA = 0.5
_OPERATION_PROBABILITY = 0.5

Generator = np.random.Generator
Picture = Image.Image


def sample_generator(seed: int, epoch: int, position: int) -> Generator:
    """The source of every draw for the sample at this position of an epoch's order."""
    return np.random.default_rng([seed, _STREAM, epoch, position])


def crop_boxes(
    area: float, generators: list[Generator], aspects: list[float] | None = None
) -> NDArray[np.float32]:
    """Random parts of images, ``[n, 4]``: left, top, right and bottom as shares of width and height.

    Args:
        area: the least share of the image.
        aspects: width over height of the images, 1 by default; the parts have 3/4 to 4/3, where they fit.
    """
    boxes = np.empty((len(generators), 4), dtype=np.float32)
    for box, random, aspect in zip(boxes, generators, aspects or [1.0] * len(generators), strict=True):
        share = random.uniform(area, 1.0)
        ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        width = min(1.0, math.sqrt(share * ratio / aspect))
        height = min(1.0, math.sqrt(share / ratio * aspect))
        left, top = random.uniform(0.0, 1.0 - width), random.uniform(0.0, 1.0 - height)
        box[:] = left, top, left + width, top + height
    return boxes


def augment_images(
    images: NDArray[np.uint8],
    config: TrainingConfig,
    generators: list[Generator],
    *,
    boxes: NDArray[np.float32] | None = None,
) -> NDArray[np.uint8]:
    """Augment images ``[n, C, H, W]`` of one or three channels; a crop, a mirror, then colours and shapes.

    Args:
        boxes: parts that fill the frame, as :func:`crop_boxes` gives them.
    """
    out = np.empty_like(images)
    for number, (image, random) in enumerate(zip(images, generators, strict=True)):
        picture = _picture(image)
        if boxes is not None:
            left, top, right, bottom = boxes[number] * np.tile(picture.size, 2)
            picture = picture.resize(
                picture.size,
                Image.Resampling.BICUBIC,
                box=(float(left), float(top), float(right), float(bottom)),
            )
        if random.random() < config.horizontal_flip:
            picture = ImageOps.mirror(picture)
        for _ in range(config.rand_augment_operations if config.rand_augment else 0):
            picture = _random_operation(picture, config.rand_augment, random)
        if config.color_jitter:
            picture = _jitter(picture, config.color_jitter, random)
        pixels = np.asarray(picture, dtype=np.uint8)
        out[number] = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return out


def augment_events(frames: Tensor, config: TrainingConfig, generators: list[Generator]) -> Tensor:
    """Mirror, and then shift, shear or rotate event frames ``[n, T, C, H, W]``, each sample in its own way.

    Nearest pixel; what comes in from outside is empty. Shifts up to 5 pixels, shears up to 0.3, rotations up
    to 30 degrees.
    """
    height, width = frames.shape[-2:]
    maps = np.tile(np.eye(2, 3), (len(generators), 1, 1))
    for affine, random in zip(maps, generators, strict=True):
        mirror = -1.0 if random.random() < config.horizontal_flip else 1.0
        kind, strength = int(random.integers(5)), random.uniform(-1.0, 1.0)
        if not config.event_augmentation:
            kind = 0
        if kind == 1:
            affine[0, 1] = 0.3 * strength * height / width
        elif kind in (2, 3):
            affine[kind - 2, 2] = 2.0 * round(5.0 * strength) / (width, height)[kind - 2]
        elif kind == 4:
            angle = math.radians(30.0 * strength)
            affine[:, :2] = (
                (math.cos(angle), -math.sin(angle) * height / width),
                (math.sin(angle) * width / height, math.cos(angle)),
            )
        affine[0] *= mirror
    if (maps == np.eye(2, 3)).all():
        return frames
    flat = frames.flatten(1, 2)
    grid = affine_grid(
        torch.from_numpy(maps).to(flat.device, torch.float32), list(flat.shape), align_corners=False
    )
    moved = grid_sample(flat.float(), grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return moved.view(frames.shape).to(frames.dtype)


def cut_out(frames: Tensor, side: int, generators: list[Generator]) -> Tensor:
    """Set a square around a random pixel to zero, in ``[n, T, C, H, W]``; what lies outside is cut off.

    Source: DeVries, Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017.
    """
    height, width = frames.shape[-2:]
    out = frames.clone()
    for sample, random in zip(out, generators, strict=True):
        y, x = int(random.integers(height)), int(random.integers(width))
        sample[
            ..., max(0, y - side // 2) : y - side // 2 + side, max(0, x - side // 2) : x - side // 2 + side
        ] = 0
    return out


def erase(inputs: Tensor, probability: float, generators: list[Generator]) -> Tensor:
    """Set a rectangle of 2 to 33 % of the area to zero, in normalised ``[n, ..., H, W]``: to the mean colour.

    Source: Zhong et al., "Random Erasing Data Augmentation", AAAI 2020.
    """
    height, width = inputs.shape[-2:]
    out = inputs.clone()
    for sample, random in zip(out, generators, strict=True):
        chance, share = random.random(), random.uniform(0.02, 1 / 3)
        ratio = math.exp(random.uniform(math.log(0.3), math.log(1 / 0.3)))
        if chance >= probability:
            continue
        high = min(height, max(1, round(math.sqrt(share * height * width * ratio))))
        wide = min(width, max(1, round(math.sqrt(share * height * width / ratio))))
        top, left = int(random.integers(height - high + 1)), int(random.integers(width - wide + 1))
        sample[..., top : top + high, left : left + wide] = 0
    return out


def _picture(image: NDArray[np.uint8]) -> Picture:
    return Image.fromarray(image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0)))


def _jitter(picture: Picture, strength: float, random: Generator) -> Picture:
    """Brightness, contrast and saturation in random order, each times 1 - strength to 1 + strength."""
    enhancers = [ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color]
    for index in random.permutation(3).tolist():
        factor = random.uniform(max(0.0, 1.0 - strength), 1.0 + strength)
        if picture.mode == "RGB" or index < 2:
            picture = enhancers[index](picture).enhance(factor)
    return picture


def _random_operation(picture: Picture, magnitude: float, random: Generator) -> Picture:
    operation = _OPERATIONS[int(random.integers(len(_OPERATIONS)))]
    strength = float(np.clip(random.normal(magnitude, _MAGNITUDE_SIGMA), 0.0, 10.0)) / 10.0
    sign = 1.0 if random.random() < 0.5 else -1.0
    if random.random() >= _OPERATION_PROBABILITY:
        return picture
    return operation(picture, strength, sign)


def _enhance(
    enhancer: Callable[[Picture], ImageEnhance._Enhance],
) -> Callable[[Picture, float, float], Picture]:
    return lambda picture, strength, sign: enhancer(picture).enhance(max(0.1, 1.0 + 0.9 * strength * sign))


def _affine(picture: Picture, matrix: tuple[float, float, float, float, float, float]) -> Picture:
    fill = _GREY if picture.mode == "L" else (_GREY,) * 3
    return picture.transform(
        picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC, fillcolor=fill
    )


def _solarise_add(picture: Picture, strength: float, _sign: float) -> Picture:
    table = [min(255, value + int(110 * strength)) if value < 128 else value for value in range(256)]
    return picture.point(table * len(picture.getbands()))


_OPERATIONS: tuple[Callable[[Picture, float, float], Picture], ...] = (
    lambda picture, _strength, _sign: ImageOps.autocontrast(picture),
    lambda picture, _strength, _sign: ImageOps.equalize(picture),
    lambda picture, _strength, _sign: ImageOps.invert(picture),
    lambda picture, strength, sign: picture.rotate(
        30.0 * strength * sign,
        Image.Resampling.BICUBIC,
        fillcolor=_GREY if picture.mode == "L" else (_GREY,) * 3,
    ),
    lambda picture, strength, _sign: ImageOps.posterize(picture, max(1, 4 - int(4 * strength))),
    lambda picture, strength, _sign: ImageOps.solarize(picture, 256 - int(256 * strength)),
    _solarise_add,
    _enhance(ImageEnhance.Color),
    _enhance(ImageEnhance.Contrast),
    _enhance(ImageEnhance.Brightness),
    _enhance(ImageEnhance.Sharpness),
    lambda picture, strength, sign: _affine(picture, (1, 0.3 * strength * sign, 0, 0, 1, 0)),
    lambda picture, strength, sign: _affine(picture, (1, 0, 0, 0.3 * strength * sign, 1, 0)),
    lambda picture, strength, sign: _affine(
        picture, (1, 0, 0.45 * strength * sign * picture.size[0], 0, 1, 0)
    ),
    lambda picture, strength, sign: _affine(
        picture, (1, 0, 0, 0, 1, 0.45 * strength * sign * picture.size[1])
    ),
)
