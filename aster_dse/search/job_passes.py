"""What a job does on real arrays: passes with their reports, and what the result says of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aster_dse.activity import ActivityTrace
from aster_dse.evaluation.inner import InnerAnswer
from aster_dse.evaluation.on_arrays import passes_for
from aster_dse.evaluation.question import InnerQuestion
from aster_dse.hardware.architecture import CHIPS_UNDER_CONDITIONS
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.numerics.network_passes import NetworkPasses
from aster_dse.search.protocol import NetworkJob, PassReport, Report
from aster_dse.space import HardwareConfig
from aster_dse.stored_files import SetAside
from aster_dse.training import TrainedNetwork
from aster_dse.workload import Workload

__all__ = ["forget_looks", "look_folder", "passes_of", "what_passes_did"]

_LOOK = "look-"


def passes_of(
    job: NetworkJob,
    trained: TrainedNetwork,
    workload: Workload,
    folder: Path,
    trace: ActivityTrace,
    *,
    threads: int,
    on_report: Callable[[Report], None] | None,
    on_damage: Callable[[SetAside], None],
    question: InnerQuestion | None,
    verify: bool = True,
) -> NetworkPasses | None:
    """Passes of the job's network; None where arrays are ideal.

    Args:
        folder: in which they lie or will lie.
        question: what the network is asked.
        verify: whether the answer is verified.
    """
    if job.candidate.hardware.arrays != "real":
        return None
    at_most = _at_most(job, question, trained.geometry, verify)

    def report() -> None:
        if on_report is not None:
            on_report(PassReport(job.trial, passes.log.made + 1, at_most))

    passes = NetworkPasses(
        trained,
        workload,
        folder,
        trace,
        threads=threads,
        on_pass=report,
        network=job.candidate.training_key(),
        on_damage=on_damage,
    )
    return passes


def _at_most(job: NetworkJob, question: InnerQuestion | None, geometry: NetworkGeometry, verify: bool) -> int:
    if question is None:
        return passes_for(job.candidate, job.inner, geometry)
    return question.passes * _chips(job.candidate.hardware) * (2 if verify else 1)


def _chips(hardware: HardwareConfig) -> int:
    """Chips of a class, whichever accelerator is chosen."""
    return hardware.chips or (CHIPS_UNDER_CONDITIONS if hardware.conditions else 1)


def what_passes_did(passes: NetworkPasses, answer: InnerAnswer | None) -> dict[str, Any]:
    """What the result of a job says of its passes.

    Args:
        answer: of the inner search, where there was one.
    """
    return {
        "array_classes": 0 if answer is None else answer.classes,
        "passes_made": passes.log.made,
        "calibrations_made": passes.log.calibrations_made,
        "passes_s": passes.log.seconds,
        "passes_failed": [] if answer is None else list(answer.failures),
    }


def look_folder(folder: Path, epoch: int) -> Path:
    """Where the passes of a network lie that is looked at before its training is over."""
    return folder / f"{_LOOK}{epoch}"


def forget_looks(folder: Path) -> None:
    """Remove what looks at a network left: no other look, nor the trained network, has use for it."""
    for look in folder.glob(f"{_LOOK}*"):
        shutil.rmtree(look, ignore_errors=True)
