"""How the C library keeps memory between tensors."""

from __future__ import annotations

import ctypes
import functools
import sys

__all__ = ["keep_freed_memory"]

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # malloc.h of glibc


@functools.cache
def keep_freed_memory() -> None:
    """Have this process use freed memory again rather than give it back to the system and ask for it anew.

    By default glibc maps every large block for itself, and the system clears its pages each time: a quarter
    of a training step with tensors of 100 MB. The memory of a process then stays at its peak; ``malloc_trim``
    gives it back. One arena serves all threads, since others cannot grow so far. Without glibc nothing is
    changed.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it, musl has not
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
