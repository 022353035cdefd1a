"""Where trainings run and their files go, checked before a study is created."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from aster_dse.errors import InputError, MachineFaultError

if TYPE_CHECKING:
    from aster_dse.space import TrainingResources

__all__ = ["Machines", "check_machines", "gpu_share", "made_folder"]

FREE_MIB = 8
"""Disk that a search needs to begin: some small networks with their traces."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Machines:
    """Where the trainings run."""

    workers: int | None
    address: str | None
    gpus_per_worker: float | None
    data: Path | None = None
    """Folder in which data sets lie, on this machine; None for the usual one."""


def made_folder(folder: Path) -> Path:
    """The artifacts folder, made and written to before hours of training find out that it cannot be.

    Raises:
        InputError: it cannot be made or written.
        MachineFaultError: its disk is full.
    """
    doing, new = "made", not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        doing = "written"
        with tempfile.TemporaryFile(dir=folder) as probe:
            for _ in range(FREE_MIB):
                probe.write(os.urandom(2**20))  # which no file system packs
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        if new:
            with suppress(OSError):
                folder.rmdir()
        if error.errno in _FULL:
            raise MachineFaultError(
                f"--artifacts: the disk of {folder} has less than {FREE_MIB} MiB left: {error.strerror} "
                "(free some, or name another folder)"
            ) from None
        problem = f"{folder} cannot be {doing}: {error.strerror}"
        raise InputError("--artifacts", problem, "name another") from None
    return folder


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
