"""Where trainings run, checked before a study is created."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from aster_dse.errors import InputError

if TYPE_CHECKING:
    from aster_dse.space import TrainingResources

__all__ = ["Machines", "check_machines", "gpu_share"]


@dataclass(frozen=True)
class Machines:
    """Where the trainings run."""

    workers: int | None
    address: str | None
    gpus_per_worker: float | None
    data: Path | None = None
    """Folder in which data sets lie, on this machine; None for the usual one."""

    def words(self) -> list[str]:
        """The options that name the same machines again."""
        given = {
            "--workers": self.workers,
            "--address": self.address,
            "--gpus-per-worker": self.gpus_per_worker,
        }
        return [word for name, value in given.items() if value is not None for word in (name, str(value))]


def gpu_share(machines: Machines, resources: TrainingResources) -> float | None:
    """GPUs that a worker shall reserve; None where nobody said."""
    return machines.gpus_per_worker if machines.gpus_per_worker is not None else resources.gpus


def check_machines(machines: Machines, resources: TrainingResources) -> None:
    """Refuse what no machine can be, or this one is not.

    Raises:
        InputError: naming the option, or the setting of the space.
    """
    share = gpu_share(machines, resources) or 0.0
    if machines.workers == 0 and machines.address is not None:
        raise InputError("--workers", "0 trains in this process, not on a cluster", "drop it or --address")
    if machines.workers == 0 and resources.workers > 1:
        raise InputError(
            "--workers",
            f"0 trains in this process, and a training shall have {resources.workers}",
            "drop it, or --set search.resources_per_training.workers=1",
        )
    if resources.workers > 1 and (find_spec("pyarrow") is None or find_spec("tensorboardX") is None):
        raise InputError(
            "search.resources_per_training.workers",
            f"{resources.workers} workers need Ray Train, which is not installed",
            "pip install 'ray[train]>=2.60'",
        )
    where = "--gpus-per-worker"
    if machines.gpus_per_worker is None:
        where = "search.resources_per_training.gpus"
    if resources.workers > 1 and share % 1.0:
        raise InputError(where, f"{share:g}: workers of one training cannot share a GPU", "whole GPUs")
    if share > 1.0 and share % 1.0:
        raise InputError(where, f"{share:g}: only one GPU can be shared", "a whole number, or less than 1")
    if machines.address is None:
        _check_gpus_here(where, share, resources.workers)


def _check_gpus_here(where: str, share: float, workers: int) -> None:
    from aster_dse.cli.machine import gpus

    found = gpus()
    if share * workers > found:
        asked = f"{share:g} GPUs" if workers == 1 else f"{share:g} GPUs for each of {workers} workers"
        here = f"this machine has {found}" if found else "this machine has none"
        remedy = f"at most {found / workers:g}" if found else "leave it out"
        raise InputError(
            where, f"a training asks for {asked}, {here}", f"{remedy}, or --address of a cluster"
        )
