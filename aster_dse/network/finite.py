"""Weights must be numbers: one NaN in a layer makes a network give the same answer to all, without a word."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aster_dse.errors import InputError

__all__ = [
    "NotFiniteAnswersError",
    "NotFiniteWeightsError",
    "check_answers",
    "check_finite",
    "not_finite",
]

_NAMED = 3
"""Tensors that a message names."""


class NotFiniteWeightsError(InputError):
    """Weights, or the state of a training, hold values that are no numbers."""


def not_finite(tensors: Mapping[str, Tensor]) -> str:
    """Which tensors hold values that are NaN or infinite in single precision, or variances below 0, and how
    many; else empty."""
    found = []
    for name, tensor in tensors.items():
        if tensor.is_floating_point() or tensor.is_complex():
            # A value of double precision may be too large for the network.
            single = tensor if tensor.is_complex() or tensor.dtype == torch.float32 else tensor.float()
            wrong = tensor.numel() - int(torch.isfinite(single).sum())
            if wrong:
                found.append(f"{wrong:,} of the {tensor.numel():,} values of {name}")
            elif name.endswith("running_var") and (negative := int((single < 0).sum())):
                # Its root would be NaN, which a neuron takes for silence.
                return f"{negative:,} of the {tensor.numel():,} variances {name} are negative"
    if not found:
        return ""
    rest = f" and of {len(found) - _NAMED} more tensors" if len(found) > _NAMED else ""
    verb = "is" if len(found) == 1 and found[0].startswith("1 of") else "are"
    return f"{', '.join(found[:_NAMED])}{rest} {verb} NaN or infinite"


class NotFiniteAnswersError(InputError):
    """A network answers with values that are no numbers."""


def check_answers(logits: NDArray[np.float32], where: str = "network") -> None:
    """Refuse logits that are no numbers: finite weights can still make an overflow, or the root of a negative
    variance.

    Raises:
        NotFiniteAnswersError: it says how many.
    """
    finite = np.isfinite(logits)
    if not finite.all():
        wrong = logits.size - int(finite.sum())
        problem = f"{wrong:,} of its {logits.size:,} logits are NaN or infinite"
        raise NotFiniteAnswersError(where, problem, "weights and inputs of the magnitude it was trained for")


def check_finite(tensors: Mapping[str, Tensor], where: str) -> None:
    """Refuse weights that are no numbers.

    Raises:
        NotFiniteWeightsError: it names the tensors and says how many of their values.
    """
    if problem := not_finite(tensors):
        raise NotFiniteWeightsError(where, problem, "weights of a training that did not diverge")
