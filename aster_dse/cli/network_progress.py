"""Progress of one training, and of a pass over samples, on stderr: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aster_dse.cli.output import console, duration, say
from aster_dse.cli.progress import LINE_EVERY_S, clock

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from aster_dse.training import EpochRow

__all__ = ["bytes_progress", "epochs_progress", "samples_progress"]

FIRST_AFTER_S = 2.0
"""How long something may take that shows no progress."""


@contextmanager
def epochs_progress(epochs: int) -> Iterator[Callable[[EpochRow], None]]:
    """Show a training while the block runs; the function that it gives is called after every epoch."""
    started = time.monotonic()
    before: int | None = None

    def left(row: EpochRow) -> str:
        nonlocal before
        before = row.epoch - 1 if before is None else before
        remaining = epochs - row.epoch
        seconds = (time.monotonic() - started) / (row.epoch - before) * remaining
        return f", about {duration(seconds)} left" if remaining else ""

    def facts(row: EpochRow) -> str:
        return f"loss {row.loss:.3f}, validation accuracy {row.accuracy:.3f}"

    if not sys.stderr.isatty():
        last = -LINE_EVERY_S

        def line(row: EpochRow) -> None:
            nonlocal last
            rest = left(row)
            now = time.monotonic()
            if now - last >= LINE_EVERY_S or row.epoch == epochs:
                last = now
                say(f"[{clock(now - started)}] epoch {row.epoch} of {epochs}: {facts(row)}{rest}")

        yield line
        return
    with _bars() as bars:
        task = bars.add_task("epochs", total=epochs, facts="")

        def bar(row: EpochRow) -> None:
            bars.update(task, completed=row.epoch, facts=facts(row) + left(row))

        yield bar


@contextmanager
def samples_progress(label: str, samples: int, unit: str = "samples") -> Iterator[Callable[[int], None]]:
    """Show passes over samples while the block runs; the function that it gives counts what is done."""
    if not sys.stderr.isatty():
        started = last = time.monotonic()
        done = 0

        def line(more: int) -> None:
            nonlocal last, done
            done += more
            now = time.monotonic()
            if now - last >= LINE_EVERY_S and done < samples:
                last = now
                rest = duration((now - started) / done * (samples - done))
                say(f"[{clock(now - started)}] {label}: {done} of {samples} {unit}, about {rest} left")

        yield line
        return
    with _bars() as bars:
        task = bars.add_task(label, total=samples, facts=unit)
        yield lambda more: bars.update(task, advance=more)


@contextmanager
def bytes_progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a reading of files while the block runs, once it has taken two seconds.

    The function that it gives is told the bytes that are read and those to read in all.
    """
    started = last = time.monotonic()
    bars: Progress | None = None
    task: TaskID | None = None

    def told(done: int, total: int) -> None:
        nonlocal last, bars, task
        now = time.monotonic()
        if done >= total or now - started < FIRST_AFTER_S:
            return
        if not sys.stderr.isatty():
            if last == started or now - last >= LINE_EVERY_S:
                last = now
                rest = duration((now - started) / max(1, done) * (total - done))
                say(f"[{clock(now - started)}] {label}: {_mib(done)} of {_mib(total)} MiB, about {rest} left")
            return
        if bars is None:
            bars = _bars()
            bars.start()
            task = bars.add_task(label, total=total, facts="bytes")
        if task is not None:
            bars.update(task, completed=done, total=total)

    try:
        yield told
    finally:
        if bars is not None:
            bars.stop()


def _mib(count: int) -> str:
    return f"{count / 2**20:,.0f}"


def _bars() -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    # In a narrow window the facts are cut, not the bar.
    rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[facts]}", table_column=rest),
    )
    return Progress(*columns, console=console(stderr=True), transient=True, expand=True)
