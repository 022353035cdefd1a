"""What a search does about faults of the machine: a full disk, memory that is short, data that went away.

Such a fault is no outcome of a network. The trial is interrupted and run again after a pause, where memory
was short with fewer others beside it, in the end alone. A fault that stays ends the search.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from aster_dse.errors import MachineFaultError, machine_fault
from aster_dse.search.protocol import MACHINE_FAULTS, NetworkFailure

__all__ = ["Interruptions", "Patience"]


@dataclass(frozen=True)
class Patience:
    """How long a search waits for a machine, in seconds."""

    fault_s: float = 180.0
    """From the first of faults that follow each other, to the end of the search."""
    memory_s: float = 60.0
    """From a trial's first shortage of memory to the one, alone, that counts as its outcome."""
    pause_s: float = 10.0
    """Before the first new try; each further pause is twice as long."""
    longest_pause_s: float = 60.0


@dataclass
class Interruptions:
    """Trials that wait for the machine to recover.

    Args:
        tell: is given a line for whoever watches.
        stopped: true once no further trial shall begin.
    """

    tell: Callable[[str], None]
    stopped: Callable[[], bool]
    patience: Patience = field(default_factory=Patience)
    limit: float = math.inf
    """Jobs at once; lowered where memory is short."""
    waiting: deque[int] = field(default_factory=deque)
    """Trials to run again, the first first."""
    reasons: dict[int, NetworkFailure] = field(default_factory=dict)
    _short_since: dict[int, float] = field(default_factory=dict)
    _since: float | None = None
    _again_at: float = 0.0
    _pauses: int = 0

    def is_interruption(self, failure: NetworkFailure, at_once: int) -> bool:
        """Whether the trial is to be run again, and then what for; else its failure is its outcome.

        Args:
            at_once: jobs that ran, this one included.

        Raises:
            MachineFaultError: the fault has lasted too long.
        """
        if failure.kind not in MACHINE_FAULTS:
            return False
        now = time.monotonic()
        if failure.kind == "memory":
            first = self._short_since.setdefault(failure.trial, now)
            if at_once == 1 and now - first >= self.patience.memory_s:
                self.recovered()
                return False
            self.limit = max(1, min(self.limit, at_once) // 2)
        self._pause(
            f"trial {failure.trial} is interrupted: {failure.reason}", endless=failure.kind == "memory"
        )
        self.waiting.append(failure.trial)
        self.reasons[failure.trial] = failure
        return True

    def recovered(self) -> None:
        """A job came to an end."""
        self._since, self._pauses = None, 0

    def ready(self) -> bool:
        """Whether jobs may begin."""
        return time.monotonic() >= self._again_at

    def wait(self) -> None:
        """Until jobs may begin, or the search shall stop."""
        while not self.ready() and not self.stopped():
            time.sleep(min(0.1, max(self._again_at - time.monotonic(), 0.0)))

    def try_again(self, action: Callable[[], None], what: str) -> None:
        """Do something here that a full disk can prevent, and again until it is done.

        Raises:
            MachineFaultError: it cannot be done for too long.
        """
        while True:
            try:
                action()
            except OSError as error:
                if not machine_fault(error):
                    raise
                if self.stopped():
                    raise MachineFaultError(f"{what}: {error}") from error
                self._pause(f"{what}: {error}")
                self.wait()
            else:
                return

    def _pause(self, problem: str, *, endless: bool = False) -> None:
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if not endless and now - self._since >= self.patience.fault_s:
            raise MachineFaultError(f"{problem}; it has lasted {_minutes(now - self._since)}")
        seconds = min(self.patience.pause_s * 2**self._pauses, self.patience.longest_pause_s)
        if now >= self._again_at:
            self._pauses += 1
            self._again_at = now + seconds
        end = "" if endless else f", for {_minutes(self.patience.fault_s)} at most"
        beside = f", {self.limit:g} at once" if endless else ""
        self.tell(f"{problem}; trying again in {max(self._again_at - now, 0.0):.0f} s{beside}{end}")


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds < 600 else f"{seconds / 60:.0f} minutes"
