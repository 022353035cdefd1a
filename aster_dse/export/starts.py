"""Networks that were found elsewhere, as something to begin a search with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aster_dse.space import Candidate, SearchSpace

__all__ = ["starts_of"]


def starts_of(found: Iterable[Candidate], space: SearchSpace) -> tuple[list[dict[str, Any]], int]:
    """What a space searches of the networks of some configurations.

    Returns:
        The distinct networks in their order, as ``search.start`` takes them, and how many there were that are
        not in the space: some searched knob has another value there.
    """
    networks: dict[tuple[Any, ...], dict[str, Any]] = {}
    outside = set()
    for candidate in found:
        groups = candidate.model_dump()
        values = {p.path: groups[p.group][p.name] for p in space.outer}
        complete = space.complete({**{p.path: p.from_unit(0.5) for p in space.inner}, **values})
        active = {p.path: values[p.path] for p in space.outer if space.active(p, complete)}
        key = tuple(values.values())
        if all(active[p.path] in p for p in space.outer if p.path in active):
            networks.setdefault(key, active)
        else:
            outside.add(key)
    return [network for network in networks.values() if network], len(outside)
