"""What is not installed: the extras of the package, in words of what to install.

The remedy names the packages themselves: this one is in no package index, and must not be asked for there.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from importlib import metadata

from aster_dse.errors import InputError

__all__ = ["MissingError", "need", "why_missing"]

PACKAGE = "aster-dse"
ORDER = ("networks", "store", "figures", "search", "dashboard", "train", "postgres")
"""The extras, small ones first: the first that has a module is the one that is meant."""

_DISTRIBUTIONS = {
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "tensorboardX": "tensorboardx",
}
"""Of modules whose distribution has another name."""


class MissingError(InputError):
    """Something asked for needs packages that are not installed (exit code 2)."""


def need(what: str, extra: str, *, but: Collection[str] = ()) -> None:
    """Check that the packages of an extra are installed, before anything is begun.

    Args:
        what: who asks, for the message.
        extra: its name.
        but: distributions that this run does without.

    Raises:
        MissingError: names what is missing, and how to install it.
    """
    missing = {name: text for name, text in _missing(extra).items() if name not in but}
    if missing:
        raise _error(what, extra, missing)


def why_missing(error: ModuleNotFoundError) -> MissingError | None:
    """What to install when an import failed; None where the module is of no extra."""
    top = (error.name or "").partition(".")[0]
    name = _normal(_DISTRIBUTIONS.get(top, top))
    for extra in ORDER:
        missing = _missing(extra)
        if name in missing:
            return _error("this command", extra, missing)
    return None


def _error(what: str, extra: str, missing: Mapping[str, str]) -> MissingError:
    remedy = f"pip install {' '.join(shlex.quote(text) for text in missing.values())}"
    if "torch" in missing:
        remedy += "; the README names the small build for CPUs"
    problem = f"{what} needs the extra `{extra}`; not installed: {', '.join(missing)}"
    return MissingError("", problem, remedy)


def _missing(extra: str) -> dict[str, str]:
    """Requirements by the distribution's name."""
    try:
        declared = metadata.requires(PACKAGE) or ()
    except metadata.PackageNotFoundError:  # run from a checkout that was never installed
        return {}
    found = {}
    for text in declared:
        requirement, _, marker = (part.strip() for part in text.partition(";"))
        if re.search(rf"extra == ['\"]{extra}['\"]", marker):
            name = _normal(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])
            if not _installed(name):
                found[name] = requirement
    return found


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
