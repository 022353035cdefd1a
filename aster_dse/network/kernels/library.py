"""Builds and loads the compiled kernels: once per machine, by the system's C compiler, into the user's cache.

Where there is no compiler (or ``ASTER_DSE_KERNELS=off``) everything runs on torch alone, slower and with the
same function.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from aster_dse.workload.cache import default_cache

__all__ = ["Kernels", "available", "kernels_for"]

_log = logging.getLogger(__name__)

SWITCH = "ASTER_DSE_KERNELS"

_FLAGS = (
    "-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC",
)  # fmt: skip
_SOURCES = ("spiking.c", "spiking.inc", "winograd.inc", "counting.inc")
_SUFFIXES = {torch.float32: "f32", torch.float64: "f64"}

Result = TypeVar("Result")
Argument = Tensor | int | float | None


class Kernels:
    """The functions of ``spiking.inc`` for one floating-point type."""

    def __init__(self, library: ctypes.CDLL, dtype: torch.dtype) -> None:
        self._library = library
        self._suffix = _SUFFIXES[dtype]
        self._real: type[ctypes.c_float] | type[ctypes.c_double] = (
            ctypes.c_float if dtype == torch.float32 else ctypes.c_double
        )
        self._functions: dict[str, tuple[Callable[..., int], bool]] = {}
        self.lanes = 16 if dtype == torch.float32 else 8
        """Elements of a vector of 64 bytes."""
        self.wide = bool(library.wide_registers())
        """Such a vector is a register of this processor."""

    def __call__(self, name: str, *arguments: Argument) -> int:
        """Call a kernel: tensors by address, integers as int64, floats in the kernels' own type.

        Returns:
            The number of events for those that list some, else 0.

        Raises:
            MemoryError: the kernel got no scratch memory.
        """
        function, counts = self._functions.get(name) or self._typed(name, arguments)
        result: int = function(
            *[argument.data_ptr() if isinstance(argument, Tensor) else argument for argument in arguments]
        )
        if (result and not counts) or (result < 0 and name != "events"):
            raise MemoryError(f"no scratch memory for the kernel {name}")
        return result

    def _typed(self, name: str, arguments: tuple[Argument, ...]) -> tuple[Callable[..., int], bool]:
        """The C function, which takes arguments of these kinds whenever called; whether it counts events."""
        function = getattr(self._library, f"{name}_{self._suffix}")
        counts = name.endswith("events")
        function.restype = ctypes.c_int64 if counts else ctypes.c_int
        function.argtypes = [
            self._real
            if isinstance(argument, float)
            else ctypes.c_int64
            if isinstance(argument, int)
            else ctypes.c_void_p
            for argument in arguments
        ]
        self._functions[name] = function, counts
        return self._functions[name]

    @staticmethod
    def ranges(count: int, run: Callable[[int, int], Result]) -> list[Result]:
        """Share ``run(first, last)`` over as many threads as torch uses, always in the same ranges."""
        threads = min(torch.get_num_threads(), count)
        if threads <= 1:
            return [run(0, count)]
        edges = [count * part // threads for part in range(threads + 1)]
        return [done.result() for done in [_pool(threads).submit(run, *span) for span in pairwise(edges)]]


def kernels_for(*tensors: Tensor) -> Kernels | None:
    """The kernels for CPU tensors of one type; None where torch has to do the work."""
    first = tensors[0]
    if first.device.type != "cpu" or any(tensor.dtype != first.dtype for tensor in tensors[1:]):
        return None
    if first.dtype not in _SUFFIXES or os.environ.get(SWITCH) == "off":
        return None
    return _kernels(first.dtype)


def available() -> str:
    """In words, whether the kernels can be used here."""
    if os.environ.get(SWITCH) == "off":
        return f"off, by {SWITCH}"
    library = _library()
    return (
        "no C compiler that builds them; torch does the work, slower"
        if library is None
        else str(library._name)
    )


@functools.cache
def _kernels(dtype: torch.dtype) -> Kernels | None:
    library = _library()
    return None if library is None else Kernels(library, dtype)


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="kernels")


@functools.cache
def _library() -> ctypes.CDLL | None:
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    here = Path(__file__).parent
    try:
        return ctypes.CDLL(str(_built(compiler, [here / name for name in _SOURCES])))
    except (OSError, subprocess.SubprocessError) as error:
        detail = getattr(error, "stderr", "") or str(error)
        _log.warning("the compiled kernels cannot be built, torch does the work: %s", detail.strip())
        return None


def _built(compiler: str, sources: list[Path]) -> Path:
    """The shared library of these sources for this processor, built where it is missing."""
    facts = [
        compiler,
        *_FLAGS,
        platform.machine(),
        _processor(),
        *(path.read_text("utf-8") for path in sources),
    ]
    key = hashlib.sha256("\0".join(facts).encode()).hexdigest()[:20]
    folder = default_cache() / "kernels"
    built = folder / f"spiking-{key}.so"
    if built.is_file():
        return built
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / built.name
        subprocess.run(
            [*compiler.split(), *_FLAGS, "-o", str(made), str(sources[0]), "-lm"],
            check=True, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        os.replace(made, built)
    return built


def _processor() -> str:
    """What ``-march=native`` depends on, so that machines that share a home folder do not share code."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    wanted = ("model name", "flags", "Features")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))
