"""The command line: the user's words in, everything wired together, tables or JSON out."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``aster-dse``.

    Args:
        arguments: words after the program's name; None takes those of the process.

    Returns:
        The exit code, which ``docs/cli.md`` lists.
    """
    from aster_dse.cli.program import run

    return run(arguments)
