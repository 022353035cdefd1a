"""How many samples a data set was published with, and whether a copy of it was cut off."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aster_dse.errors import InputError

__all__ = ["check_published"]


def check_published(folder: Path, counts: Sequence[tuple[str, int, int]], remedy: str) -> None:
    """Refuse a copy that has more than was published, or all of one class or part and less of another.

    Where all of them were published equally large, they must be equally large. A copy with less of each is a
    subset.

    Args:
        counts: name of a class or part, its samples in ``folder``, and as published.
        remedy: what would be right.

    Raises:
        InputError: it is.
    """
    for name, found, wanted in counts:
        if found > wanted:
            problem = f"holds {found} samples of {name}, the data set has {wanted}"
            raise InputError(str(folder), problem, remedy)
    short = [(name, found, wanted) for name, found, wanted in counts if found < wanted]
    alike = len(counts) > 1 and len({wanted for _, _, wanted in counts}) == 1
    if short and (len(short) < len(counts) or (alike and len({found for _, found, _ in short}) > 1)):
        name, found, wanted = min(short, key=lambda one: one[1] / one[2])
        most = max(found / wanted for _, found, wanted in counts)
        problem = (
            f"is cut off: it holds {found} of the {wanted} samples of {name}, "
            f"and {most:.0%} of those of another class or part"
        )
        raise InputError(str(folder), problem, remedy)
