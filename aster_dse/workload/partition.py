"""Which samples are for training, which for validation, which for the final test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import InputError

__all__ = ["held_out", "stratified_partition"]

_PARTS = np.array([2 / 3, 5 / 6])
"""Ends of the training and of the validation share; the rest is the test set."""
_MOST_NAMED = 10
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


def held_out(
    labels: NDArray[np.int64], share: float, seed: int, *, where: str = "", classes: Sequence[str] = ()
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hold a share of the training samples out for validation, of every class alike: one at least.

    Args:
        where: the samples come from, for the message.
        classes: names by label, each of which must have samples for both; others may have one or none.

    Returns:
        Ascending sample indices for training and validation: disjoint, and together all of them.

    Raises:
        InputError: one of ``classes`` has fewer than two samples.
    """
    numbers = np.bincount(labels, minlength=len(classes)).tolist()
    short = [f"{name} ({number})" for name, number in zip(classes, numbers, strict=False) if number < 2]
    if short:
        named = ", ".join(short if len(short) <= _MOST_NAMED else (*short[:_MOST_NAMED], "..."))
        problem = f"has too few training samples to hold one out for validation of {named}"
        raise InputError(where, problem, "2 training samples or more of every class")
    generator = np.random.default_rng([seed, _STREAM, 1])
    training: list[NDArray[np.int64]] = []
    validation: list[NDArray[np.int64]] = []
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        cut = min(max(1, round(share * len(members))), len(members) - 1)
        validation.append(members[:cut])
        training.append(members[cut:])
    return np.sort(np.concatenate(training)), np.sort(np.concatenate(validation))
