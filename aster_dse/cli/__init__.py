"""The command line: the user's words in, everything wired together, tables or JSON out."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``aster-dse``.

    Args:
        arguments: words after the program's name; None takes those of the process.

    Returns:
        The exit code, which ``docs/cli.md`` lists.
    """
    from aster_dse.cli.search_path import without_empty_elements

    without_empty_elements()
    from aster_dse.cli.program import run
    from aster_dse.cli.terminal import plain_where_needed

    plain_where_needed(sys.stdout, sys.stderr)
    try:
        code = run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has read enough, as head does. What is still to be written goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code
