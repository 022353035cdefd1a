"""A network and the samples it is measured on: what evaluating, profiling and sweeping share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aster_dse.activity import ActivityTrace
from aster_dse.activity.firing import BATCH, measure_firing
from aster_dse.activity.firing_log import FiringLog
from aster_dse.activity.record import CALIBRATION_SAMPLES, calibration_split, record_trace
from aster_dse.errors import InputError
from aster_dse.evaluation.recorded import RecordedFeed, RecordedInputs
from aster_dse.hardware import Accelerator, HardwareCost, estimate
from aster_dse.network.finite import check_answers
from aster_dse.policy import PolicyTable
from aster_dse.space import PolicyConfig
from aster_dse.training import TrainedNetwork, predict_logits
from aster_dse.training.trained import Feed, torch_threads
from aster_dse.workload import Workload

__all__ = ["SplitName", "Subject", "recorded_subject", "workload_subject"]

SplitName = Literal["validation", "test"]


@dataclass
class Subject:
    """A network on samples."""

    trained: TrainedNetwork
    feed: Feed
    labels: NDArray[np.int64] | None
    class_names: Sequence[str]
    calibration: Feed
    """Samples over which firing rates are averaged: training data."""
    workload: Workload | None = None
    """None for recorded inputs."""
    split: SplitName = "validation"
    threads: int = 1
    on_samples: Callable[[int], None] | None = None
    """Called with the number of samples of every batch that the network has read."""
    _counted: dict[frozenset[int], NDArray[np.float32]] = field(default_factory=dict)

    def logits(self, skipped: frozenset[int]) -> NDArray[np.float32]:
        """``[N, T, classes]`` of each step alone, with the attention of these blocks left out.

        The network runs anew, unless its events were counted, which makes the logits too.
        """
        if skipped in self._counted:
            return self._counted[skipped]
        with torch_threads(self.threads):
            return predict_logits(
                self.trained.model,
                self.feed,
                batch_size=BATCH,
                skipped=skipped,
                recorder=None if self.on_samples is None else _Progress(self.on_samples),
            )

    def batches(self, sets: Sequence[frozenset[int]]) -> Iterator[list[NDArray[np.float32]]]:
        """The logits ``[B, T, classes]`` of a few samples after the other, for each set of skipped blocks.

        Sets share what they have in common; the answers are those of :meth:`logits`, to the bit.
        """
        if all(skipped in self._counted for skipped in sets):
            yield [self._counted[skipped] for skipped in sets]
            return
        model = self.trained.model.eval()
        for start in range(0, len(self.feed), BATCH):
            with torch_threads(self.threads), torch.no_grad():
                frames = self.feed.frames(slice(start, start + BATCH))
                answers = [said.transpose(0, 1).cpu().numpy() for said in model.forward_sets(frames, sets)]
            for answer in answers:
                check_answers(answer)
            if self.on_samples is not None:
                self.on_samples(len(answers[0]))
            yield answers

    def firing_log(self, about: Mapping[str, Any] | None = None) -> FiringLog:
        """Measured on the calibration samples."""
        with torch_threads(self.threads):
            return replace(measure_firing(self.trained.model, self.calibration), network=about or {})

    def costs(self, block_activity: NDArray[np.float64], accelerator: Accelerator) -> Costs:
        """What policies cost on ``accelerator``: a pass per skip set, in which every event is counted.

        Raises:
            InputError: recorded inputs, which are no data that an accelerator could read; or blocks in
                another order of activity than training data give.
        """
        if self.workload is None:
            raise InputError(
                "--hardware", "recorded inputs are not counted bit by bit", "use a data set: --workload NAME"
            )
        trace = record_trace(self.trained, self.workload, split=self.split, threads=self.threads)
        given = tuple(int(block) for block in np.argsort(block_activity, kind="stable"))
        if given != trace.skip_order:
            raise InputError(
                "--firing-log",
                f"orders the blocks {given}, training data {trace.skip_order}, by which events are counted",
                "with --hardware leave the log out",
            )
        for skips in range(self.trained.geometry.depth + 1):
            self._counted[frozenset(given[:skips])] = trace.logits[skips]
        return Costs(replace(trace, block_activity=block_activity), accelerator)


class _Progress:
    """Hears of a batch when its last neurons have fired."""

    def __init__(self, on_samples: Callable[[int], None]) -> None:
        self._on_samples = on_samples

    def spikes(self, name: str, values: Tensor) -> None:
        if name == "head_lif":
            self._on_samples(values.shape[1])

    def synapse(self, name: str, inputs: Tensor) -> None:
        pass


class Costs:
    """What policies cost on one accelerator."""

    def __init__(self, trace: ActivityTrace, accelerator: Accelerator) -> None:
        self._table = PolicyTable(trace)
        self._accelerator = accelerator

    def of(self, policy: PolicyConfig) -> HardwareCost:
        """The mean cost of an inference."""
        activity = self._table.outcome(policy).activity
        return estimate(self._table.trace.geometry, activity, self._accelerator)[0]


def workload_subject(
    trained: TrainedNetwork,
    workload: Workload,
    *,
    split: SplitName = "validation",
    samples: int = CALIBRATION_SAMPLES,
    threads: int = 1,
) -> Subject:
    """A network on a split of a data set.

    Args:
        samples: training samples for the calibration.
    """
    device = next(trained.model.parameters()).device
    measured = workload.test if split == "test" else workload.validation
    return Subject(
        trained=trained,
        feed=Feed(measured, workload, device),
        labels=measured.labels.astype(np.int64),
        class_names=workload.class_names,
        calibration=Feed(calibration_split(workload, samples), workload, device),
        workload=workload,
        split=split,
        threads=threads,
    )


def recorded_subject(trained: TrainedNetwork, recorded: RecordedInputs, *, threads: int = 1) -> Subject:
    """A network on recorded inputs, which also stand in for training data.

    Raises:
        InputError: inputs that the network cannot read.
    """
    first = trained.geometry.synaptic[0]
    found = recorded.frames.shape[2:]
    if found != (first.in_channels, first.height, first.width):
        raise InputError(
            str(recorded.path),
            f"holds frames of {' x '.join(map(str, found))}, "
            f"the network reads {first.in_channels} x {first.height} x {first.width}",
            "channels, height and width must agree",
        )
    device = next(trained.model.parameters()).device
    feed = RecordedFeed(recorded, trained.geometry.timesteps, device)
    return Subject(trained, feed, recorded.labels, (), feed, threads=threads)
