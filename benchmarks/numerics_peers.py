"""What ``numerics_kernels.py`` compares layers with: products of matrices in torch, and aihwkit-lightning."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import unfold

from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.ranges import ONE

LIGHTNING = """
import json, sys, time
from importlib.metadata import version
import torch
from aihwkit_lightning.nn import AnalogLinear
from aihwkit_lightning.simulator.configs import TorchInferenceRPUConfig

torch.set_num_threads(1)
folder = sys.argv[1]
facts = json.load(open(folder + "/facts.json"))

def array(name):
    content = bytearray(open(f"{folder}/{name}", "rb").read())
    return torch.frombuffer(content, dtype=torch.float32).view(facts[name])

inputs, cells, scales, bias = (array(name) for name in ("inputs", "cells", "scales", "bias"))
kernel, rows, top = facts["kernel"], facts["rows"], facts["top"]

def linear(levels, full):
    config = TorchInferenceRPUConfig()
    config.pre_post.input_range.enable = True
    config.pre_post.input_range.init_value = 1.0
    config.forward.out_bound = full / float(levels.max())
    config.forward.out_res = 2 * top
    made = AnalogLinear(levels.shape[1], levels.shape[0], bias=False, rpu_config=config)
    made.weight.data.copy_(levels)
    made.input_range.data.fill_(1.0)
    return made.eval()

parts = []
for start in range(0, cells.shape[3], rows):
    tile = slice(start, start + rows)
    for place in range(cells.shape[0]):
        step = facts["steps"][place]
        for side, sign in enumerate((1.0, -1.0)):
            levels = cells[place, side, :, tile]
            if levels.any():
                worth = sign * float(scales[place]) / step
                parts.append((tile, linear(levels, top * step), worth))

@torch.no_grad()
def run():
    read = torch.nn.functional.unfold(inputs, kernel, padding=kernel // 2).transpose(1, 2).flatten(0, 1)
    y = bias.expand(len(read), -1).clone()
    for tile, layer, worth in parts:
        y += worth * layer(read[:, tile])
    return y

open(folder + "/outputs", "wb").write(bytes(run().contiguous().view(-1).view(torch.uint8).tolist()))
print("answer", version("aihwkit-lightning"), flush=True)
for _ in sys.stdin:
    start = time.process_time()
    run()
    print("answer", time.process_time() - start, flush=True)
"""


class Products:
    """Layers as torch users write them: unfolded inputs, one product a tile for all slices and signs.

    Args:
        layers: that read the same spikes and have arrays alike.
    """

    def __init__(self, layers: Sequence[ArrayLayer]) -> None:
        first = layers[0]
        cells = torch.from_numpy(np.concatenate([layer.cells for layer in layers], axis=2)).float()
        self._rows, self._kernel = first.arrays.rows, first.layer.kernel_size
        self._top = float(first.highest_code)
        self._tiles = [
            part.flatten(0, 2).T.contiguous() for part in torch.split(cells, first.arrays.rows, dim=3)
        ]
        outputs = torch.tensor([layer.layer.out_channels for layer in layers])
        # [slices, outputs]
        inverse = torch.tensor([list(layer.multipliers) for layer in layers]).T / ONE
        self._inverse = inverse.repeat_interleave(outputs, 1)[:, None].expand(cells.shape[:3]).flatten()
        self._scales = torch.from_numpy(np.stack([layer.scales for layer in layers], axis=1))
        self._scales = self._scales.repeat_interleave(outputs, 1)
        self._bias = torch.from_numpy(np.concatenate([layer.weights.bias for layer in layers]))
        self._shape = cells.shape[:3]

    @torch.no_grad()
    def __call__(self, inputs: Tensor) -> Tensor:
        """``[N, H, W, outputs]`` of spikes ``[N, H, W, C]``."""
        images, height, width, _ = inputs.shape
        kernel = self._kernel
        rows = unfold(inputs.permute(0, 3, 1, 2), kernel, padding=kernel // 2).transpose(1, 2).flatten(0, 1)
        total: Tensor | None = None
        for part, cells in zip(torch.split(rows, self._rows, dim=1), self._tiles, strict=True):
            codes = (part @ cells).mul_(self._inverse).round_().clamp_(max=self._top)
            total = codes if total is None else total.add_(codes)
        assert total is not None, "a layer has rows"
        by_side = total.view(len(rows), *self._shape)
        digital = by_side[:, :, 0] - by_side[:, :, 1]
        y = self._bias + torch.einsum("nso,so->no", digital, self._scales)
        return y.view(images, height, width, -1)


class Lightning:
    """aihwkit-lightning in a process of its own, which runs a layer whenever it is told."""

    def __init__(self, python: Path, layer: ArrayLayer, inputs: Tensor) -> None:
        self.version = ""
        self.missing: str | None = None
        self._folder = tempfile.TemporaryDirectory()
        self._process: subprocess.Popen[str] | None = None
        self._shape = (*inputs.shape[:3], layer.layer.out_channels)
        if not python.exists():
            self.missing = f"aihwkit-lightning left out, no {python}"
            return
        self._write(layer, inputs)
        self._process = subprocess.Popen(
            [str(python), "-c", LIGHTNING, self._folder.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.version = self._answer()
        if not self.version:
            said = (self._process.communicate()[1].strip() or "no output").splitlines()[-1]
            self.missing = f"aihwkit-lightning left out, it does not run: {said}"

    def _write(self, layer: ArrayLayer, inputs: Tensor) -> None:
        arrays = {
            "inputs": inputs.permute(0, 3, 1, 2).contiguous().numpy(),
            "cells": layer.cells.astype(np.float32),
            "scales": layer.scales,
            "bias": layer.weights.bias,
        }
        facts: dict[str, Any] = {name: list(values.shape) for name, values in arrays.items()}
        facts |= {"kernel": layer.layer.kernel_size, "rows": layer.arrays.rows, "top": layer.highest_code}
        facts["steps"] = [ONE / m for m in layer.multipliers]
        for name, values in arrays.items():
            (Path(self._folder.name) / name).write_bytes(np.ascontiguousarray(values).tobytes())
        (Path(self._folder.name) / "facts.json").write_text(json.dumps(facts), "utf-8")

    def _answer(self) -> str:
        assert self._process is not None, "it is not left out"
        assert self._process.stdout is not None, "it is a pipe"
        for line in self._process.stdout:
            if line.startswith("answer "):  # the package says things too
                return line.split()[1]
        return ""

    def run(self) -> float:
        """CPU seconds of the layer once."""
        assert self._process is not None, "it is not left out"
        assert self._process.stdin is not None, "it is a pipe"
        print(file=self._process.stdin, flush=True)
        return float(self._answer())

    def outputs(self) -> Tensor:
        """``[N, H, W, outputs]``"""
        content = (Path(self._folder.name) / "outputs").read_bytes()
        return torch.frombuffer(bytearray(content), dtype=torch.float32).view(self._shape)

    def __enter__(self) -> Lightning:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()


def differing(ours: Tensor, theirs: Tensor, layers: Sequence[ArrayLayer]) -> float:
    """Share of outputs that are further apart than float32 rounds."""
    least = min(float(np.abs(layer.scales).min()) for layer in layers)
    return float(((ours - theirs).abs() > 0.01 * least).double().mean())
