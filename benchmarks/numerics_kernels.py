"""The part of ``numerics.py`` about the kernels: one pass, and one layer, each against others.

Logits alone of the network on its arrays, against plain inference with kernels; a whole trace of all skip
sets against recording that of the plain network; logits on a chip whose cells vary, drawing them included;
and layers from the spikes that they read, against products of matrices in torch and aihwkit-lightning.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from numerics_networks import Subject
from numerics_peers import Lightning, Products, differing
from numerics_report import Report, goal
from torch import Tensor

from aster_dse.activity.record import record_trace
from aster_dse.network.kernels.convolution import Events, events_of
from aster_dse.network.kernels.library import STEADY, kernels_for
from aster_dse.numerics.arrays import LayerArrays, NetworkArrays
from aster_dse.numerics.calibration import array_layers, calibrate, folded_layers
from aster_dse.numerics.cells import Chip
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.network import ArrayConvolution, array_network
from aster_dse.numerics.passes import array_logits, run_pass
from aster_dse.space.cell_conditions import CellConditions
from aster_dse.training import predict_logits
from aster_dse.training.trained import Feed

BATCH = 64
TRACE_GOAL = 1.5
LIGHTNING_GOAL = 10.0
LIGHTNING_LAYER = "stem.3"
DIFFERENCE_GOAL = 0.05
"""Share of a layer's outputs that may differ: others round ties otherwise, and in floating point."""
VARIED = CellConditions(variation=0.1, on_off=150.0)


@dataclass(frozen=True)
class Setting:
    """Arrays of all layers, and the goals for them."""

    name: str
    arrays: LayerArrays
    logits: float
    """At most so many times plain inference,"""
    varied: float
    """and so many on a chip whose cells vary."""
    products: float
    """At least so many times as fast as matrix products."""


SETTINGS = (
    Setting("4-bit cells, 256 rows, 8 levels", LayerArrays("analog", 256, 4, adc_levels=8), 2.0, 3.0, 4.0),
    Setting("1-bit cells, 64 rows, 16 levels", LayerArrays("analog", 64, 1, adc_levels=16), 3.0, 5.0, 10.0),
)


class Sides:
    """What runs in turn."""

    def __init__(self, sides: Mapping[str, Callable[[], object]], rounds: int) -> None:
        self.seconds: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(rounds + 1):
            for name, side in sides.items():
                start = time.process_time()
                said = side()
                spent = said if isinstance(said, float) else time.process_time() - start
                if number:  # the first round only warms up
                    self.seconds[name].append(spent)

    def ratio(self, one: str, other: str) -> float:
        """Median of the ratios of the rounds."""
        return statistics.median(a / b for a, b in zip(self.seconds[one], self.seconds[other], strict=True))

    def figures(self, one: str, other: str) -> str:
        return f"{min(self.seconds[one]) * 1e3:.0f} and {min(self.seconds[other]) * 1e3:.0f} CPU ms"


def measure(subjects: Sequence[Subject], options: argparse.Namespace) -> Report:
    """The lines of every network."""
    return Report([line for subject in subjects for line in _of_network(subject, options)])


def _of_network(subject: Subject, options: argparse.Namespace) -> list[dict[str, Any]]:
    folded = folded_layers(subject.trained, subject.workload)
    lines = []
    for setting in SETTINGS:
        layers = {}
        for name, conditions in (("nominal", CellConditions()), ("varied", VARIED)):
            network = NetworkArrays.uniform(len(folded), setting.arrays)
            ranges = calibrate(subject.trained, subject.workload, folded, network, Chip(conditions))
            layers[name] = array_layers(subject.trained.geometry, folded, network, Chip(conditions), ranges)
        lines += _passes(subject, setting, layers["nominal"], layers["varied"], options.rounds)
        lines += _layers(subject, setting, layers["nominal"], options)
    return lines


def _passes(
    subject: Subject,
    setting: Setting,
    nominal: tuple[ArrayLayer, ...],
    varied: tuple[ArrayLayer, ...],
    rounds: int,
) -> list[dict[str, Any]]:
    trained, workload = subject.trained, subject.workload
    feed = Feed(workload.validation, workload, torch.device("cpu"))
    plain = record_trace(trained, workload)
    drawn = iter(range(1, rounds + 2))

    def chip() -> None:
        own = Chip(VARIED, next(drawn))
        array_logits(trained, workload, [replace(layer, chip=own) for layer in varied], feed)

    sides = Sides(
        {
            "plain": lambda: predict_logits(trained.model, feed, batch_size=BATCH),
            "logits": lambda: array_logits(trained, workload, nominal, feed),
            "chip": chip,
            "record": lambda: record_trace(trained, workload),
            "trace": lambda: run_pass(trained, workload, nominal, plain),
        },
        rounds,
    )
    names = (
        ("logits", "plain", "logits over plain inference", setting.logits),
        ("chip", "plain", "logits of a varied chip over plain inference", setting.varied),
        ("trace", "record", "a whole trace over recording the plain network's", TRACE_GOAL),
    )
    return [
        goal(
            f"{subject.name}, {setting.name}: {what}",
            sides.ratio(one, other),
            "<=",
            limit,
            f"ours without arrays; {sides.figures(one, other)}",
        )
        for one, other, what, limit in names
    ]


