"""A trained network, and how it is fed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aster_dse.network.finite import check_answers
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.network.memory import keep_freed_memory
from aster_dse.network.model import Recorder, SpikeDrivenTransformer
from aster_dse.workload import Split, Workload

__all__ = [
    "EpochRow",
    "Feed",
    "InitialWeights",
    "TrainedNetwork",
    "moved",
    "predict_logits",
    "torch_threads",
]


@dataclass(frozen=True)
class EpochRow:
    """One epoch of a training. ``accuracy`` is the validation accuracy at full T."""

    epoch: int
    loss: float
    accuracy: float
    learning_rate: float
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class InitialWeights:
    """Weights that a training starts from; what they leave out is drawn."""

    state: Mapping[str, Tensor]
    """By the names of :class:`~aster_dse.network.model.SpikeDrivenTransformer`."""
    digest: str
    """Tells these weights from others: part of the identity of the checkpoints."""


@dataclass(frozen=True)
class TrainedNetwork:
    """A finished training; the model is in evaluation mode."""

    model: SpikeDrivenTransformer
    geometry: NetworkGeometry
    accuracy: float
    """Share of validation samples that all T steps together classify correctly."""
    epochs: int
    parameters: int
    wall_s: float
    cpu_s: float
    history: tuple[EpochRow, ...]
    resumed_from_epoch: int = 0
    """Epochs that an earlier run had finished: 0 for a fresh training, all of them for one only loaded."""


class Feed:
    """A split on a device, given out as network inputs ``[T, B, C, H, W]``.

    Frames in memory go to the device whole; others are read when they are asked for.
    """

    def __init__(self, split: Split, workload: Workload, device: torch.device) -> None:
        self.source = split.frames
        self.device = device
        self._frames: Tensor | None = None
        if isinstance(split.frames, np.ndarray):
            # A copy: frames may come from shared read-only memory, which torch does not know.
            self._frames = torch.from_numpy(np.array(split.frames)).to(device)
        self.labels = torch.from_numpy(np.array(split.labels)).to(device)
        self._scale = workload.scale
        self._repeats = workload.config.timesteps if workload.static else 0
        by_channel = (1, 1, -1, 1, 1)
        self._mean = torch.tensor(workload.mean, device=device).view(by_channel) if workload.mean else None
        self._std = torch.tensor(workload.std, device=device).view(by_channel) if workload.std else None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def ready(self) -> bool:
        """The frames lie on the device."""
        return self._frames is not None

    def frames(self, index: Tensor | slice, shifts: Tensor | None = None) -> Tensor:
        """Inputs of the chosen samples; a static image is one memory seen T times.

        Args:
            shifts: ``[B, 2]`` pixels (down, right) by which each sample is moved; zeros come in.
        """
        raw = self.raw(index)
        return self.steps_first(self.normalised(raw if shifts is None else moved(raw, shifts)))

    def raw(self, index: Tensor | slice) -> Tensor:
        """Bytes of the chosen samples, ``[B, T, C, H, W]`` (T 1 for static images)."""
        if self._frames is not None:
            return self._frames[index]
        places = index if isinstance(index, slice) else index.cpu().numpy()
        return torch.from_numpy(np.ascontiguousarray(self.source[places])).to(self.device)

    def normalised(self, raw: Tensor) -> Tensor:
        """Bytes as the network reads them."""
        batch = raw.float()
        if self._scale != 1.0:
            batch.mul_(self._scale)
        if self._mean is not None and self._std is not None:
            batch.sub_(self._mean).div_(self._std)
        return batch

    def steps_first(self, batch: Tensor) -> Tensor:
        """``[B, T, C, H, W]`` as ``[T, B, C, H, W]``; a static image is repeated."""
        inputs = batch.transpose(0, 1)
        return inputs.expand(self._repeats, -1, -1, -1, -1) if self._repeats else inputs


def moved(frames: Tensor, shifts: Tensor) -> Tensor:
    """``[B, T, C, H, W]`` with each sample moved by its own ``[B, 2]`` pixels; zeros come in."""
    shifts = shifts.to(frames.device)
    batch, _, _, height, width = frames.shape
    reach = int(shifts.abs().max())
    padded = torch.nn.functional.pad(frames, (reach,) * 4)
    sample = torch.arange(batch, device=frames.device)[:, None, None]
    rows = torch.arange(height, device=frames.device) + reach - shifts[:, :1]
    columns = torch.arange(width, device=frames.device) + reach - shifts[:, 1:]
    return padded.permute(0, 3, 4, 1, 2)[sample, rows[:, :, None], columns[:, None, :]].permute(0, 3, 4, 1, 2)


@contextlib.contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Run torch with this many threads inside; results are bit-identical for the same number only.

    From then on the process keeps the memory of freed tensors for the next ones.
    """
    keep_freed_memory()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@torch.no_grad()
def predict_logits(
    model: SpikeDrivenTransformer,
    feed: Feed,
    *,
    batch_size: int = 128,
    skipped: frozenset[int] = frozenset(),
    recorder: Recorder | None = None,
) -> NDArray[np.float32]:
    """Logits ``[N, T, classes]`` of every step alone.

    Raises:
        NotFiniteAnswersError: some are NaN or infinite.
    """
    model.eval()
    parts = []
    for start in range(0, len(feed), batch_size):
        frames = feed.frames(slice(start, start + batch_size))
        logits = model(frames, skipped=skipped, recorder=recorder)
        parts.append(logits.transpose(0, 1).cpu().numpy())
    answers = np.concatenate(parts).astype(np.float32, copy=False)
    check_answers(answers)
    return answers


def accuracy_of(model: SpikeDrivenTransformer, feed: Feed) -> float:
    """Share of samples that the sum of the logits over all steps classifies correctly."""
    logits = predict_logits(model, feed)
    return float((logits.sum(1).argmax(-1) == feed.labels.cpu().numpy()).mean())
