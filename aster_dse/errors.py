"""Every error a user can cause or meet, each with the exit code the command line gives it.

A message is one line: where, what was found, and what would be right.
"""

from __future__ import annotations

__all__ = [
    "AsterError",
    "DataMismatchError",
    "ExistsError",
    "InfeasibleError",
    "InputError",
    "NotFoundError",
    "PassError",
    "UnreachableError",
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
