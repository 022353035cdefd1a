"""The compiled kernels of layers on arrays; where they cannot be built the reference does the work."""

from __future__ import annotations

import ctypes
from pathlib import Path

from torch import Tensor

from aster_dse.network.kernels.library import Build, load

__all__ = ["ARRAYS", "ArrayKernels", "array_kernels"]

ARRAYS = Build(
    "arrays",
    Path(__file__).parent,
    (
        "arrays.c",
        "vectors.inc",
        "window.inc",
        "pattern.inc",
        "digital.inc",
        "narrow.inc",
        "wide.inc",
        "loose.inc",
        "chunk.inc",
        "histogram.inc",
        "frames.inc",
    ),
    ("-ffp-contract=off", "-Wno-psabi"),
)

_POINTER, _INTEGER = ctypes.c_void_p, ctypes.c_int64
_EVENTS = (_POINTER, _POINTER, *(_INTEGER,) * 7)
"""channel, count, first, last, H, W, C, kernel, rows"""
_OUTPUTS = (
    _POINTER, _INTEGER, _INTEGER, _INTEGER, _POINTER, _INTEGER, _POINTER, _POINTER, _INTEGER, _POINTER,
    _INTEGER,
)  # fmt: skip
"""scale, slices, outputs, padded, bias, bias_step, offset, y, y_step, planes, plane"""
_CELLS = (_POINTER, _INTEGER, _INTEGER)
"""cells, groups, most"""
_LAYER = (*_EVENTS, *_CELLS, _POINTER, _POINTER, _INTEGER, *_OUTPUTS, _POINTER)
"""multiplier, highest and pair between cells and outputs; last what is seen"""
_SIGNATURES = {
    "arrays_narrow": _LAYER,
    "arrays_wide": _LAYER,
    "arrays_loose": (*_LAYER, _INTEGER, _POINTER, _POINTER, _INTEGER, _INTEGER, _INTEGER),
    "arrays_events": (_POINTER, *(_INTEGER,) * 10, _POINTER, _POINTER, _POINTER),
    "arrays_histogram": (*_EVENTS, *_CELLS, _POINTER, _INTEGER, _INTEGER, _POINTER),
    "arrays_histogram_wide": (*_EVENTS, *_CELLS, _POINTER, _INTEGER, _POINTER),
}  # fmt: skip


class ArrayKernels:
    """The functions of ``arrays.c``."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._functions = {}
        for name, types in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = ctypes.c_int, types
            self._functions[name] = function

    def __call__(self, name: str, *arguments: Tensor | int | None) -> None:
        """Call a kernel: tensors by address, integers as int64.

        Raises:
            MemoryError: the kernel got no scratch memory.
        """
        if self._functions[name](*[a.data_ptr() if isinstance(a, Tensor) else a for a in arguments]):
            raise MemoryError(f"no scratch memory for the kernel {name}")


def array_kernels() -> ArrayKernels | None:
    """The kernels; None where the reference has to do the work."""
    library = load(ARRAYS)
    return None if library is None else ArrayKernels(library)
