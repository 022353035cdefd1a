"""Which samples are for training, which for validation, which for the final test."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["stratified_partition"]

_PARTS = np.array([2 / 3, 5 / 6])
"""Ends of the training and of the validation share; the rest is the test set."""
_STREAM = 0x5B117
"""Keeps these draws apart from others made from the same seed."""


def stratified_partition(
    labels: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Part samples 2/3 : 1/6 : 1/6, the same in every class up to rounding.

    Returns:
        Ascending sample indices for training, validation and test: disjoint, and together all of them.
    """
    generator = np.random.default_rng([seed, _STREAM])
    parts: list[list[NDArray[np.int64]]] = [[], [], []]
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        cuts = np.rint(_PARTS * len(members)).astype(np.int64)
        for part, chosen in zip(parts, np.split(members, cuts), strict=True):
            part.append(chosen)
    train, validation, test = (np.sort(np.concatenate(part)) for part in parts)
    return train, validation, test
