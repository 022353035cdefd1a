"""What a command prints: one JSON document, or tables and lines; and how numbers and times look in them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from aster_dse.cli.terminal import shows

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from aster_dse.store.network_files import FileCount

__all__ = [
    "ago",
    "console",
    "duration",
    "files_in_words",
    "heading",
    "is_window",
    "iso",
    "number",
    "print_json",
    "print_table",
    "say",
    "stdout_kept_clean",
    "table",
]

_WIDTH_OF_A_FILE = 160
"""Columns where stdout is no terminal: nobody's window, so nothing should be cut."""


def print_json(document: Any) -> None:
    """The one document of a command with ``--json``."""
    text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)
    if not shows(text):
        text = json.dumps(document, indent=2, allow_nan=False)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def is_window(stream: TextIO) -> bool:
    """Whether somebody sees it in a window of some width, or says that it has one."""
    return stream.isatty() or "COLUMNS" in os.environ


def console(*, stderr: bool = False, at_least: int = _WIDTH_OF_A_FILE) -> Console:
    """A console on stdout (or stderr) that neither guesses at markup nor colours numbers.

    Args:
        at_least: columns where it is no window.
    """
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if is_window(stream) else max(at_least, _WIDTH_OF_A_FILE)
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False, soft_wrap=False)


def table(columns: Sequence[str], *, right: Sequence[str] = (), title: str | None = None) -> Table:
    """An empty table; the columns in ``right`` hold numbers."""
    from rich import box
    from rich.table import Table

    result = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for name in columns:
        result.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return result


def print_table(rows: Table) -> None:
    console().print(rows)


def say(text: str) -> None:
    """A line on stderr: what goes on, never a result."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def stdout_kept_clean() -> Iterator[None]:
    """Send to stderr whatever libraries and child processes print on stdout while a command works."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    before, sys.stdout = sys.stdout, sys.stderr
    try:
        yield
    finally:
        sys.stdout = before
        os.dup2(kept, 1)
        os.close(kept)


def heading(metric: str) -> str:
    """A metric, or one of the test split, as the head of a column, its unit below."""
    from aster_dse.space import METRICS

    unit = METRICS[metric.removeprefix("test_")].unit
    words = metric
    for part in unit.lower().split():
        words = words.replace(f"_{part}", "")
    return f"{words.replace('_', ' ')}\n{'' if unit == '1' else unit.replace('mm2', 'mm²')}"


def number(value: Any) -> str:
    """A value as one reads it: four significant digits, words as they are."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 or abs(value) >= 1e7 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def duration(seconds: float) -> str:
    """``42 s``, ``3 min 05 s``, ``2 h 10 min``."""
    whole = round(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def files_in_words(files: Mapping[str, FileCount]) -> str:
    """How many files of each kind, and how large they are together."""
    from aster_dse.store.network_files import PLURALS

    counts = ", ".join(
        f"{count.files:,} {kind if count.files == 1 else PLURALS[kind]}" for kind, count in files.items()
    )
    return f"{counts} ({sum(count.bytes for count in files.values()) / 2**20:,.1f} MiB)"


def ago(moment: datetime) -> str:
    """How long a moment of the past is gone."""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    if seconds < 172_800:
        return f"{duration(seconds)} ago"
    return f"{seconds / 86_400:.0f} days ago"


def iso(moment: datetime | None) -> str | None:
    """A moment as JSON: ISO 8601 in UTC."""
    return (
        None
        if moment is None
        else moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    )
