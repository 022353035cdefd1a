"""The training loop: AdamW, cosine learning rate with warm-up, averaged weights, resumable."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from aster_dse.errors import AsterError
from aster_dse.network.model import SpikeDrivenTransformer
from aster_dse.network.neurons import surrogate_function
from aster_dse.space import NetworkConfig, TrainingConfig
from aster_dse.training import checkpoint as files
from aster_dse.training.loss import loss_of
from aster_dse.training.trained import (
    EpochRow,
    Feed,
    TrainedNetwork,
    accuracy_of,
    geometry_for,
    torch_threads,
)
from aster_dse.workload import Workload

__all__ = ["TrainingDiverged", "train"]

_log = logging.getLogger(__name__)


class TrainingDiverged(AsterError):  # noqa: N818 an outcome of a trial, named as the search reports it
    """The loss became infinite or no number."""

    def __init__(self, epoch: int, step: int, loss: float, learning_rate: float) -> None:
        self.epoch, self.step, self.loss, self.learning_rate = epoch, step, loss, learning_rate
        super().__init__(
            f"the loss became {loss} in epoch {epoch}, step {step}, at learning rate {learning_rate:.3g}"
        )

    def __reduce__(self) -> tuple[type[TrainingDiverged], tuple[int, int, float, float]]:
        # Workers send their failures to the driver; an exception pickles its message alone by default.
        return type(self), (self.epoch, self.step, self.loss, self.learning_rate)


def train(
    workload: Workload,
    network: NetworkConfig,
    training: TrainingConfig,
    *,
    folder: Path,
    on_epoch: Callable[[EpochRow], None] | None = None,
    device: str = "auto",
    threads: int = 1,
) -> TrainedNetwork:
    """Train ``network`` on ``workload``, going on from what lies in ``folder``.

    Only the training and validation splits are read. On one machine and with one number of threads the result
    is the same to the bit, also when the training was killed and went on from its last epoch.

    Args:
        folder: gets ``epoch.safetensors`` after every epoch and ``network.safetensors`` at the end; files of
            another configuration or damaged ones are logged and replaced.
        on_epoch: called after each epoch run here.
        device: ``auto`` takes CUDA where there is one.

    Raises:
        TrainingDiverged: the loss is no finite number.
    """
    where = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    configuration = files.identity(workload.config, network, training)
    finished = _finished(folder / files.NETWORK_FILE, configuration, where)
    if finished is not None:
        return finished
    with torch_threads(threads), torch.enable_grad():
        run = _Run(workload, network, training, where)
        run.restore(folder / files.EPOCH_FILE, configuration)
        resumed = len(run.history)
        while len(run.history) < training.epochs:
            row = run.epoch()
            files.write(folder / files.EPOCH_FILE, *run.state(configuration))
            if on_epoch is not None:
                on_epoch(row)
        trained = run.result(resumed)
    files.write_trained(folder / files.NETWORK_FILE, trained, configuration)
    (folder / files.EPOCH_FILE).unlink(missing_ok=True)
    return trained


def _finished(path: Path, configuration: dict[str, Any], device: torch.device) -> TrainedNetwork | None:
    if not path.is_file():
        return None
    try:
        _, metadata = files.read(path)
        if {name: metadata.get(name) for name in configuration} == configuration:
            return files.load_trained(path, device=device)
        _log.warning("%s belongs to another configuration; training anew", path)
    except AsterError as error:
        _log.warning("%s; training anew", error)
    return None


class _Run:
    """One training between two epochs: all that a checkpoint must hold."""

    def __init__(
        self, workload: Workload, network: NetworkConfig, training: TrainingConfig, device: torch.device
    ) -> None:
        self.config = training
        self.history: list[EpochRow] = []
        self.train_feed = Feed(workload.train, workload, device)
        self.validation_feed = Feed(workload.validation, workload, device)
        self.geometry = geometry_for(workload.config, network)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.seed)
            surrogate = surrogate_function(training.surrogate, training.surrogate_alpha)
            self.model = SpikeDrivenTransformer(network, self.geometry, surrogate=surrogate)
        for module in self.model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = training.bn_momentum
                nn.init.constant_(module.weight, training.bn_weight_init)
        self.model.to(device)
        matrices = [p for p in self.model.parameters() if p.ndim > 1]
        others = [p for p in self.model.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": training.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=training.learning_rate,
            fused=True,
        )
        self.average: dict[str, Tensor] = {}
        if training.ema_decay:
            self.average = {name: t.detach().clone() for name, t in self.model.state_dict().items()}

    def epoch(self) -> EpochRow:
        number = len(self.history) + 1
        wall, cpu = time.perf_counter(), time.process_time()
        generator = self._generator(number)
        order = torch.randperm(len(self.train_feed), generator=generator)
        reach = self.config.shift_pixels
        batches = [b for b in torch.split(order, self.config.batch_size) if len(b) > 1]
        self.model.train()
        total = 0.0
        for step, index in enumerate(batches):
            rate = self._learning_rate(number - 1 + step / len(batches))
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            index = index.to(self.train_feed.labels.device)
            shifts = torch.randint(-reach, reach + 1, (len(index), 2), generator=generator) if reach else None
            logits = self.model(self.train_feed.frames(index, shifts))
            loss = loss_of(self.config, logits, self.train_feed.labels[index])
            value = float(loss.detach())
            if not math.isfinite(value):
                raise TrainingDiverged(number, step + 1, value, rate)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            self._follow((number - 1) * len(batches) + step + 1)
            total += value * len(index)
        with _weights(self.model, self.average):
            accuracy = accuracy_of(self.model, self.validation_feed)
        row = EpochRow(
            epoch=number,
            loss=total / sum(len(b) for b in batches),
            accuracy=accuracy,
            learning_rate=self._learning_rate(float(number - 1)),
            wall_s=time.perf_counter() - wall,
            cpu_s=time.process_time() - cpu,
        )
        self.history.append(row)
        return row

    def result(self, resumed: int) -> TrainedNetwork:
        if self.average:
            self.model.load_state_dict(self.average)
        return TrainedNetwork(
            model=self.model.eval(),
            geometry=self.geometry,
            accuracy=self.history[-1].accuracy,
            epochs=len(self.history),
            parameters=sum(p.numel() for p in self.model.parameters()),
            wall_s=sum(row.wall_s for row in self.history),
            cpu_s=sum(row.cpu_s for row in self.history),
            history=tuple(self.history),
            resumed_from_epoch=resumed,
        )

    def state(self, configuration: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors = {f"model.{name}": t for name, t in self.model.state_dict().items()}
        tensors |= {f"average.{name}": t for name, t in self.average.items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": t for name, t in moments.items()}
        return tensors, {**configuration, "history": [asdict(row) for row in self.history]}

    def restore(self, path: Path, configuration: dict[str, Any]) -> None:
        if not path.is_file():
            return
        try:
            tensors, metadata = files.read(path)
        except AsterError as error:
            _log.warning("%s; training anew", error)
            return
        if {name: metadata.get(name) for name in configuration} != configuration:
            _log.warning("%s belongs to another configuration; training anew", path)
            return
        self.model.load_state_dict(_under(tensors, "model."))
        for name, tensor in _under(tensors, "average.").items():
            self.average[name].copy_(tensor)
        moments = self.optimiser.state_dict()
        parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        for index, parameter in enumerate(parameters):
            loaded = _under(tensors, f"optimiser.{index}.")
            # In the memory layout of the parameter, as the optimiser itself would have made them.
            moments["state"][index] = {
                name: t if t.ndim == 0 else torch.empty_like(parameter).copy_(t) for name, t in loaded.items()
            }
        self.optimiser.load_state_dict(moments)
        self.history = [EpochRow(**row) for row in metadata["history"]]

    def _generator(self, epoch: int) -> torch.Generator:
        # From the seed and the epoch alone, so that a resumed training draws as one that was never stopped.
        return torch.Generator().manual_seed(self.config.seed * 1_000_003 + epoch)

    def _learning_rate(self, epochs_done: float) -> float:
        config = self.config
        warm = config.warmup_epochs
        if epochs_done < warm:
            return config.learning_rate * (0.05 + 0.95 * epochs_done / warm)
        share = (epochs_done - warm) / max(config.epochs - warm, 1e-9)
        low = min(config.minimum_learning_rate, config.learning_rate)
        return low + (config.learning_rate - low) * 0.5 * (1.0 + math.cos(math.pi * min(share, 1.0)))

    @torch.no_grad()
    def _follow(self, steps: int) -> None:
        # Faster at first: a long memory of few steps would keep the weights that nobody trained.
        decay = min(self.config.ema_decay, (1 + steps) / (10 + steps))
        for name, tensor in self.model.state_dict().items() if self.average else ():
            if tensor.is_floating_point():
                self.average[name].lerp_(tensor, 1.0 - decay)
            else:
                self.average[name].copy_(tensor)


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


class _weights:  # noqa: N801 - a context manager, used like a function
    """The model with other weights inside the ``with``; none given leaves its own."""

    def __init__(self, model: nn.Module, weights: dict[str, Tensor]) -> None:
        self.model, self.weights = model, weights

    def __enter__(self) -> None:
        if self.weights:
            self.own = {name: t.detach().clone() for name, t in self.model.state_dict().items()}
            self.model.load_state_dict(self.weights)

    def __exit__(self, *_: object) -> None:
        if self.weights:
            self.model.load_state_dict(self.own)
