"""Ray clusters: one started here for the length of a ``with`` block, or a running one that is joined."""

from __future__ import annotations

import functools
import importlib
import logging
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from aster_dse.errors import InputError, UnreachableError

__all__ = ["join", "local_cluster"]

OBJECT_STORE_MIB = 512
"""Shared memory for the workloads; what does not fit is spilled to disk."""

_FOLDER_PREFIX = "aster-ray-"
_LOCK = "driver.lock"
_LONGEST_BASE = 19
"""Characters of the folder that holds session folders. Ray adds 66 for its longest socket path, our own
folders 21 more, and the kernel takes at most 107 (``sun_path``)."""


@contextmanager
def local_cluster(
    workers: int,
    *,
    threads_per_worker: int = 1,
    gpus: int = 0,
    object_store_mib: int = OBJECT_STORE_MIB,
) -> Iterator[None]:
    """Start Ray on this machine, and stop it when the block is left, however that happens.

    The cluster listens on the loopback interface only and asks for a token that nobody else knows. It is
    always a new one: an instance that a killed program left behind is never joined. Workers import what is
    installed and what ``PYTHONPATH`` names; the working directory is not on their path.

    Args:
        workers: jobs at once, each on one (logical) CPU.
        threads_per_worker: threads of one job's linear algebra.
        gpus: GPUs that jobs may share.
        object_store_mib: shared memory for workloads, MiB.
    """
    if workers < 1:
        raise InputError("--workers", f"{workers} is not a number of workers", "at least 1")
    with _session_folder() as folder, _terminable() as keep_sigterm:
        environment = _worker_environment(threads_per_worker) | _local_token()
        with _on_loopback(), _environment(environment):
            ray = importlib.import_module("ray")
            _silence(ray)
            try:
                ray.init(
                    address="local",
                    num_cpus=workers,
                    num_gpus=gpus,
                    object_store_memory=object_store_mib * 2**20,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.CRITICAL,
                    job_config=_job_config(ray),
                    _temp_dir=str(folder),
                )
            except BaseException:
                ray.shutdown()
                raise
        try:
            keep_sigterm()
            yield
        finally:
            ray.shutdown()


@contextmanager
def join(address: str, *, threads_per_worker: int = 1, timeout_s: float = 30.0) -> Iterator[None]:
    """Connect to a cluster that runs already, from one of its machines; disconnect at the end of the block.

    Args:
        address: ``host:port`` of the head node, or ``auto`` for the cluster that this machine is part of.
        threads_per_worker: threads of one job's linear algebra.
        timeout_s: how long the cluster may take to answer, seconds.

    Raises:
        UnreachableError: it does not answer, refuses the token, or runs another version of Ray.
    """
    if "://" in address:
        raise InputError(
            "--address",
            f"{address!r} is not host:port",
            "run on a machine of the cluster, or send it there with `ray job submit`",
        )
    _probe(address, timeout_s)
    with _terminable() as keep_sigterm:
        ray = importlib.import_module("ray")
        _silence(ray)
        try:
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                job_config=_job_config(ray),
                runtime_env={"env_vars": _worker_environment(threads_per_worker)},
            )
        except Exception as error:
            ray.shutdown()
            raise _unreachable(address, str(error).strip() or type(error).__name__) from error
        try:
            keep_sigterm()
            yield
        finally:
            ray.shutdown()


def _worker_environment(threads: int) -> dict[str, str]:
    """Variables that must be set before a worker imports torch, or workers spin on each other's cores."""
    count = str(threads)
    return {
        "RAY_USAGE_STATS_ENABLED": "0",
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "OMP_WAIT_POLICY": "PASSIVE",
        # One heap: what a job's thread frees is there for the next job's, not kept in a heap of its own.
        "MALLOC_ARENA_MAX": "1",
    }


@functools.cache
def _token() -> str:
    return secrets.token_hex(32)


