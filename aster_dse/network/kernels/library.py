"""Builds and loads the compiled kernels: once per machine, by the system's C compiler, into the user's cache.

Where there is no compiler (or ``ASTER_DSE_KERNELS=off``) everything runs on torch alone, slower and with the
same function. ``ASTER_DSE_KERNELS=avx2`` or ``portable`` builds for lesser processors than this one.
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
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from aster_dse.errors import NotFoundError
from aster_dse.stored_files import DamagedFileError, keep, verify_kept
from aster_dse.workload.cache import default_cache

__all__ = ["FAST", "STEADY", "Build", "Kernels", "available", "kernels_for", "load"]

_log = logging.getLogger(__name__)

SWITCH = "ASTER_DSE_KERNELS"

_FLAGS = ("-O3", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC")
_PROCESSORS = {"": ("-march=native",), "avx2": ("-march=x86-64-v3",), "portable": ()}
"""Flags by what :data:`SWITCH` says."""
_SUFFIXES = {torch.float32: "f32", torch.float64: "f64"}

Result = TypeVar("Result")
Argument = Tensor | int | float | None


@dataclass(frozen=True)
class Build:
    """What to compile: the first source, which includes the others."""

    name: str
    folder: Path
    sources: tuple[str, ...]
    flags: tuple[str, ...]


_SPIKING = ("spiking.c", "spiking.inc", "winograd.inc", "counting.inc")
FAST = Build("spiking", Path(__file__).parent, _SPIKING, ("-ffp-contract=fast",))
STEADY = Build("steady", Path(__file__).parent, _SPIKING, ("-ffp-contract=off",))
"""The same functions; what they compute forwards has the same bits on every machine."""


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


def kernels_for(*tensors: Tensor, build: Build = FAST) -> Kernels | None:
    """The kernels for CPU tensors of one type; None where torch has to do the work."""
    first = tensors[0]
    if first.device.type != "cpu" or any(tensor.dtype != first.dtype for tensor in tensors[1:]):
        return None
    if first.dtype not in _SUFFIXES:
        return None
    library = load(build)
    return None if library is None else _kernels(library, first.dtype)


def load(build: Build) -> ctypes.CDLL | None:
    """The compiled library; None where kernels are switched off or nothing here can build it."""
    switch = os.environ.get(SWITCH, "")
    return None if switch == "off" else _library(build, _PROCESSORS.get(switch, _PROCESSORS[""]))


def available() -> str:
    """In words, whether the kernels can be used here."""
    if os.environ.get(SWITCH) == "off":
        return f"off, by {SWITCH}"
    library = load(FAST)
    return (
        "no C compiler that builds them; torch does the work, slower"
        if library is None
        else str(library._name)
    )


@functools.cache
def _kernels(library: ctypes.CDLL, dtype: torch.dtype) -> Kernels:
    return Kernels(library, dtype)


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="kernels")


@functools.cache
def _library(build: Build, processor: tuple[str, ...]) -> ctypes.CDLL | None:
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    try:
        return ctypes.CDLL(str(_built(compiler, build, processor)))
    except (OSError, subprocess.SubprocessError) as error:
        detail = getattr(error, "stderr", "") or str(error)
        _log.warning("the compiled kernels cannot be built, torch does the work: %s", detail.strip())
        return None


def _built(compiler: str, build: Build, processor: tuple[str, ...]) -> Path:
    """The shared library of these sources for this processor, built where it is missing."""
    sources = [build.folder / name for name in build.sources]
    flags = (*_FLAGS, *processor, *build.flags)
    facts = [
        compiler,
        *flags,
        platform.machine(),
        _processor(),
        *(path.read_text("utf-8") for path in sources),
    ]
    key = hashlib.sha256("\0".join(facts).encode()).hexdigest()[:20]
    folder = default_cache() / "kernels"
    built = folder / f"{build.name}-{key}.so"
    with suppress(NotFoundError, DamagedFileError):
        verify_kept(built, "compiled kernels")
        return built
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / built.name
        subprocess.run(
            [*compiler.split(), *flags, "-o", str(made), str(sources[0]), "-lm"],
            check=True, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        keep(built, made.read_bytes(), durable=False)
    return built


def _processor() -> str:
    """What ``-march=native`` depends on, so that machines that share a home folder do not share code."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    wanted = ("model name", "flags", "Features")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))
