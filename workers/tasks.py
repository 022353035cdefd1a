"""What runs in a Ray worker: one job, its progress and its outcome as one stream."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from aster_dse.network.memory import keep_freed_memory
from aster_dse.search.protocol import NetworkJob, Outcome, Report
from aster_dse.search.serial import RunJob, execute, failure
from aster_dse.workload import Workload

__all__ = ["Placed", "Started", "die_with_node", "stream_job"]

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(frozen=True)
class Started:
    """First item of the stream: which process has the job, for the message if it dies."""

    node: str
    pid: int


@dataclass(frozen=True)
class Placed:
    """Where a training on several workers has its places, for whoever must free them if it dies."""

    group: Any
    """Ray's placement group."""


def stream_job(
    run: RunJob, job: NetworkJob, workload: Workload | None, attempt: int
) -> Iterator[Started | Placed | Report | Outcome]:
    """Run a job and yield its reports as they come, then its outcome.

    The job has a thread of its own because a Ray stream is a generator, and a training reports by calling.
    """
    die_with_node()
    keep_freed_memory()  # before the thread begins, which else gets an arena of its own
    yield Started(platform.node(), os.getpid())
    items: SimpleQueue[Report | Outcome] = SimpleQueue()

    def work() -> None:
        try:
            items.put(execute(run, job, workload, items.put, attempt=attempt))
        except BaseException as error:  # a SystemExit would end the thread silently, and the stream never
            items.put(failure(job, error, attempt=attempt))
        finally:
            _give_memory_back()

    threading.Thread(target=work, name=f"trial-{job.trial}", daemon=True).start()
    while True:
        item = items.get()
        yield item
        if isinstance(item, Outcome):
            return


def _give_memory_back() -> None:
    """Return freed memory to the system: networks of many sizes would make the heap grow and grow."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl has not
        if trim is not None:
            trim(0)


def die_with_node() -> None:
    """Have the kernel kill this worker when its parent, the node's raylet, dies.

    A local raylet dies with the driver. Ray's own check takes about three seconds, in which a worker of a
    killed search would share cores, and the network's files, with the search that resumes it.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died just before
        os.kill(os.getpid(), signal.SIGKILL)
