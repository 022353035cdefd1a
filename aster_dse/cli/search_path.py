"""Keeps the working directory off Python's path: a ``torch.py`` there is not the one meant."""

from __future__ import annotations

import os
import sys

__all__ = ["without_empty_elements", "without_module_folder"]

_VARIABLE = "PYTHONPATH"


def without_module_folder() -> None:
    """Take out the working directory that ``python -m`` puts first."""
    if not sys.flags.safe_path and sys.path and _is_here(sys.path[0]):
        del sys.path[0]


def without_empty_elements() -> None:
    """Take out what an empty element of PYTHONPATH stands for, here and in the processes started from here.

    ``PYTHONPATH=$PYTHONPATH:/a/folder`` makes one where the variable was not set, and Python takes it for the
    working directory. A ``.`` is left: that is written on purpose.
    """
    elements = os.environ.get(_VARIABLE, "").split(os.pathsep)
    named = [element for element in elements if element]
    if not named or len(named) == len(elements):
        return
    os.environ[_VARIABLE] = os.pathsep.join(named)
    checkout = os.path.realpath(os.path.join(__file__, *[os.pardir] * 3))
    if not any(_is_here(folder) for folder in (*named, checkout)):
        sys.path[:] = [entry for entry in sys.path if not _is_here(entry)]


def _is_here(entry: str) -> bool:
    try:
        return os.path.samefile(entry or os.curdir, os.curdir)
    except OSError:  # no such folder, or the working directory is gone
        return entry == ""
