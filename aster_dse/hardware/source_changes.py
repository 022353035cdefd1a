"""What differs between two documents, figure by figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["content_changes"]


def content_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """A line for each entry that differs, as in ``cells.rram.read_pj: 0.02 -> 0.04``."""
    old, new = dict(_entries(before)), dict(_entries(after))
    return [
        f"{path}: {old.get(path, 'not given')} -> {new.get(path, 'not given')}"
        for path in dict.fromkeys([*old, *new])
        if (path in old, old.get(path)) != (path in new, new.get(path))
    ]


def _entries(content: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every figure and text inside, by its path."""
    if isinstance(content, Mapping) and content:
        for key, value in content.items():
            yield from _entries(value, f"{path}.{key}" if path else str(key))
    elif isinstance(content, list | tuple) and any(isinstance(item, Mapping | list) for item in content):
        for index, value in enumerate(content):
            yield from _entries(value, f"{path}.{index}")
    else:
        yield path, list(content) if isinstance(content, tuple) else content
