"""``aster-dse doctor``: whether this machine has what a search needs, and what to do where it has not."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from aster_dse.cli.networks import Data
from aster_dse.cli.options import DEFAULT_STORAGE, Artifacts, Json, Storage, artifacts_folder
from aster_dse.cli.output import files_in_words, print_json, print_table, table
from aster_dse.errors import AsterError, NotFoundError

__all__ = ["doctor"]

DISK_GIB = 2.0

_PACKAGES = ("torch", "spikingjelly", "ray", "optuna", "sqlalchemy", "dash", "pandas", "scikit-learn")


@dataclass(frozen=True)
class _Check:
    check: str
    ok: bool
    detail: str
    hint: str = ""


def doctor(
    storage: Storage = DEFAULT_STORAGE,
    artifacts: Artifacts = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Check versions, Ray, database, disk, memory, GPU, data sets and folders, and say what to do."""
    checks = list(_checks(storage, artifacts, data))
    if json:
        print_json([asdict(check) for check in checks])
    else:
        rows = table(["", "check", "found", "what to do"])
        for check in checks:
            rows.add_row("ok" if check.ok else "!!", check.check, check.detail, check.hint)
        print_table(rows)
    bad = [check.check for check in checks if not check.ok]
    if bad:
        raise AsterError(f"{len(bad)} of {len(checks)} checks need attention: {', '.join(bad)}")


def _checks(storage: str, artifacts: Path | None, data: Path | None) -> Iterator[_Check]:
    yield _python()
    yield from map(_package, _PACKAGES)
    yield _attempt("torch device", _torch_device, "pip install torch, or the wheel for your CUDA")
    yield _kernels()
    yield _attempt("ray import", _ray, "pip install 'ray[default]'")
    folder = Path.cwd()
    if find_spec("sqlalchemy") is not None:  # what is missing has a line above
        yield _storage(storage)
        try:
            folder = artifacts_folder(storage, artifacts)
        except ValueError:  # the text is no URL, which the check above has said
            folder = artifacts_folder(DEFAULT_STORAGE, artifacts)
        yield _writable("artifacts folder", folder, "--artifacts or ASTER_DSE_ARTIFACTS names another one")
        yield _networks(storage, folder)
    yield _data_sets(data)
    yield _attempt("data cache", _cache, "set ASTER_DSE_CACHE to a folder that can be written")
    yield _disk(folder)
    yield _cores_and_memory()
    yield _shared_memory()


def _python() -> _Check:
    good = sys.version_info >= (3, 11)
    return _Check("python", good, platform.python_version(), "" if good else "install Python 3.11 or newer")


def _package(name: str) -> _Check:
    try:
        return _Check(name, True, metadata.version(name))
    except metadata.PackageNotFoundError:
        return _Check(name, False, "not installed", f"pip install {name}")


def _attempt(check: str, look: Callable[[], str], hint: str) -> _Check:
    try:
        return _Check(check, True, look())
    except Exception as error:
        # Whatever a broken installation raises is what the user came here to read.
        return _Check(check, False, f"{type(error).__name__}: {' '.join(str(error).split())}", hint)


def _torch_device() -> str:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
        return f"CUDA: {', '.join(names)}"
    return "CPU; no CUDA device, which small networks do not need"


def _kernels() -> _Check:
    """Not a fault where there are none: torch computes the same."""
    try:
        import torch

        from aster_dse.network.kernels.library import available, kernels_for

        built = kernels_for(torch.zeros(1)) is not None
    except Exception as error:
        # Of a broken torch, which has a line of its own.
        return _Check("compiled kernels", True, f"not tried: {type(error).__name__}")
    hint = "" if built else "for two to three times the speed on CPUs: a C compiler (gcc or clang)"
    return _Check("compiled kernels", True, available(), hint)


