"""The files of trained networks in an artifacts folder: what each is, how many there are, how large."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from aster_dse.stored_files import ASIDE_SUFFIX, DIGEST_SUFFIX, UNFINISHED_SUFFIX

__all__ = ["PLURALS", "FileCount", "files_of_networks", "kind_of", "networks_in"]

_NAMES = {"lock": "lock", "group.lock": "lock", "trace.npz": "trace"}
_PREFIXES = {"pass-": "pass", "calibration-": "calibration"}
_SUFFIXES = {
    ".safetensors": "checkpoint",
    ".npz": "trace",
    ".json": "report",
    ".lock": "lock",
    UNFINISHED_SUFFIX: "unfinished",
    DIGEST_SUFFIX: "digest",
    ASIDE_SUFFIX: "set aside",
}

PLURALS = {
    "checkpoint": "checkpoints",
    "trace": "traces",
    "pass": "passes",
    "calibration": "calibrations",
    "report": "reports",
    "lock": "locks",
    "digest": "digests",
    "set aside": "set aside",
    "unfinished": "unfinished",
    "file": "other files",
}
"""Each kind of file, and what several are called."""


@dataclass(frozen=True)
class FileCount:
    """Files of one kind."""

    files: int
    bytes: int


def kind_of(path: str) -> str:
    """The kind of a file, one of :data:`PLURALS`; ``unfinished`` is what a killed process left."""
    place = PurePosixPath(path)
    if place.name in _NAMES:
        return _NAMES[place.name]
    if place.suffix == ".npz":
        for prefix, kind in _PREFIXES.items():
            if place.name.startswith(prefix):
                return kind
    return _SUFFIXES.get(place.suffix, "file")


def files_of_networks(folder: Path, keys: Iterable[str]) -> dict[str, FileCount]:
    """What lies in an artifacts folder of these networks, by kind; looks at unfinished ones included."""
    found: dict[str, FileCount] = {}
    for key in keys:
        for path in sorted((folder / key).rglob("*")):
            try:
                size = path.stat().st_size if path.is_file() else None
            except OSError:
                continue  # a running search has just removed it
            if size is not None:
                before = found.get(kind_of(path.name), FileCount(0, 0))
                found[kind_of(path.name)] = FileCount(before.files + 1, before.bytes + size)
    return found


def networks_in(folder: Path) -> list[str]:
    """The keys of the networks that have a folder in an artifacts folder."""
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and (path / "lock").is_file())
