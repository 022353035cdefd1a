"""What this process may use of the machine."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["WORKER_GIB", "cores", "gpus", "memory_gib", "workers_in_memory"]

WORKER_GIB = 1.5
"""Memory that a worker may take."""
_DRIVER_GIB = 1.0


def cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_gib() -> float | None:
    """Memory that programs can still get; None where the system does not say."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    kib = {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines()}
    return kib.get("MemAvailable", kib["MemFree"]) / 2**20


def workers_in_memory() -> int:
    """Workers that find memory; as many as there are cores where the system does not say."""
    memory = memory_gib()
    return cores() if memory is None else max(0, int((memory - _DRIVER_GIB) // WORKER_GIB))


def gpus() -> int:
    """NVIDIA GPUs that this process may use, counted without importing torch."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return len([name for name in chosen.split(",") if name.strip() not in ("", "-1")])
    return len(list(Path("/dev").glob("nvidia[0-9]*")))