def _data_sets(data: Path | None) -> _Check:
    """Not a fault where there are none: the digits come with a library."""
    from aster_dse.workload import found_data
    from aster_dse.workload.trees import VARIABLE, data_root

    root = data_root(data)
    named = data is not None or bool(os.environ.get(VARIABLE))
    if named and not root.is_dir():
        return _Check("data sets", False, f"there is no folder {root}", "another --data or ASTER_DSE_DATA")
    found = list(found_data(data))
    if not found:
        hint = "--data or ASTER_DSE_DATA names their folder"
        return _Check("data sets", True, f"none in {root}; the digits need none", hint)
    listed = (f"{one.name} ({one.folder.name}{', ' if one.note else ''}{one.note})" for one in found)
    faults = [one.fault for one in found if one.fault]
    detail = "; ".join([f"in {root}: {', '.join(listed)}", *faults])
    hint = "complete these folders, or remove them" if faults else ""
    return _Check("data sets", not faults, detail, hint)


def _ray() -> str:
    import ray

    address = os.environ.get("RAY_ADDRESS")
    return f"{ray.__version__}, " + (
        f"RAY_ADDRESS={address}" if address else "a search starts its own on this machine"
    )


def _storage(url: str) -> _Check:
    from aster_dse.store import StudyReader

    try:
        with StudyReader(url) as reader:
            return _Check("storage", True, f"{reader.url}, {len(reader.studies())} studies")
    except NotFoundError as error:
        return _Check("storage", True, f"{error}")
    except AsterError as error:
        return _Check("storage", False, str(error), "--storage or ASTER_DSE_STORAGE names another one")


def _cache() -> str:
    from aster_dse.workload.cache import default_cache

    folder = default_cache()
    existing = _existing(folder)
    if not os.access(existing, os.W_OK):
        raise PermissionError(f"{existing} cannot be written")
    return f"{folder}, {len(list(folder.glob('*.npz'))) if folder.is_dir() else 0} data sets made"


def _writable(check: str, folder: Path, hint: str) -> _Check:
    existing = _existing(folder)
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        return _Check(check, False, f"{existing} cannot be written", hint)
    return _Check(check, True, str(folder) + ("" if folder.is_dir() else " (a search makes it)"))


def _networks(storage: str, folder: Path) -> _Check:
    """What lies in the artifacts folder, and of which networks the database knows nothing."""
    from aster_dse.store import StudyReader
    from aster_dse.store.network_files import files_of_networks, networks_in

    there = networks_in(folder)
    words = f"{len(there)} in the artifacts folder"
    if not there:
        return _Check("trained networks", True, words)
    detail = f"{words}: {files_in_words(files_of_networks(folder, there))}"
    try:
        with StudyReader(storage) as reader:
            known = reader.network_keys()
    except (AsterError, ValueError):  # of which the check of the storage says more
        return _Check("trained networks", True, detail)
    unused = [key for key in there if key not in known]
    if not unused:
        return _Check("trained networks", True, detail)
    detail += f"; no study uses {len(unused)} of them: {files_in_words(files_of_networks(folder, unused))}"
    hint = "delete their folders, unless another database's studies use them"
    return _Check("trained networks", True, detail, hint)


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _disk(folder: Path) -> _Check:
    free = shutil.disk_usage(_existing(folder)).free / 2**30
    good = free >= DISK_GIB
    return _Check(
        "disk", good, f"{free:.1f} GiB free", "" if good else f"free {DISK_GIB:g} GiB, or use --artifacts"
    )


def _cores_and_memory() -> _Check:
    from aster_dse.cli.machine import WORKER_GIB, cores, memory_gib, workers_in_memory

    found, memory = cores(), memory_gib()
    if memory is None:
        return _Check("cores and memory", True, f"{found} cores")
    workers = workers_in_memory()
    detail = f"{found} cores, {memory:.1f} GiB free: enough for {workers} workers of {WORKER_GIB:g} GiB"
    hint = "" if workers >= found else f"use --workers {max(1, workers)}"
    return _Check("cores and memory", workers >= 1, detail, hint)


def _shared_memory() -> _Check:
    folder = Path("/dev/shm")
    if not folder.is_dir():
        return _Check("shared memory", True, "no /dev/shm; Ray uses files")
    free = shutil.disk_usage(folder).free / 2**20
    good = free >= 256
    hint = "" if good else "in a container, give it more: docker run --shm-size=1g"
    return _Check("shared memory", good, f"{free:.0f} MiB free in /dev/shm", hint)
