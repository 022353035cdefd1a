"""The digest that an exported document carries of itself: what was changed since is no result any more."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from aster_dse.errors import InputError

__all__ = ["SEAL", "check_seal", "seal", "unsealed"]

SEAL = "sha256"
"""Entry of the document; older ones have none."""


def seal(content: Mapping[str, Any]) -> str:
    """SHA-256 of what a document says, whatever its format, order or comments."""
    return hashlib.sha256(
        json.dumps(unsealed(content), sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()


def unsealed(content: Any) -> Any:
    """A document without its digest."""
    if not isinstance(content, dict):
        return content
    return {name: value for name, value in content.items() if name != SEAL}


def check_seal(content: Mapping[str, Any], where: str) -> None:
    """Compare a document with its digest, if it has one.

    Raises:
        InputError: it is not what was written.
    """
    if SEAL in content and content[SEAL] != seal(content):
        raise InputError(
            where,
            f"was changed or damaged after it was written: its {SEAL} is of other content",
            f"the file as aster-dse export wrote it; if the change is yours, remove the entry {SEAL}",
        )
