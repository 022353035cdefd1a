"""Keeps passwords out of messages that repeat words of the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

__all__ = ["hide_passwords"]


def hide_passwords(line: str, words: Iterable[str]) -> str:
    """``line`` without the passwords of database addresses among ``words``.

    A study's name, a path or a word too many may be such an address by mistake, and is then repeated.
    """
    words = list(words)
    if not any("://" in word for word in words):
        return line
    from aster_dse.store.address import secrets_in_words

    forms = {form for secret in secrets_in_words(words) for form in _forms(secret)}
    for form in sorted(forms, key=len, reverse=True):
        # Whole words alone: a short one, put out wherever it occurs, could be read from what is missing.
        left, right = (r"\b" if re.match(r"\w", end) else "" for end in (form[0], form[-1]))
        line = re.sub(f"{left}{re.escape(form)}{right}", "***", line)
    return line


def _forms(secret: str) -> Iterator[str]:
    """How a message may write a word: as it is, its blanks made one, quoted, or as a path."""
    for form in (secret, " ".join(secret.split()), repr(secret)[1:-1], secret.replace("'", "'\"'\"'")):
        yield form
        yield re.sub("/+", "/", form)
