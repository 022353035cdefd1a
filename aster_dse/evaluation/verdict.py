"""What a policy makes of a network's answers: accuracy, when samples leave, and how the classes fare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aster_dse.evaluation.interval import wilson_interval
from aster_dse.policy import ExitMetric, Exits, exits, log_doubt

__all__ = ["ClassVerdict", "Verdict", "exits_at", "joined", "verdict"]

_CHUNK = 2048
"""Samples whose exits are decided at once: for 1000 classes, 64 MiB of logits in double precision."""


@dataclass(frozen=True)
class ClassVerdict:
    """How the samples of one class fared."""

    name: str
    samples: int
    accuracy: float
    mean_exit_step: float
    std_exit_step: float

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "class": self.name,
            "samples": self.samples,
            "accuracy": self.accuracy,
            "mean_exit_step": self.mean_exit_step,
            "std_exit_step": self.std_exit_step,
        }


@dataclass(frozen=True)
class Verdict:
    """How samples fared under a policy. Accuracies are None where the labels are not known."""

    samples: int
    accuracy: float | None
    interval: tuple[float, float] | None
    """Wilson's, 95 %."""
    mean_timesteps: float
    exit_histogram: tuple[float, ...]
    """Share of the samples that left after 1, 2, ... T steps of the network."""
    per_class: tuple[ClassVerdict, ...]
    """Classes that have samples, in their order."""


def exits_at(
    logits: NDArray[np.float32],
    thresholds: Sequence[float],
    *,
    metric: ExitMetric = "confidence",
    timesteps: int | None = None,
) -> list[Exits]:
    """The exits at each threshold.

    Args:
        logits: ``[N, T, classes]`` of each step alone.
        timesteps: steps at most; None for all.
    """
    parts: list[list[Exits]] = [[] for _ in thresholds]
    for start in range(0, len(logits), _CHUNK):
        chunk = logits[start : start + _CHUNK, :timesteps]
        doubt = log_doubt(chunk, metric)
        for part, threshold in zip(parts, thresholds, strict=True):
            part.append(exits(chunk, threshold, metric=metric, doubt=doubt))
    return [joined(part) for part in parts]


def joined(parts: Sequence[Exits]) -> Exits:
    """The exits of several parts of the samples as one."""
    return Exits(
        steps=np.concatenate([part.steps for part in parts]),
        predictions=np.concatenate([part.predictions for part in parts]),
    )


def verdict(
    left: Exits, labels: NDArray[np.int64] | None, *, timesteps: int, class_names: Sequence[str] = ()
) -> Verdict:
    """Judge exits by the labels.

    Args:
        timesteps: T of the network, the length of the histogram.
        class_names: by label; a class beyond them is named by its number.
    """
    samples = len(left.steps)
    histogram = np.bincount(left.steps, minlength=timesteps + 1)[1:] / samples
    accuracy = interval = None
    classes = []
    if labels is not None:
        right = left.predictions == labels
        accuracy = float(right.mean())
        interval = wilson_interval(accuracy, samples)
        for label in np.unique(labels):
            members = labels == label
            classes.append(
                ClassVerdict(
                    name=class_names[label] if label < len(class_names) else str(label),
                    samples=int(members.sum()),
                    accuracy=float(right[members].mean()),
                    mean_exit_step=float(left.steps[members].mean()),
                    std_exit_step=float(left.steps[members].std()),
                )
            )
    return Verdict(
        samples=samples,
        accuracy=accuracy,
        interval=interval,
        mean_timesteps=float(left.steps.mean()),
        exit_histogram=tuple(float(share) for share in histogram),
        per_class=tuple(classes),
    )
