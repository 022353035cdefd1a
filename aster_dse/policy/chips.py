"""Policies on several chips of one design, and on the plain network: what an accelerator is scored with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aster_dse.activity import ActivityTrace, InferenceActivity
from aster_dse.policy.batch import PolicyBatch, apply_policies, policy_accuracy
from aster_dse.policy.table import PolicyTable
from aster_dse.space import PolicyConfig

__all__ = ["ChipPolicies", "accuracy_on_chips", "apply_on_chips", "mean_activity"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ChipPolicies:
    """``K`` policies applied to the trace of each chip."""

    chips: tuple[PolicyBatch, ...]
    """One for the plain network."""
    accuracy_ideal: Array
    """``[K]`` of the plain network."""

    @classmethod
    def plain(cls, batch: PolicyBatch) -> ChipPolicies:
        """Of a network whose arrays are ideal."""
        return cls((batch,), batch.accuracy)

    def __len__(self) -> int:
        return len(self.accuracy_ideal)

    @property
    def accuracy(self) -> Array:
        """``[K]`` mean over the chips."""
        return np.asarray(np.mean([chip.accuracy for chip in self.chips], axis=0))

    @property
    def activity(self) -> InferenceActivity:
        """Mean over the chips."""
        return mean_activity([chip.activity for chip in self.chips])

    @property
    def figures(self) -> Array:
        """``[K, M]`` all that a metric can depend on, accuracies with their signs turned: less is better."""
        parts = [chip.figures for chip in self.chips]
        if self.accuracy_ideal is not self.chips[0].accuracy:
            parts.append(-self.accuracy_ideal[:, None])
        return np.concatenate(parts, axis=1)

    def take(self, index: NDArray[np.intp]) -> ChipPolicies:
        """The policies at ``index``."""
        chips = tuple(chip.take(index) for chip in self.chips)
        same = self.accuracy_ideal is self.chips[0].accuracy
        return ChipPolicies(chips, chips[0].accuracy if same else self.accuracy_ideal[index])


def mean_activity(parts: Sequence[InferenceActivity]) -> InferenceActivity:
    """The mean counts of the same policies on several chips."""
    if len(parts) == 1:
        return parts[0]
    means = {
        name: np.mean([getattr(part, name) for part in parts], axis=0)
        for name in InferenceActivity.__dataclass_fields__
    }
    return InferenceActivity(**{**means, "exits_early": parts[0].exits_early})


def apply_on_chips(
    plain: ActivityTrace, chips: Sequence[ActivityTrace], policies: Sequence[PolicyConfig]
) -> ChipPolicies:
    """Apply policies to the traces of some chips; to that of the plain network alone where there are none."""
    if not chips:
        return ChipPolicies.plain(apply_policies(PolicyTable(plain), policies))
    batches = tuple(apply_policies(PolicyTable(chip), policies) for chip in chips)
    return ChipPolicies(batches, policy_accuracy(PolicyTable(plain), policies))


def accuracy_on_chips(chips: Sequence[ActivityTrace], policies: Sequence[PolicyConfig]) -> Array:
    """``[K]`` mean accuracy on some chips."""
    return np.asarray(np.mean([policy_accuracy(PolicyTable(chip), policies) for chip in chips], axis=0))
