"""CPU time of training and running our networks, against the same ones of spikingjelly's parts alone.

    python benchmarks/training.py [--json]

Both networks get the same weights, frames and optimiser. First their loss and gradients are compared, in
double precision: in single precision, roundings of the batch statistics flip a few spikes, which spread. The
peer is written as spikingjelly's documentation writes networks: multi-step layers and neurons, one layer per
projection. Rounds alternate, and each side's fastest round counts, since whatever else the machine does can
only slow a round down.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import Tensor, nn

from aster_dse.network.geometry import network_geometry
from aster_dse.network.kernels.library import available
from aster_dse.network.model import SpikeDrivenTransformer
from aster_dse.space import NetworkConfig
from aster_dse.training import tet_loss

STEPS, ROUNDS = 4, 6
DIFFERENCE_GOAL = 1e-9
"""Of loss and gradients, double precision."""


@dataclass(frozen=True)
class Case:
    """A network and a batch of what it reads."""

    name: str
    network: NetworkConfig
    in_channels: int
    timesteps: int
    batch: int
    goal: float
    """CPU time of the peer over ours."""
    image: bool = False
    resolution: int = 32
    classes: int = 10

    def frames(self) -> Tensor:
        shape = (self.batch, self.in_channels, self.resolution, self.resolution)
        if self.image:
            return torch.randn(1, *shape).expand(self.timesteps, -1, -1, -1, -1)
        return (torch.rand(self.timesteps, *shape) < 0.1).float()


CASES = (
    Case("digits-dvs", NetworkConfig(width=32, depth=2, stem="4-2-1-1", pooling="1101"), 2, 4, 64, 3.0),
    Case("cifar10-2-256", NetworkConfig(width=256, depth=2, pooling="0011"), 3, 4, 16, 2.5, image=True),
)


def lif(v_threshold: float = 1.0) -> neuron.LIFNode:
    return neuron.LIFNode(
        tau=2.0,
        v_threshold=v_threshold,
        surrogate_function=surrogate.Sigmoid(4.0),
        detach_reset=True,
        step_mode="m",
    )


def conv_bn(inputs: int, outputs: int, kernel: int, bias: bool) -> nn.Sequential:
    return nn.Sequential(
        layer.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias, step_mode="m"),
        layer.BatchNorm2d(outputs, step_mode="m"),
    )


class PlainBlock(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.first_lif = lif()
        self.q, self.k, self.v = (nn.Sequential(*conv_bn(width, width, 1, False), lif()) for _ in range(3))
        self.kv_lif = lif(0.5)
        self.proj = conv_bn(width, width, 1, True)
        self.fc1 = nn.Sequential(lif(), *conv_bn(width, hidden, 1, True))
        self.fc2 = nn.Sequential(lif(), *conv_bn(hidden, width, 1, True))

    def forward(self, x: Tensor) -> Tensor:
        spikes = self.first_lif(x)
        q, k, v = (part(spikes).flatten(3) for part in (self.q, self.k, self.v))
        kv = self.kv_lif((k * v).sum(-1, keepdim=True))
        x = x + self.proj((q * kv).view_as(x))
        return x + self.fc2(self.fc1(x))


class PlainTransformer(nn.Module):
    """The Spike-Driven Transformer, spikingjelly's layers only."""

    def __init__(self, config: NetworkConfig, in_channels: int, classes: int) -> None:
        super().__init__()
        channels = [in_channels] + [config.width // int(d) for d in config.stem.split("-")]
        self.pooled = [flag == "1" for flag in config.pooling]
        self.stages = nn.ModuleList(conv_bn(channels[i], channels[i + 1], 3, False) for i in range(4))
        self.lifs = nn.ModuleList(lif() for _ in range(4))
        self.pool = layer.MaxPool2d(3, stride=2, padding=1, step_mode="m")
        self.position = conv_bn(config.width, config.width, 3, False)
        self.blocks = nn.Sequential(
            *(PlainBlock(config.width, config.mlp_ratio * config.width) for _ in range(config.depth))
        )
        self.head_lif = lif()
        self.head = layer.Linear(config.width, classes, step_mode="m")

    def forward(self, x: Tensor) -> Tensor:
        functional.reset_net(self)
        for index in range(3):
            x = self.lifs[index](self.stages[index](x))
            x = self.pool(x) if self.pooled[index] else x
        x = self.stages[3](x)
        x = self.pool(x) if self.pooled[3] else x
        x = self.blocks(x + self.position(self.lifs[3](x)))
        logits: Tensor = self.head(self.head_lif(x.flatten(3).mean(3)))
        return logits


def copy_weights(ours: SpikeDrivenTransformer, plain: PlainTransformer) -> None:
    def pair(source: nn.Module, target: nn.Module, part: slice = slice(None)) -> None:
        for mine, theirs in ((source.conv, target[-2]), (source.bn, target[-1])):
            theirs.load_state_dict(
                {key: value[part] if value.ndim else value for key, value in mine.state_dict().items()}
            )

    for source, target in zip(ours.stem.stages, plain.stages, strict=True):
        pair(source, target)
    pair(ours.stem.position, plain.position)
    width = ours.config.width
    for block, target in zip(ours.blocks, plain.blocks, strict=True):
        for index, part in enumerate((target.q, target.k, target.v)):
            pair(block.attention.qkv, part[:2], slice(index * width, (index + 1) * width))
        pair(block.attention.proj, target.proj)
        pair(block.mlp.fc1, target.fc1)
        pair(block.mlp.fc2, target.fc2)
    plain.head.load_state_dict(ours.head.state_dict())


def difference(
    ours: SpikeDrivenTransformer, plain: PlainTransformer, frames: Tensor, labels: Tensor
) -> float:
    """Largest difference of the losses and of the gradients of first and last layer, double precision."""
    results = []
    for model, first in ((ours, ours.stem.stages[0].conv), (plain, plain.stages[0][0])):
        model.double().train()
        loss = tet_loss(model(frames.double()), labels, weight=1e-3, mean=1.0)
        loss.backward()
        results.append((loss.detach(), first.weight.grad, model.head.weight.grad))
        model.zero_grad()
        model.float()
    return max(float((mine - theirs).abs().max()) for mine, theirs in zip(*results, strict=True))


def training_steps(model: nn.Module, frames: Tensor, labels: Tensor) -> Callable[[], None]:
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def run() -> None:
        model.train()
        for _ in range(STEPS):
            loss = tet_loss(model(frames), labels, weight=1e-3, mean=1.0)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    return run


def inference(model: nn.Module, frames: Tensor) -> Callable[[], None]:
    @torch.no_grad()
    def run() -> None:
        model.eval()
        for _ in range(STEPS):
            model(frames)

    return run


def fastest(*sides: Callable[[], None]) -> list[float]:
    """CPU milliseconds of one step of each side, its fastest round; the first round only warms up."""
    best = [float("inf") for _ in sides]
    for number in range(ROUNDS + 1):
        for index, side in enumerate(sides):
            start = time.process_time()
            side()
            spent = (time.process_time() - start) / STEPS * 1e3
            if number:
                best[index] = min(best[index], spent)
    return best


def goal(name: str, value: float, op: str, limit: float, peer: str) -> dict[str, Any]:
    """One line of the report."""
    met = value >= limit if op == ">=" else value <= limit
    return {"name": name, "value": value, "op": op, "goal": limit, "met": met, "peer": peer}


def measure_case(case: Case, peer: str) -> list[dict[str, Any]]:
    """The lines of one network."""
    torch.manual_seed(0)
    geometry = network_geometry(
        case.network,
        in_channels=case.in_channels,
        resolution=case.resolution,
        classes=case.classes,
        timesteps=case.timesteps,
    )
    ours = SpikeDrivenTransformer(case.network, geometry)
    plain = PlainTransformer(case.network, case.in_channels, case.classes)
    copy_weights(ours, plain)
    frames, labels = case.frames(), torch.randint(0, case.classes, (case.batch,))
    apart = difference(ours, plain, frames[:, :4], labels[:4])
    lines = [goal(f"{case.name}: difference of loss and gradients", apart, "<=", DIFFERENCE_GOAL, peer)]
    for what, work in (
        ("training", lambda model: training_steps(model, frames, labels)),
        ("inference", lambda model: inference(model, frames)),
    ):
        ours_ms, plain_ms = fastest(work(ours), work(plain))
        figures = f"{peer}: {plain_ms:.1f} CPU ms a step, ours {ours_ms:.1f}"
        lines.append(goal(f"{case.name}: {what} speed-up", plain_ms / ours_ms, ">=", case.goal, figures))
    return lines


def measure() -> dict[str, Any]:
    """The document that ``--json`` prints."""
    peer = f"spikingjelly {version('spikingjelly')} alone"
    torch.set_num_threads(1)
    return {
        "benchmark": "training",
        "machine": {
            "cpus": os.cpu_count(),
            "platform": platform.platform(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "spikingjelly": version("spikingjelly"),
            "kernels": available(),
            "threads": 1,
        },
        "goals": [line for case in CASES for line in measure_case(case, peer)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    document = measure()
    if options.json:
        print(json.dumps(document, indent=2))
        return
    for line in document["goals"]:
        met = "met" if line["met"] else "NOT MET"
        print(f"{met}: {line['name']} {line['value']:.3g} {line['op']} {line['goal']:g} ({line['peer']})")


if __name__ == "__main__":
    main()
