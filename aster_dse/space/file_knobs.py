"""The knobs whose value may be the path of a user's own file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["FILE_KNOBS", "is_user_file", "paths_from_here"]

FILE_KNOBS = ("base", "library")
"""Of the accelerator: its preset and its component library."""


def is_user_file(name: object) -> bool:
    """Whether a preset or library is named by the path of a user's own file."""
    return isinstance(name, str) and Path(name).suffix in (".yaml", ".yml")


def paths_from_here(keys: Sequence[str], value: Any) -> Any:
    """A value for the entry at ``keys`` of a space, paths relative to the working directory made absolute.

    Args:
        keys: of the entry, as in ``hardware``, ``library``, ``choices``.
        value: as the command line has it; everything inside it is looked at.
    """
    if isinstance(value, dict):
        return {key: paths_from_here([*keys, key], inside) for key, inside in value.items()}
    if isinstance(value, list):
        return [paths_from_here(keys, inside) for inside in value]
    names_file = len(keys) > 1 and keys[0] == "hardware" and keys[1] in FILE_KNOBS and keys[-1] != "when"
    return str(Path(value).absolute()) if names_file and is_user_file(value) else value
