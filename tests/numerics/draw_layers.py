"""Small random layers, their inputs and the random numbers of their conditions, for ``make_cases``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Change = Callable[[dict[str, Array], np.random.Generator], None]


@dataclass(frozen=True)
class Layer:
    """What is drawn."""

    channels: int = 5
    outputs: int = 4
    kernel: int = 3
    height: int = 3
    width: int = 4
    steps: int = 2
    samples: int = 2
    rate: float = 0.3
    norm: bool = True
    conv_bias: bool = False
    changes: tuple[Change, ...] = field(default=())
    """Applied to the drawn arrays in turn."""


def zero_weights(arrays: dict[str, Array], _: np.random.Generator) -> None:
    arrays["weights"][:] = 0


def half_steps(arrays: dict[str, Array], rng: np.random.Generator) -> None:
    """Weights on half steps: the largest is 127, so that the step is exactly 1."""
    weights = arrays["weights"]
    weights[:] = rng.integers(-252, 253, weights.shape) / 2
    weights.flat[0] = 127


def large_weights(arrays: dict[str, Array], rng: np.random.Generator) -> None:
    """Nearly all cells nearly full in the first output; the others as drawn, but none larger."""
    weights = arrays["weights"]
    weights[:] = np.clip(weights, -1, 1)
    weights[0] = rng.uniform(0.97, 1.0, weights[0].shape)


def silent_calibration(arrays: dict[str, Array], _: np.random.Generator) -> None:
    arrays["calibration"][:] = 0


def negative_gains(arrays: dict[str, Array], _: np.random.Generator) -> None:
    arrays["gamma"] *= np.where(np.arange(len(arrays["gamma"])) % 2, 1, -1).astype(np.float32)


def images(arrays: dict[str, Array], rng: np.random.Generator) -> None:
    for name in ("calibration", "inputs"):
        arrays[name] = np.array(rng.integers(0, 256, arrays[name].shape, dtype=np.uint8))
    arrays["image_mean"] = np.array([0.4914, 0.4822, 0.4465])
    arrays["image_std"] = np.array([0.2470, 0.2435, 0.2616])


def raw_counts(arrays: dict[str, Array], rng: np.random.Generator) -> None:
    for name in ("calibration", "inputs"):
        arrays[name] = arrays[name] * rng.integers(0, 4, arrays[name].shape).astype(np.uint8)


def sums_of_three(arrays: dict[str, Array], _: np.random.Generator) -> None:
    """One spike a window and weights of 3 or -3: with 2 levels, steps 2 and 4 err alike."""
    weights = arrays["weights"]
    weights[:] = 3 * np.where(np.arange(weights.size).reshape(weights.shape) % 2, 1, -1)
    for name in ("calibration", "inputs"):
        maps = arrays[name]
        maps[:] = np.eye(maps.shape[2], dtype=np.uint8)[
            np.arange(maps.shape[1]) % maps.shape[2], :, None, None
        ]


def one_large_sum(arrays: dict[str, Array], _: np.random.Generator) -> None:
    """A sum of 7 once, of 3 in every other window: the share of sums up to 3 is 1 - 1 / (2 windows)."""
    arrays["weights"][:] = np.array([3, 7], dtype=np.float32)[:, None, None]
    for name in ("calibration", "inputs"):
        maps = arrays[name]
        maps[:, :, 0], maps[:, :, 1] = 1, 0
        maps[0, 0, :, 0, 0] = 0, 1


def cells_shape(arrays: Mapping[str, Array], settings: Mapping[str, Any]) -> tuple[int, ...]:
    slices = -(-settings["weight_bits"] // settings["cell_bits"])
    outputs = len(arrays["weights"])
    return slices, 1 if settings["offset_column"] else 2, outputs, arrays["weights"][0].size


def on_grid(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Normal numbers on a grid of 1/1024, so that they are exact in float32 and small in a file."""
    values: Array = np.round(rng.standard_normal(shape) * 1024) / 1024
    return values


def conditions_drawn(arrays: dict[str, Array], settings: Mapping[str, Any], rng: np.random.Generator) -> None:
    """The random numbers and masks that the settings call for."""
    slices, signs, outputs, fan_in = shape = cells_shape(arrays, settings)
    if settings["sigma"]:
        arrays["variation_n"] = on_grid(rng, shape)
    if settings["stuck_on_level"]:
        arrays["stuck"] = rng.choice(3, shape, p=(0.9, 0.05, 0.05)).astype(np.uint8)
    if settings["read_noise"]:
        inputs = arrays["inputs"].shape
        windows = inputs[0] * inputs[1] * inputs[3] * inputs[4]
        tiles = -(-fan_in // settings["rows"])
        read = (slices, tiles, signs, settings["input_bits"], windows, outputs)
        arrays["read_noise_n"] = on_grid(rng, read)


def draw(layer: Layer, settings: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Array]:
    shape = (layer.outputs, layer.channels, layer.kernel, layer.kernel)
    maps = (layer.steps, layer.samples, layer.channels, layer.height, layer.width)
    arrays: dict[str, Array] = {
        "weights": (rng.standard_normal(shape) * 0.3).astype(np.float32),
        "calibration": (rng.random(maps) < layer.rate).astype(np.uint8),
        "inputs": (rng.random(maps) < layer.rate).astype(np.uint8),
    }
    if layer.norm:
        for name, mean, spread in (("gamma", 1, 0.4), ("beta", 0, 0.5), ("mean", 0, 0.5)):
            arrays[name] = (mean + spread * rng.standard_normal(layer.outputs)).astype(np.float32)
        arrays["var"] = rng.uniform(0.2, 2.0, layer.outputs).astype(np.float32)
    if layer.conv_bias:
        arrays["conv_bias"] = rng.standard_normal(layer.outputs).astype(np.float32)
    for change in layer.changes:
        change(arrays, rng)
    conditions_drawn(arrays, settings, rng)
    return arrays
