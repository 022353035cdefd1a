"""Inputs recorded beside a checkpoint, with what another program answered: does ours answer the same?

An ``.npz`` file holds ``input``, ``[B, C, H, W]`` still images or ``[B, T, 2, H, W]`` event frames, as the
network reads them, and where they are known ``labels`` ``[B]``, ``logits`` ``[T, B, classes]`` of every step
and ``logits_skip_0,1`` with the attention of these blocks left out. A ``.json`` file of the same name holds
the firing log and the early exits of the same inputs.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aster_dse.activity.firing_log import FiringLog, Rates, read_firing_log
from aster_dse.errors import InputError, NotFoundError
from aster_dse.policy import ExitMetric, exits
from aster_dse.training.trained import Feed

__all__ = [
    "Agreement",
    "RecordedExit",
    "RecordedFeed",
    "RecordedInputs",
    "agreement",
    "beside",
    "load_recorded",
]

LOGITS_TOLERANCE = 1e-3
"""Mean absolute difference: in float32 a spike whose potential lies at the threshold may flip."""
RATE_TOLERANCE = 1e-4

_KEYS = "input, and where they are known labels, logits, logits_skip_0, ..."


@dataclass(frozen=True)
class RecordedExit:
    """Where every sample left at one threshold, and with what answer."""

    metric: ExitMetric
    threshold: float
    steps: NDArray[np.int64]
    predictions: NDArray[np.int64]


@dataclass(frozen=True)
class RecordedInputs:
    """Samples as a network reads them, and what is known of them."""

    path: Path
    frames: NDArray[np.float32]
    """``[B, T, C, H, W]``, T = 1 for still images."""
    static: bool
    labels: NDArray[np.int64] | None
    logits: Mapping[frozenset[int], NDArray[np.float32]]
    """``[B, T, classes]`` of every step alone, by the blocks whose attention is left out."""
    log: FiringLog | None = None
    exits: tuple[RecordedExit, ...] = ()

    @property
    def timesteps(self) -> int | None:
        """Steps of the network that answered; None where still images come without answers."""
        for answer in self.logits.values():
            return int(answer.shape[1])
        return None if self.static else int(self.frames.shape[1])


class RecordedFeed(Feed):
    """Recorded inputs, given out as a split of a data set is."""

    def __init__(self, recorded: RecordedInputs, timesteps: int, device: torch.device) -> None:
        frames = torch.from_numpy(recorded.frames)
        self._time_first = frames.transpose(0, 1).to(device)
        if recorded.static:
            self._time_first = self._time_first.expand(timesteps, -1, -1, -1, -1)
        known = np.zeros(len(frames), dtype=np.int64) if recorded.labels is None else recorded.labels
        self.labels = torch.from_numpy(known).to(device)

    def __len__(self) -> int:
        return int(self._time_first.shape[1])

    def frames(self, index: Tensor | slice, shifts: Tensor | None = None) -> Tensor:
        if shifts is not None:
            raise ValueError("recorded inputs are not augmented")
        return self._time_first[:, index]


def beside(checkpoint: Path) -> Path | None:
    """The recorded inputs that lie beside a checkpoint under its name, if there are any.

    An ``.npz`` file that holds something else is none.
    """
    name = checkpoint.name.removesuffix(".tar")
    path = checkpoint.with_name(name).with_suffix(".npz")
    try:
        with np.load(path, allow_pickle=False) as stored:
            return path if "input" in stored.files else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError):
        return None  # not ours to judge: nobody asked for this file


def load_recorded(path: Path) -> RecordedInputs:
    """Read recorded inputs, and the ``.json`` file of the same name where there is one.

    Raises:
        NotFoundError: there is no such file.
        InputError: it is damaged, or holds something else.
    """
    if not path.is_file():
        raise NotFoundError(f"{path}: no such file of recorded inputs")
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        reason = getattr(error, "strerror", None) or "damaged, cut short or no .npz file"
        raise InputError(str(path), f"cannot be read: {reason}", f"an .npz file with {_KEYS}") from error
    frames = arrays.get("input")
    if frames is None or frames.ndim not in (4, 5) or not len(frames):
        shape = "no input" if frames is None else f"input of shape {frames.shape}"
        raise InputError(str(path), f"holds {shape}", "input [B, C, H, W] or [B, T, 2, H, W]")
    if frames.shape[-1] != frames.shape[-2]:
        raise InputError(str(path), f"holds frames of {frames.shape[-2]} x {frames.shape[-1]}", "square ones")
    labels = arrays.get("labels")
    if labels is not None and labels.shape != (len(frames),):
        raise InputError(f"{path}: labels", f"have shape {labels.shape}", f"one for each of {len(frames)}")
    static = frames.ndim == 4
    logits = {}
    for name, values in arrays.items():
        found = re.fullmatch(r"logits(?:_skip_(\d+(?:,\d+)*))?", name)
        if found is None:
            continue
        steps = values.shape[0] if static else frames.shape[1]
        if values.ndim != 3 or values.shape[:2] != (steps, len(frames)):
            raise InputError(f"{path}: {name}", f"has shape {values.shape}", "[T, B, classes] of the inputs")
        skipped = frozenset(int(block) for block in (found.group(1) or "").split(",") if block)
        logits[skipped] = values.swapaxes(0, 1).astype(np.float32)
    log: FiringLog | None = None
    left: tuple[RecordedExit, ...] = ()
    companion = path.with_suffix(".json")
    if companion.is_file():
        log, left = read_firing_log(companion), _exits(companion, len(frames))
    return RecordedInputs(
        path=path,
        frames=frames.astype(np.float32)[:, None] if static else frames.astype(np.float32),
        static=static,
        labels=None if labels is None else labels.astype(np.int64),
        logits=logits,
        log=log,
        exits=left,
    )


def save_logits(
    path: Path,
    logits: NDArray[np.float32],
    *,
    skipped: Sequence[int] = (),
    labels: NDArray[np.int64] | None = None,
) -> None:
    """Write answers as recorded inputs hold them.

    Args:
        logits: ``[B, T, classes]`` of every step alone.
        skipped: blocks whose attention was left out.

    Raises:
        InputError: the file cannot be written.
    """
    name = "logits" + ("_skip_" + ",".join(map(str, sorted(skipped))) if skipped else "")
    arrays: dict[str, NDArray[Any]] = {name: logits.swapaxes(0, 1)}
    if labels is not None:
        arrays["labels"] = labels
    try:
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
    except OSError as error:
        raise InputError(str(path), f"cannot be written: {error.strerror}", "name another file") from None


def _exits(path: Path, samples: int) -> tuple[RecordedExit, ...]:
    document = json.loads(path.read_text(encoding="utf-8"))
    found = []
    for name, answer in document.get("early_exit", {}).items():
        metric, _, threshold = name.partition(":")
        try:
            steps = np.array(answer["steps"], dtype=np.int64)
            predictions = np.array(answer["predictions"], dtype=np.int64)
            level = float(threshold)
        except (KeyError, TypeError, ValueError):
            raise InputError(f"{path}: early_exit.{name}", "no exits", "steps and predictions") from None
        if metric not in ("confidence", "entropy") or not len(steps) == len(predictions) == samples:
            raise InputError(
                f"{path}: early_exit.{name}",
                f"{len(steps)} samples by {metric}",
                f"{samples} by confidence or entropy",
            )
        found.append(
            RecordedExit("entropy" if metric == "entropy" else "confidence", level, steps, predictions)
        )
    return tuple(found)


@dataclass(frozen=True)
class Agreement:
    """How far a network answers recorded inputs as they were answered before."""

    logits: Mapping[str, Mapping[str, Any]]
    """By skipped blocks (``none``, ``0,1``): ``mean_absolute_difference`` and ``predictions_equal``."""
    exits: Mapping[str, Mapping[str, bool]]
    """By metric and threshold (``confidence:0.9``): ``steps_equal`` and ``predictions_equal``."""
    firing_rate: float | None
    """Largest difference of a rate; None where none was recorded."""

    @property
    def agrees(self) -> bool:
        return (
            all(
                entry["mean_absolute_difference"] <= LOGITS_TOLERANCE and entry["predictions_equal"]
                for entry in self.logits.values()
            )
            and all(all(entry.values()) for entry in self.exits.values())
            and (self.firing_rate is None or self.firing_rate <= RATE_TOLERANCE)
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        rates = None if self.firing_rate is None else {"largest_difference": self.firing_rate}
        return {
            "agrees": self.agrees,
            "logits": {name: dict(entry) for name, entry in self.logits.items()},
            "exits": {name: dict(entry) for name, entry in self.exits.items()},
            "firing_rate": rates,
        }


def agreement(
    recorded: RecordedInputs,
    answer: Callable[[frozenset[int]], NDArray[np.float32]],
    rates: Rates,
) -> Agreement | None:
    """Hold a network against what was recorded; None where nothing was.

    Args:
        answer: the network's logits ``[B, T, classes]`` of every step, by skipped blocks.
        rates: its firing rates on the inputs, without skipping.

    Raises:
        InputError: answers of a network with other classes or layers.
    """
    if not recorded.logits and not recorded.exits and recorded.log is None:
        return None
    logits = {}
    for skipped, expected in recorded.logits.items():
        ours = answer(skipped)
        if ours.shape != expected.shape:
            raise InputError(
                str(recorded.path),
                f"holds logits of shape {expected.shape}, the network gives {ours.shape}",
                "the answers of this network",
            )
        logits[",".join(map(str, sorted(skipped))) or "none"] = {
            "mean_absolute_difference": float(np.abs(ours.astype(np.float64) - expected).mean()),
            "predictions_equal": bool(
                (ours.sum(1).argmax(-1) == expected.sum(1).argmax(-1)).all(),
            ),
        }
    left = {}
    for entry in recorded.exits:
        found = exits(answer(frozenset()), entry.threshold, metric=entry.metric)
        left[f"{entry.metric}:{entry.threshold:g}"] = {
            "steps_equal": bool((found.steps == entry.steps).all()),
            "predictions_equal": bool((found.predictions == entry.predictions).all()),
        }
    return Agreement(logits, left, _rate_difference(recorded, rates))


def _rate_difference(recorded: RecordedInputs, rates: Rates) -> float | None:
    if recorded.log is None:
        return None
    expected = recorded.log.firing_rate
    for name, values in rates.items():
        if name not in expected or expected[name].shape != values.shape:
            raise InputError(
                str(recorded.path.with_suffix(".json")),
                f"has no {name} for {len(values)} steps",
                "the log of this network",
            )
    return max(float(np.abs(values - expected[name]).max()) for name, values in rates.items())
