"""Terminals that cannot show every character: a plainer one is printed, never an error."""

from __future__ import annotations

import codecs
import io
import sys
from typing import TextIO

from aster_dse.errors import AsterError

__all__ = ["plain_where_needed", "shows", "write_exactly"]

_PLAIN = {
    "²": "2",
    "³": "3",
    "µ": "u",
    "μ": "u",
    "±": "+-",
    "×": "x",
    "…": "...",
    "–": "-",
    "—": "-",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "─": "-",
    "━": "-",
    "│": "|",
    "\N{NO-BREAK SPACE}": " ",
}
_HANDLER = "aster_dse_plain"


def _plainer(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that an encoding lacks: an error handler of :mod:`codecs`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    plain = [_PLAIN.get(one) or one.encode("ascii", "backslashreplace").decode("ascii") for one in lacking]
    return "".join(plain), error.end


def plain_where_needed(*streams: TextIO) -> None:
    """Have streams print plainer characters for those that their encoding lacks."""
    codecs.register_error(_HANDLER, _plainer)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors=_HANDLER)


def shows(text: str) -> bool:
    """Whether standard output can hold every character of a text."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def write_exactly(text: str) -> None:
    """Write data on standard output, each character as it is.

    Raises:
        AsterError: its encoding lacks one.
    """
    if not shows(text):
        raise AsterError(
            f"standard output is in {sys.stdout.encoding}, which lacks characters of the data "
            "(name a file, or set PYTHONIOENCODING=utf-8)"
        )
    sys.stdout.write(text)
