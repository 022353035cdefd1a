"""What can happen to a file: a bit turns, its end is lost, all of it is lost, another one is in its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

FLIPPED = 0.4
"""Where in the file the byte lies that is flipped: in what it holds, not in what leads to it."""


def flip(path: Path, at: float = FLIPPED) -> None:
    content = bytearray(path.read_bytes())
    content[int(len(content) * at)] ^= 0x10
    path.write_bytes(content)


def cut_off(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace(path: Path) -> None:
    """By another file of its kind: the same but for its last bytes, which are figures."""
    content = path.read_bytes()
    path.write_bytes(content[:-64] + content[-128:-64])


DAMAGES: dict[str, Callable[[Path], None]] = {
    "flipped": flip,
    "cut_off": cut_off,
    "emptied": empty,
    "replaced": replace,
}