def _local_token() -> dict[str, str]:
    """A token of this process, where the user has not set one; Ray would write its own to the home folder."""
    chosen = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
    return {} if any(name in os.environ for name in chosen) else {"RAY_AUTH_TOKEN": _token()}


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for the processes started meanwhile; afterwards the environment is as it was."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def _on_loopback() -> Iterator[None]:
    """Make Ray take 127.0.0.1 for this node, so that every server it starts binds to loopback only.

    Ray has this mode for desktop systems, under a name that says so; elsewhere it binds to all interfaces,
    and replaces a loopback address that it is given by the one the network sees.
    """
    with _environment({"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}):
        constants: Any = importlib.import_module("ray._private.ray_constants")
        before = constants.ENABLE_RAY_CLUSTER
        constants.ENABLE_RAY_CLUSTER = False  # read at import, which may have been before
        try:
            yield
        finally:
            constants.ENABLE_RAY_CLUSTER = before


def _job_config(ray: Any) -> Any:
    """Ray puts the driver's working directory first on the path of its workers, unless the driver is a client
    of the cluster: a ``torch.py`` or ``aster_dse/`` there would be imported in place of what is installed."""
    return ray.job_config.JobConfig(_client_job=True)


def _silence(ray: Any) -> None:
    """Stdout is for results, and Ray prints there when a worker dies, ``log_to_driver`` or not."""
    ray._private.worker._worker_logs_enabled = False


@contextmanager
def _terminable() -> Iterator[Callable[[], None]]:
    """SIGTERM leaves the block as an exception does, or calls the caller's own handler where there is one.

    ``ray.init`` puts its own handler in place of either; call what this yields after it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = signal.getsignal(signal.SIGTERM)
    handler = before if callable(before) else _exit
    signal.signal(signal.SIGTERM, handler)
    try:

        def keep() -> None:
            signal.signal(signal.SIGTERM, handler)

        yield keep
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _exit(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


@contextmanager
def _session_folder() -> Iterator[Path]:
    """A private folder for sockets and logs; removed afterwards, as are those that killed programs left."""
    found = Path(tempfile.gettempdir())
    base = found if len(str(found)) <= _LONGEST_BASE else Path("/tmp")
    _remove_abandoned(base)
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX, dir=base))
    try:
        with _locked(folder):
            yield folder / "r"  # Ray makes its folder writable for everybody; the one around it is ours alone
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock that the kernel drops when this process dies: a folder that can be locked is nobody's."""
    import fcntl

    with (folder / f"{_LOCK}.new").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        (folder / f"{_LOCK}.new").rename(folder / _LOCK)  # only ever seen locked
        yield


def _remove_abandoned(base: Path) -> None:
    import fcntl

    for folder in base.glob(f"{_FOLDER_PREFIX}*"):
        with suppress(OSError):  # held, another user's, or removed by somebody else just now
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with (folder / _LOCK).open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)


_PROBE = """
import sys
from ray._private.services import canonicalize_bootstrap_address_or_die
from ray._raylet import GcsClient
address = canonicalize_bootstrap_address_or_die(sys.argv[1])
nodes = GcsClient(address=address).get_all_node_info(timeout=float(sys.argv[2]))
print(len(nodes))
"""


def _probe(address: str, timeout_s: float) -> None:
    """Ask for the cluster's nodes in a process that can be killed: ``ray.init`` retries for many minutes."""
    command = [sys.executable, "-P", "-c", _PROBE, address, str(timeout_s)]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise _unreachable(address, f"no answer within {timeout_s:g} s") from None
    if answer.returncode:
        raise _unreachable(address, answer.stderr.strip() or f"the probe ended with code {answer.returncode}")


def _unreachable(address: str, text: str) -> UnreachableError:
    """The error, from whatever Ray had to say: the last line, that is the exception of a trace."""
    if "authentication" in text.lower():
        detail, remedy = (
            "it refuses the token",
            "set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN to the cluster's",
        )
    else:
        detail = text.splitlines()[-1].strip()
        remedy = "is it the head's host:port, and the same version of Ray?"
    return UnreachableError(f"--address {address}: cannot join the cluster: {detail} ({remedy})")
