"""The curves that ASTER (arXiv 2511.06770) publishes for early exit and attention skipping."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from aster_dse.errors import InputError

__all__ = ["ExitPoint", "PublishedCurves", "published_curves", "reference_for", "reference_names"]

_DATA_SETS = {"imagenet100": "imagenet100", "cifar10-dvs": "cifar10-dvs", "dvs-gesture": "dvs128-gesture"}
"""Our name of a data set, and that of its curves."""


@dataclass(frozen=True)
class ExitPoint:
    """One exit threshold of a published curve."""

    threshold: float
    mean_timesteps: float
    accuracy: float
    """A share."""


@dataclass(frozen=True)
class PublishedCurves:
    """What is published for one data set. Accuracies are shares."""

    name: str
    model: str
    timesteps: int
    exits: tuple[ExitPoint, ...]
    skips: dict[int, dict[float, float]] = field(default_factory=dict)
    """Accuracy by number of skipped blocks, then by exit threshold; empty where none is published."""
    classes: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Accuracy and mean exit step by class; empty where none is published."""

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, as lists where a number would be a key."""
        return {
            "name": self.name,
            "source": "ASTER, arXiv 2511.06770",
            "model": self.model,
            "timesteps": self.timesteps,
            "exit": [point.threshold for point in self.exits],
            "mean_timesteps": [point.mean_timesteps for point in self.exits],
            "accuracy": [point.accuracy for point in self.exits],
            "skips": [
                {"skip": skip, "exit": list(row), "accuracy": list(row.values())}
                for skip, row in self.skips.items()
            ],
        }


def reference_names() -> tuple[str, ...]:
    """Data sets with published curves."""
    return tuple(sorted(_DATA_SETS.values()))


def reference_for(workload: str) -> str | None:
    """The name of the curves for a data set, if there are any."""
    return _DATA_SETS.get(workload)


def published_curves(name: str) -> PublishedCurves:
    """The curves of a data set by their name.

    Raises:
        InputError: there are none of this name.
    """
    rows = [row for row in _table("exit_curves") if row["dataset"] == name]
    if not rows:
        raise InputError(
            "--reference", f"there are no curves {name!r}", f"one of {', '.join(reference_names())}"
        )
    timesteps = int(rows[0]["max_timesteps"])
    points = tuple(
        ExitPoint(
            threshold=float(row["exit_threshold"]),
            mean_timesteps=round(timesteps - float(row["timesteps_saved"]), 6),
            accuracy=float(row["accuracy_pct"]) / 100,
        )
        for row in rows
    )
    skips: dict[int, dict[float, float]] = {}
    for row in _table("skip_exit_imagenet100") if name == "imagenet100" else ():
        by_threshold = skips.setdefault(int(row["layers_skipped"]), {})
        by_threshold[float(row["exit_threshold"])] = float(row["accuracy_pct"]) / 100
    classes = {
        row["class"]: (float(row["accuracy_pct"]) / 100, float(row["mean_exit_step"]))
        for row in (_table("exit_per_class_cifar10dvs") if name == "cifar10-dvs" else ())
    }
    return PublishedCurves(name, rows[0]["model"], timesteps, points, skips, classes)


def _table(name: str) -> list[dict[str, str]]:
    text = resources.files(__package__).joinpath("reference", f"{name}.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))