def _layers(
    subject: Subject, setting: Setting, layers: tuple[ArrayLayer, ...], options: argparse.Namespace
) -> list[dict[str, Any]]:
    """All layers from the spikes that they read in one batch."""
    modules = _modules(subject, layers)
    one = next(module for module in modules if module.layers[0].layer.name == LIGHTNING_LAYER)
    products = [Products(module.layers) for module in modules]
    apart = max(
        differing(module.ours(), product(module.spikes), module.layers)
        for module, product in zip(modules, products, strict=True)
    )
    sides: dict[str, Callable[[], object]] = {
        "ours": lambda: [module.ours() for module in modules],
        "products": lambda: [
            product(module.spikes) for module, product in zip(modules, products, strict=True)
        ],
        "one": one.ours,
    }
    beside = f"{subject.name}, {setting.name}"
    with Lightning(options.lightning, one.layers[0], one.spikes) as lightning:
        if lightning.missing is None:
            sides["lightning"] = lightning.run
        times = Sides(sides, options.rounds)
        peer = f"unfold, one product a tile, round, clamp in torch {torch.__version__}"
        figures = times.figures("products", "ours")
        lines = [
            goal(f"{beside}: outputs unlike theirs", apart, "<=", DIFFERENCE_GOAL, peer),
            goal(f"{beside}: layers, times as fast", times.ratio("products", "ours"), ">=",
                 setting.products, f"{peer}; {figures}"),
        ]  # fmt: skip
        if lightning.missing is not None:
            return [{**line, "peer": f"{line['peer']}; {lightning.missing}"} for line in lines]
        other = differing(one.ours(), lightning.outputs(), one.layers)
        peer = f"aihwkit-lightning {lightning.version}, a linear layer for each tile, slice and sign"
        figures = times.figures("lightning", "one")
        return [
            *lines,
            goal(f"{beside}: outputs unlike theirs, {LIGHTNING_LAYER}", other, "<=", DIFFERENCE_GOAL, peer),
            goal(f"{beside}: {LIGHTNING_LAYER}, times as fast", times.ratio("lightning", "one"), ">=",
                 LIGHTNING_GOAL, f"{peer}; {figures}"),
        ]  # fmt: skip


class _Inputs:
    """Keeps what every layer reads, ``[T, B, H, W, C]``."""

    def __init__(self) -> None:
        self.by_name: dict[str, Tensor] = {}

    def spikes(self, name: str, values: Tensor) -> None:
        pass

    def synapse(self, name: str, inputs: Tensor) -> None:
        self.by_name[name] = inputs.movedim(2, -1).clone(memory_format=torch.contiguous_format)


@dataclass(frozen=True)
class _Module:
    """A layer, or q, k and v, each side with the form in which a network hands it what it reads."""

    module: ArrayConvolution
    frames: Tensor
    """``[T, B, H, W, C]``, of the first layer."""
    spikes: Tensor
    """``[T * B, H, W, C]``"""
    events: Events | None
    """Of the neurons before; None for the first layer."""

    @property
    def layers(self) -> tuple[ArrayLayer, ...]:
        return self.module.layers

    def ours(self) -> Tensor:
        """``[T * B, H, W, outputs]``"""
        steps = len(self.frames)
        done = self.module(self.frames) if self.events is None else self.module.of_events(self.events, steps)
        return done.flatten(0, 1)


@torch.no_grad()
def _modules(subject: Subject, layers: tuple[ArrayLayer, ...]) -> list[_Module]:
    """All modules and what they read in one batch."""
    network, modules = array_network(subject.trained.model, layers, subject.workload)
    feed = Feed(subject.workload.validation, subject.workload, torch.device("cpu"))
    inputs = _Inputs()
    network(feed.frames(slice(0, BATCH)), recorder=inputs)
    found = []
    for module in modules:
        read = inputs.by_name[module.layers[0].layer.name]
        kernels = kernels_for(read, build=STEADY)
        first = module is modules[0] or kernels is None
        events = None if first or kernels is None else events_of(kernels, read.flatten(0, 1))
        found.append(_Module(module, read, read.flatten(0, 1), events))
    return found
