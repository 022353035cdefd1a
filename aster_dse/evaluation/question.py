"""What a search asks of a trained network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aster_dse.space import METRICS, Candidate, Parameter, parse_constraint

__all__ = ["InnerQuestion", "settled"]

_PAIRS_WHILE_TRAINING = 4_096
_PASSES_WHILE_TRAINING = 2


@dataclass(frozen=True)
class InnerQuestion:
    """What to find out about a trained network."""

    parameters: tuple[Parameter, ...]
    """The searched knobs that need no training, in the order of the space."""
    inactive: Mapping[str, Any]
    """Value of each of them while its condition is false, by path."""
    objectives: Mapping[str, str]
    """Metric to ``max`` or ``min``."""
    constraints: tuple[str, ...]
    count: int
    """Pairs of a policy and an accelerator to score at most, where there are more."""
    seed: int
    passes: int = 4
    """Numerics classes that a network is run on at most, where arrays are real."""

    def while_training(self) -> InnerQuestion:
        """The question to a network that is still being trained: it may be less accurate than a bound asks
        for, since it is so only for now, and fewer pairs do."""
        return replace(
            self,
            constraints=self._lasting,
            count=min(self.count, _PAIRS_WHILE_TRAINING),
            passes=min(self.passes, _PASSES_WHILE_TRAINING),
        )

    def with_accuracy(self) -> InnerQuestion:
        """The same with accuracy as an objective, the last one where it was none."""
        return replace(self, objectives={**self.objectives, "accuracy": METRICS["accuracy"].direction})

    def before_passes(self) -> InnerQuestion:
        """The question to a network that has not run on any arrays: accuracy counts, and bounds on it are
        those of real arrays, which nobody knows yet."""
        return replace(self.with_accuracy(), constraints=self._lasting)

    @property
    def least_accuracy(self) -> float:
        """The bound that is set; 0 for none."""
        bounds = [parse_constraint(text) for text in self.constraints]
        wanted = ("accuracy", "accuracy_min")
        return max((b.bound for b in bounds if b.metric in wanted and b.operator == ">="), default=0.0)

    @property
    def _lasting(self) -> tuple[str, ...]:
        """Constraints on what does not get better while a network is trained."""
        return tuple(
            text
            for text in self.constraints
            if not METRICS[parse_constraint(text).metric].improves_with_training
        )


def settled(
    raw: Mapping[str, Any], searched: Sequence[Parameter], candidate: Candidate, inactive: Mapping[str, Any]
) -> dict[str, Any]:
    """The knobs of ``raw`` as they count: those with a false condition at the value they have then."""
    values = {
        f"{group}.{name}": value
        for group, knobs in candidate.model_dump().items()
        for name, value in knobs.items()
    } | dict(inactive)
    for parameter in searched:
        if parameter.when is None or parameter.when.holds(values):
            values[parameter.path] = raw[parameter.path]
    return {parameter.path: values[parameter.path] for parameter in searched}
