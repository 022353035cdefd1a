"""Seeds for every purpose of a search, none of which can collide with another."""

from __future__ import annotations

import numpy as np

__all__ = ["seed_of"]


def seed_of(*words: int) -> int:
    """A seed for one purpose, drawn from the words that name it."""
    return int(np.random.SeedSequence(words).generate_state(1)[0])
