"""One trained network on the arrays of one accelerator: its answers on every chip, beside the plain ones.

Figures are those of a verification: ranges from calibration set 1, and the chips that go with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os import W_OK, access
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from aster_dse.activity import ActivityTrace
from aster_dse.activity.record import record_trace
from aster_dse.errors import InputError
from aster_dse.evaluation.calibration_sets import VERIFICATION
from aster_dse.evaluation.evaluate import evaluate
from aster_dse.evaluation.interval import wilson_interval
from aster_dse.evaluation.on_arrays import computing_of
from aster_dse.evaluation.result import Evaluation
from aster_dse.evaluation.subject import Subject
from aster_dse.evaluation.verdict import Verdict, exits_at, joined, verdict
from aster_dse.hardware import HardwareCost, estimate, resolve
from aster_dse.numerics.network_passes import NetworkPasses
from aster_dse.policy import ExitMetric, PolicyTable, mean_activity, skipped_blocks
from aster_dse.space import Candidate, HardwareConfig, PolicyConfig, WorkloadConfig

__all__ = ["OnArrays", "network_passes", "on_arrays", "pass_folder"]


@contextmanager
def pass_folder(checkpoint: Path, *, ours: bool) -> Iterator[Path]:
    """Where the passes of a checkpoint lie: beside a network of ours, else in a folder that goes away."""
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    if ours and access(folder, W_OK):
        yield folder
    else:
        with TemporaryDirectory(prefix="aster-dse-") as name:
            yield Path(name)


def network_passes(
    subject: Subject, folder: Path, *, on_pass: Callable[[], None] | None = None
) -> NetworkPasses:
    """Passes of a network over the split that it is measured on.

    Args:
        on_pass: called before each pass that is made.

    Raises:
        InputError: there are no training samples to calibrate ranges on, or too few.
    """
    workload = subject.workload
    if workload is None:
        raise InputError(
            "--arrays real",
            "recorded inputs have no training samples, from which the converters' ranges are set",
            "give the data set: --workload NAME, and --data DIR where it lies",
        )
    plain = record_trace(subject.trained, workload, split=subject.split, threads=subject.threads)
    if subject.split == "test":
        workload = replace(workload, validation=workload.test)
    return NetworkPasses(subject.trained, workload, folder, plain, threads=subject.threads, on_pass=on_pass)


@dataclass(frozen=True, eq=False)
class OnArrays:
    """Traces of a network on the chips of one design, and of the plain network."""

    candidate: Candidate
    """Its accelerator is the design."""
    plain: ActivityTrace
    chips: tuple[ActivityTrace, ...]

    def evaluations(self, policies: Sequence[PolicyConfig]) -> tuple[Evaluation, ...]:
        """All metrics of the design under each of some policies."""
        inner = [
            {f"policy.{name}": value for name, value in policy.model_dump().items()} for policy in policies
        ]
        return evaluate(self.plain, self.candidate, inner, chips=self.chips)

    def costs(self, policies: Sequence[PolicyConfig]) -> list[HardwareCost]:
        """Costs under each of some policies; energy and latency are means over the chips."""
        tables = [PolicyTable(chip) for chip in self.chips]
        design = resolve(self.candidate.hardware)
        found = []
        for policy in policies:
            activities = [table.outcome(policy).activity for table in tables]
            single = [estimate(self.plain.geometry, one, design)[0] for one in activities]
            mean = estimate(self.plain.geometry, mean_activity(activities), design)[0]
            found.append(
                replace(
                    mean,
                    energy_uj=float(np.mean([cost.energy_uj for cost in single])),
                    latency_us=float(np.mean([cost.latency_us for cost in single])),
                )
            )
        return found

    def logits(self, skip_threshold: float | None) -> list[NDArray[np.float32]]:
        """``[N, T, classes]`` of every chip."""
        skips = len(skipped_blocks(self.plain.block_activity, skip_threshold))
        return [chip.logits[skips] for chip in self.chips]

    def verdict(self, policy: PolicyConfig, *, class_names: Sequence[str] = ()) -> Verdict:
        """Means over the chips; the interval is for the number of samples, whatever that of chips."""
        (found,) = self.verdicts(
            policy.skip_threshold,
            [policy.exit_threshold],
            metric=policy.exit_metric,
            timesteps=policy.timesteps,
            class_names=class_names,
        )
        return found

    def verdicts(
        self,
        skip_threshold: float | None,
        thresholds: Sequence[float],
        *,
        metric: ExitMetric = "confidence",
        timesteps: int | None = None,
        class_names: Sequence[str] = (),
    ) -> list[Verdict]:
        """:meth:`verdict` at each of some exit thresholds."""
        by_chip = [
            exits_at(answers, thresholds, metric=metric, timesteps=timesteps)
            for answers in self.logits(skip_threshold)
        ]
        labels, chips = self.plain.labels, len(self.chips)
        found = []
        for left in zip(*by_chip, strict=True):
            together = verdict(
                joined(left),
                np.tile(labels, chips),
                timesteps=self.plain.geometry.timesteps,
                class_names=class_names,
            )
            found.append(
                replace(
                    together,
                    samples=len(labels),
                    interval=wilson_interval(together.accuracy or 0.0, len(labels)),
                    per_class=tuple(
                        replace(entry, samples=entry.samples // chips) for entry in together.per_class
                    ),
                )
            )
        return found


def on_arrays(passes: NetworkPasses, workload: WorkloadConfig, hardware: HardwareConfig) -> OnArrays:
    """Run a network on the arrays of a design.

    Raises:
        InputError: an accelerator that cannot exist.
        PassError: a pass could not be made.
    """
    passes = passes.on_samples(hardware.validation_samples)
    accelerator = resolve(hardware)
    traces = computing_of(accelerator, passes.plain.geometry, VERIFICATION).traces(passes)
    return OnArrays(Candidate(workload=workload, hardware=hardware), passes.plain, tuple(traces))
