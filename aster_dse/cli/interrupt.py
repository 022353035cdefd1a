"""Ctrl-C: the first one lets what runs come to its end, the second one stops it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from aster_dse.errors import AsterError

__all__ = ["SearchInterruptedError", "drained_by_signals"]

_NOTICE = "finishing the trials that run; Ctrl-C again stops them at once"


class SearchInterruptedError(AsterError):
    """The user ended a search or a training; the message holds the command that goes on (exit code 130)."""

    exit_code = 130


@contextmanager
def drained_by_signals(notice: str = _NOTICE) -> Iterator[threading.Event]:
    """Give an event that the first SIGINT sets; a second one, or SIGTERM, raises KeyboardInterrupt.

    A batch system sends SIGTERM seconds before it kills, so there is no time to drain; an interrupted
    training goes on from its last epoch anyway.

    Args:
        notice: what the first SIGINT is answered with.
    """
    stop = threading.Event()

    def on_interrupt(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        # Not print: the signal may have come in the middle of one.
        os.write(2, f"\naster-dse: {notice}\n".encode())

    def on_terminate(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, on_interrupt),
        signal.SIGTERM: signal.signal(signal.SIGTERM, on_terminate),
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
