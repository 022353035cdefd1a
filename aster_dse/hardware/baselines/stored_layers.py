"""Small layers on arrays with their outputs by CrossSim; ``layers/README.md`` says how they were made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["StoredLayer", "stored_layers"]

_FILE = Path(__file__).parent / "layers" / "crosssim.npz"


@dataclass(frozen=True, eq=False)
class StoredLayer:
    """Integer weights, the ranges of the converters, and inputs."""

    name: str
    kernel: int
    rows: int
    """Of an array."""
    cell_bits: int
    weight_bits: int
    levels: int
    """Of a converter."""
    column: Literal["pair", "offset"]
    input_bits: int
    multipliers: tuple[int, ...]
    """By slice; the step of a converter is 2^15 over it."""
    q: NDArray[np.int16]
    """``[outputs, fan-in]``"""
    step: float
    """Weight of one."""
    bias: NDArray[np.float32]
    """``[outputs]``"""
    inputs: NDArray[np.uint8]
    """``[images, H, W, channels]``"""
    outputs: NDArray[np.float32]
    """``[windows, outputs]`` by CrossSim."""


def stored_layers() -> tuple[StoredLayer, ...]:
    """All of them."""
    stored = np.load(_FILE)
    described: dict[str, dict[str, Any]] = json.loads(str(stored["layers"]))
    return tuple(
        StoredLayer(
            name=name,
            kernel=layer["kernel"],
            rows=layer["rows"],
            cell_bits=layer["cell_bits"],
            weight_bits=layer["weight_bits"],
            levels=layer["levels"],
            column=layer["column"],
            input_bits=layer["input_bits"],
            multipliers=tuple(layer["m"]),
            q=stored[f"{number}/q"],
            step=float(stored[f"{number}/step"]),
            bias=stored[f"{number}/bias"],
            inputs=stored[f"{number}/inputs"],
            outputs=stored[f"{number}/outputs"],
        )
        for number, (name, layer) in enumerate(described.items())
    )
