"""Who this process is, and whether another one that claimed a study still lives."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Process"]


@dataclass(frozen=True)
class Process:
    """A process, so that neither a reused pid nor a namesake in another container passes for it."""

    host: str
    machine: str
    """Boot and pid namespace, without which a pid means nothing; empty where there is no ``/proc``."""
    pid: int
    start: str
    """Clock ticks from boot to its start; empty without ``/proc``."""

    @classmethod
    def current(cls) -> Process:
        pid = os.getpid()
        return cls(socket.gethostname(), _machine(), pid, _state_and_start(pid)[1])

    def surely_dead(self) -> bool:
        """True where this process can tell that the other is gone; False where it lives or none can say."""
        if self.host != socket.gethostname() or self.machine != _machine() or os.name != "posix":
            return False
        if self.machine:
            state, start = _state_and_start(self.pid)
            return state in {"", "Z", "X"} or start != self.start
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _state_and_start(pid: int) -> tuple[str, str]:
    """State letter and start time, both empty where there is no such process (or no ``/proc``)."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", ""
    # The command name is in brackets and may hold blanks and brackets itself; the rest follows the last one.
    fields = line[line.rindex(")") + 2 :].split()
    return fields[0], fields[19]
