"""The training loop: batches, loss, optimiser step, averaged weights, and going on after anything."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from aster_dse.errors import AsterError, InputError
from aster_dse.network.finite import NotFiniteAnswersError, not_finite
from aster_dse.network.model import SpikeDrivenTransformer
from aster_dse.network.neurons import surrogate_function
from aster_dse.network.on_workload import geometry_for
from aster_dse.space import NetworkConfig, TrainingConfig
from aster_dse.stored_files import SetAside, forget
from aster_dse.training import checkpoint as files
from aster_dse.training.batches import Batch, Batches
from aster_dse.training.group import Group
from aster_dse.training.kept import KeptTraining
from aster_dse.training.loss import loss_of
from aster_dse.training.optimiser import optimiser_for
from aster_dse.training.precision import Precision
from aster_dse.training.schedule import learning_rate
from aster_dse.training.trained import (
    EpochRow,
    Feed,
    InitialWeights,
    TrainedNetwork,
    accuracy_of,
    torch_threads,
)
from aster_dse.workload import Workload

__all__ = ["TrainingDiverged", "train"]

_log = logging.getLogger(__name__)


class TrainingDiverged(AsterError):  # noqa: N818 an outcome of a trial, named as the search reports it
    """The loss, or a weight, became infinite or no number.

    Args:
        weights: which weights did, where the loss did not.
    """

    def __init__(self, epoch: int, step: int, loss: float, learning_rate: float, weights: str = "") -> None:
        self.epoch, self.step, self.loss, self.learning_rate = epoch, step, loss, learning_rate
        self.weights = weights
        what = weights or f"the loss became {loss}"
        super().__init__(f"{what} in epoch {epoch}, step {step}, at learning rate {learning_rate:.3g}")

    def __reduce__(self) -> tuple[type[TrainingDiverged], tuple[int, int, float, float, str]]:
        # Workers send their failures to the driver; an exception pickles its message alone by default.
        return type(self), (self.epoch, self.step, self.loss, self.learning_rate, self.weights)


def train(
    workload: Workload,
    network: NetworkConfig,
    training: TrainingConfig,
    *,
    folder: Path,
    on_epoch: Callable[[EpochRow], None] | None = None,
    device: str = "auto",
    threads: int = 1,
    initial: InitialWeights | None = None,
    group: Group | None = None,
    until: int | None = None,
    expected: Mapping[str, str] = MappingProxyType({}),
    on_damage: Callable[[SetAside], None] | None = None,
) -> TrainedNetwork:
    """Train ``network`` on ``workload``, going on from what lies in ``folder``.

    Only the training and validation splits are read. On one machine and with one number of threads the result
    is the same to the bit, also when the training was killed and went on from its last epoch.

    Args:
        folder: gets ``epoch.safetensors`` after every epoch and ``network.safetensors`` at the end. Damaged
            files, and those of another configuration, are set aside and made anew.
        on_epoch: called after each epoch run here.
        device: ``auto`` takes CUDA where there is one.
        initial: weights to start from, for fine-tuning.
        group: the processes that train this network together; each calls this function, the first writes.
        until: epoch after which to pause; None trains to the end. What is given back is the network as it is
            then; ``epoch.safetensors`` stays, and a later call goes on from there.
        expected: SHA-256 by name of files that have none beside them.
        on_damage: told of every file that is set aside; by default they are logged.

    Raises:
        InputError: an augmentation, a precision or initial weights that do not fit.
        TrainingDiverged: the loss is no finite number.
    """
    where = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    group = Group() if group is None else group
    configuration = files.identity(workload.config, network, training, initial)
    kept = KeptTraining(folder, configuration, expected, on_damage or _log.warning)
    finished = group.agree(kept.finished)
    if finished is not None:
        finished.model.to(where)
        return finished
    with torch_threads(threads), torch.enable_grad():
        run = _Run(workload, network, training, where, initial, group)
        interrupted = group.agree(kept.interrupted)
        try:
            run.restore(interrupted)
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
            if group.writes:
                kept.replace(files.EPOCH_FILE, f"is no state of this training: {error}")
            run = _Run(workload, network, training, where, initial, group)
        resumed = len(run.history)
        end = training.epochs if until is None else min(until, training.epochs)
        while len(run.history) < end:
            row = run.epoch()
            if group.writes:
                files.write(folder / files.EPOCH_FILE, *run.state(configuration))
            if on_epoch is not None:
                on_epoch(row)
        trained = run.result(resumed)
    if group.writes and trained.epochs == training.epochs:
        files.write_trained(folder / files.NETWORK_FILE, trained, configuration)
        forget(folder / files.EPOCH_FILE)
    return trained


class _Run:
    """One training between two epochs: all that a checkpoint must hold."""

    def __init__(
        self,
        workload: Workload,
        network: NetworkConfig,
        training: TrainingConfig,
        device: torch.device,
        initial: InitialWeights | None,
        group: Group,
    ) -> None:
        self.config = training
        self.group = group
        self.history: list[EpochRow] = []
        self.batches = Batches(Feed(workload.train, workload, device), workload, training, group.share)
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
        if initial is not None:
            _start_from(self.model, initial)
        self.model.to(device)
        self.learner = group.wrap(self.model)
        self.optimiser = optimiser_for(self.model, training)
        self.precision = Precision(training.amp, device)
        self.average: dict[str, Tensor] = {}
        if training.ema_decay:
            self.average = {name: t.detach().clone() for name, t in self.model.state_dict().items()}

    def epoch(self) -> EpochRow:
        number = len(self.history) + 1
        wall, cpu = time.perf_counter(), time.process_time()
        self.model.train()
        steps, total, seen = self.batches.steps(), 0.0, 0
        for step, batch in enumerate(self.batches.epoch(number)):
            rate = learning_rate(self.config, number - 1 + step / steps)
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            value = self.learn(batch)
            if not math.isfinite(value):
                raise TrainingDiverged(number, step + 1, value, rate)
            self._follow((number - 1) * steps + step + 1)
            total, seen = total + value * batch.samples, seen + batch.samples
        # The loss of the last step says nothing of what that step did to the weights.
        for state in (self.model.state_dict(), self.average):
            if problem := not_finite(state):
                raise TrainingDiverged(number, steps, value, rate, problem)
        with _weights(self.model, self.average):
            try:
                accuracy = accuracy_of(self.model, self.validation_feed)
            except NotFiniteAnswersError as error:
                raise TrainingDiverged(number, steps, value, rate, error.problem) from None
        row = EpochRow(
            epoch=number,
            loss=total / seen,
            accuracy=accuracy,
            learning_rate=learning_rate(self.config, float(number - 1)),
            wall_s=time.perf_counter() - wall,
            cpu_s=time.process_time() - cpu,
        )
        self.history.append(row)
        return row

    def learn(self, batch: Batch) -> float:
        """One step of the optimiser, unless the loss is not finite; the mean loss of the whole batch."""
        self.group.divide(self.model, batch.divided)
        with self.precision.forward():
            logits = self.learner(batch.inputs)
        # The mean over the whole batch, whatever part of it is here.
        share = len(batch.labels) / batch.samples * self.group.share.world if batch.divided else 1.0
        loss = loss_of(self.config, logits.float(), batch.labels) * share
        value = self.group.mean(loss.detach())
        if math.isfinite(value):
            self.optimiser.zero_grad(set_to_none=True)
            self.precision.step(loss, self.optimiser)
        return value

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
        facts = {"history": [asdict(row) for row in self.history], "precision": self.precision.state()}
        return tensors, {**configuration, **facts}

    def restore(self, checkpoint: tuple[dict[str, Tensor], dict[str, Any]] | None) -> None:
        if checkpoint is None:
            return
        tensors, metadata = checkpoint
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
        self.precision.restore(metadata["precision"])
        self.history = [EpochRow(**row) for row in metadata["history"]]

    @torch.no_grad()
    def _follow(self, steps: int) -> None:
        # Faster at first: a long memory of few steps would keep the weights that nobody trained.
        decay = min(self.config.ema_decay, (1 + steps) / (10 + steps))
        for name, tensor in self.model.state_dict().items() if self.average else ():
            if tensor.is_floating_point():
                self.average[name].lerp_(tensor, 1.0 - decay)
            else:
                self.average[name].copy_(tensor)


def _start_from(model: SpikeDrivenTransformer, initial: InitialWeights) -> None:
    own = model.state_dict()
    wrong = [name for name, t in initial.state.items() if name not in own or own[name].shape != t.shape]
    if wrong:
        raise InputError(
            "initial weights", f"{wrong[0]} does not fit the network", "give the configuration they belong to"
        )
    model.load_state_dict({**own, **initial.state})


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
