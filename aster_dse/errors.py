"""Every error a user can cause or meet, each with the exit code the command line gives it.

A message is one line: where, what was found, and what would be right.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

__all__ = [
    "AsterError",
    "DataMismatchError",
    "ExistsError",
    "InfeasibleError",
    "InputError",
    "InputProblemsError",
    "MachineFaultError",
    "NotFoundError",
    "PassError",
    "Problems",
    "UnreachableError",
    "all_of",
    "machine_fault",
    "problems_of",
]


class AsterError(Exception):
    """Root of the package's errors; something ran and failed (exit code 1)."""

    exit_code = 1


class InputError(AsterError, ValueError):
    """Bad input (exit code 2).

    Args:
        where: file and path inside it, or the option, e.g. ``spaces/x.yaml: hardware.adc_levels``.
        problem: what was found, with the value.
        remedy: what would be right.
    """

    exit_code = 2

    def __init__(self, where: str, problem: str, remedy: str = "") -> None:
        self.where = where
        self.problem = problem
        self.remedy = remedy
        text = f"{where}: {problem}" if where else problem
        super().__init__(f"{text} ({remedy})" if remedy else text)

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, str]]:
        return type(self), (self.where, self.problem, self.remedy)


class InputProblemsError(InputError):
    """Several things wrong with one file, each a message of its own; ``where`` and the like are the first's.

    Args:
        problems: two at least, in the order of the file.
    """

    def __init__(self, problems: Sequence[InputError]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(first.where, first.problem, first.remedy)
        self.args = ("\n".join(map(str, self.problems)),)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problems,)


def problems_of(error: InputError) -> tuple[InputError, ...]:
    """What is wrong, one thing at a time."""
    return error.problems if isinstance(error, InputProblemsError) else (error,)


def all_of(problems: Sequence[InputError]) -> InputError:
    """One error for them all; there is one at least."""
    flat = list(dict.fromkeys(part for problem in problems for part in problems_of(problem)))
    return flat[0] if len(flat) == 1 else InputProblemsError(flat)


class Problems:
    """Collects what is wrong with a file, so that all of it is said at once."""

    def __init__(self) -> None:
        self._found: list[InputError] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Go on after the block when it finds bad input."""
        try:
            yield
        except InputError as error:
            self._found.append(error)

    def refuse(self) -> None:
        """Raise what was found.

        Raises:
            InputError: something was.
        """
        if self._found:
            raise all_of(self._found)


class DataMismatchError(AsterError):
    """A data set is not the one that a study, a job or an exported file was made with (exit code 2).

    Args:
        where: the folder, the study or the file.
        problem: which data it holds, and which were expected.
        remedy: what would be right.
    """

    exit_code = 2

    def __init__(
        self,
        where: str,
        problem: str,
        remedy: str = "restore the data set, or name the folder it lies in with --data",
    ) -> None:
        self.where, self.problem, self.remedy = where, problem, remedy
        text = f"{where}: {problem}"
        super().__init__(f"{text} ({remedy})" if remedy else text)

    def __reduce__(self) -> tuple[type[DataMismatchError], tuple[str, str, str]]:
        return type(self), (self.where, self.problem, self.remedy)


class NotFoundError(AsterError):
    """A named study, trial, file or checkpoint does not exist (exit code 3)."""

    exit_code = 3


class ExistsError(AsterError):
    """The thing to be created exists already and differs (exit code 3)."""

    exit_code = 3


class InfeasibleError(AsterError):
    """A search ended without a point that meets the constraints (exit code 4)."""

    exit_code = 4


class UnreachableError(AsterError):
    """The database or the cluster cannot be reached (exit code 5)."""

    exit_code = 5


class PassError(AsterError):
    """A network could not be run on some arrays.

    Args:
        network: its training key, or what it is called.
        arrays: what they do, in words.
        reason: what went wrong.
    """

    def __init__(self, network: str, arrays: str, reason: str) -> None:
        self.network, self.arrays, self.reason = network, arrays, reason
        super().__init__(f"network {network} on arrays of {arrays}: {reason}")

    def __reduce__(self) -> tuple[type[PassError], tuple[str, str, str]]:
        return type(self), (self.network, self.arrays, self.reason)


class MachineFaultError(AsterError):
    """Disk, memory, data or a device was missing and did not come back in time (exit code 5)."""

    exit_code = 5


_NO_FAULT = frozenset({errno.EEXIST, errno.EINTR, errno.EAGAIN, errno.ECHILD, errno.EPIPE, errno.EINVAL})
"""Numbers of system errors that a program rather than its machine is to blame for."""
_WORDS = (
    (re.compile(r"can't allocate memory|Cannot allocate memory|out of memory|bad_alloc", re.I), "memory"),
    (re.compile(r"can't start new thread|unable to mmap"), "memory"),
    (re.compile(r"No space left on device|Input/output error|Read-only file system"), "machine"),
    (re.compile(r"\(os error (5|13|28|30|116|122)\)"), "machine"),  # of safetensors
    (re.compile(r"CUDA error|No CUDA GPUs are available|NVML|NCCL error|cudaError"), "machine"),
)
"""Of libraries that turn what the system said into an error of their own."""
_NAMES = {
    "OutOfMemoryError": "memory",  # torch's and Ray's, known by name so that neither need be imported
    "ObjectStoreFullError": "memory",
    "OutOfDiskError": "machine",
    "NodeDiedError": "machine",
    "LocalRayletDiedError": "machine",
}


def machine_fault(error: BaseException) -> str:
    """Whether an error is a fault of the machine, which says nothing about what was being computed.

    Looks at what the error was raised for, too: a message in our words often stands for a system error.

    Returns:
        ``memory``, ``data`` (a file or folder that is missing), ``machine`` (disk, device, permission), or
        nothing.
    """
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        found = _fault(link)
        if found:
            return found
        cause = getattr(link, "cause", None)  # where Ray keeps what a worker raised
        # Not of an error that merely came up while another one was handled.
        behind = link.__context__ if link.__suppress_context__ else None
        link = link.__cause__ or behind or (cause if isinstance(cause, BaseException) else None)
    return ""


def _fault(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, NotFoundError):
        return "data"
    if isinstance(error, OSError):
        if error.errno == errno.ENOMEM:
            return "memory"
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return "data"
        return "" if error.errno is None or error.errno in _NO_FAULT else "machine"
    name = _NAMES.get(type(error).__name__, "")
    if name or isinstance(error, AsterError) or not isinstance(error, Exception):
        return name
    foreign = isinstance(error, RuntimeError) or not type(error).__module__.startswith(
        ("aster_dse", "builtins")
    )
    return next((kind for words, kind in _WORDS if foreign and words.search(str(error))), "")
