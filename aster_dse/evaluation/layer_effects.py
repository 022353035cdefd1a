"""What each layer's arrays do to a network: one layer at a time on its arrays, all others exact.

A spike at the threshold flips at any change, so a single run says little: the change in accuracy is a mean
over calibration sets (and, under conditions of the cells, chips), with its standard error. Effects do not
add up; what is left is stated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import PassError
from aster_dse.evaluation.on_arrays import computing_of
from aster_dse.hardware import resolve
from aster_dse.numerics.arrays import LayerArrays, NetworkArrays
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.network_passes import NetworkPasses
from aster_dse.policy import exits, skipped_blocks
from aster_dse.space import Candidate, PolicyConfig

__all__ = ["SETS", "Effect", "LayerEffects", "layer_effects"]

SETS = 4
"""Calibration sets at least."""
_EXACT = LayerArrays(weight_bits=24, cell_bits=8).exact()
"""Equal to the plain layer: no bit of a stored weight is lost."""

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Effect:
    """Of one layer, or of several; over the calibration sets."""

    name: str
    arrays: str
    """What they do, in words."""
    logits: float
    """Mean absolute change of a logit of a step, mean over the sets."""
    points: float
    """Change in accuracy under the policy, in percentage points: mean over the sets."""
    standard_error: float
    """Of ``points``: the standard deviation (n - 1) over the root of the number of sets."""

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return dict(vars(self))


@dataclass(frozen=True)
class LayerEffects:
    """Of all layers of a network on the arrays of a design."""

    layers: tuple[Effect, ...]
    together: Effect
    """All layers on their arrays."""
    remainder: Effect
    """All layers together less the sum of the layers; its change of logits is a difference of means."""
    accuracy_exact: float
    """Of the network with all layers exact."""
    sets: int
    distinct_ranges: int
    """How many of the sets differ in ranges or cells; where all are alike, so are their runs."""
    samples: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "layers": [effect.as_dict() for effect in self.layers],
            "together": self.together.as_dict(),
            "remainder": self.remainder.as_dict(),
            "accuracy_exact": self.accuracy_exact,
            "sets": self.sets,
            "distinct_ranges": self.distinct_ranges,
            "samples": self.samples,
        }


def layer_effects(
    passes: NetworkPasses,
    candidate: Candidate,
    *,
    sets: int = SETS,
    on_run: Callable[[], None] | None = None,
) -> LayerEffects:
    """Run the network with each layer alone on its arrays, for calibration sets 0 to ``sets - 1``.

    Set k goes with chip k, so that under conditions the error is that between chips too. The arrays of a
    layer have the ranges that they have when all layers are on theirs.

    Args:
        candidate: its accelerator and policy are analysed.
        on_run: called after each of ``1 + sets (layers + 1)`` runs.

    Raises:
        PassError: a run failed.
    """
    passes = passes.on_samples(candidate.hardware.validation_samples)
    geometry = passes.plain.geometry
    accelerator = resolve(candidate.hardware)
    first = computing_of(accelerator, geometry, 0)
    passes = passes.under(first.conditions)
    policy = candidate.policy
    skipped = frozenset(skipped_blocks(passes.plain.block_activity, policy.skip_threshold))

    def run(layers: Sequence[ArrayLayer], what: str) -> Logits:
        try:
            found = passes.logits(layers, skipped=skipped)
        except (MemoryError, RuntimeError, ValueError) as error:
            raise PassError(passes.name, what, str(error)) from error
        if on_run is not None:
            on_run()
        return found

    exact = passes.layers(NetworkArrays.uniform(len(geometry.synaptic), _EXACT), 0)
    reference = run(exact, "exact arithmetic")
    labels = passes.plain.labels
    accuracy = _accuracy(reference, labels, policy)
    logits = np.zeros((sets, len(exact) + 1))
    points = np.zeros((sets, len(exact) + 1))
    drawn = set()
    for number in range(sets):
        arrays = replace(first.arrays, calibration_set=number)
        own = passes.layers(arrays, number, event_gating=first.event_gating)
        chip = 0 if first.conditions.ideal else number
        drawn.add((chip, tuple(tuple(layer.multipliers) for layer in own)))
        mixes = [(*exact[:place], own[place], *exact[place + 1 :]) for place in range(len(own))]
        for place, mix in enumerate([*mixes, own]):
            said = run(mix, arrays.text(geometry))
            logits[number, place] = float(np.abs(said - reference).mean())
            points[number, place] = 100.0 * (_accuracy(said, labels, policy) - accuracy)
    names = [layer.name for layer in geometry.synaptic]
    words = [layer.text for layer in first.arrays.layers]
    effects = tuple(
        _effect(name, text, logits[:, place], points[:, place])
        for place, (name, text) in enumerate(zip(names, words, strict=True))
    )
    return LayerEffects(
        layers=effects,
        together=_effect("all layers", "", logits[:, -1], points[:, -1]),
        remainder=_effect(
            "remainder", "", logits[:, -1] - logits[:, :-1].sum(1), points[:, -1] - points[:, :-1].sum(1)
        ),
        accuracy_exact=accuracy,
        sets=sets,
        distinct_ranges=len(drawn),
        samples=len(labels),
    )


def _accuracy(logits: Logits, labels: NDArray[np.int64], policy: PolicyConfig) -> float:
    steps = policy.timesteps or logits.shape[1]
    left = exits(logits[:, :steps], policy.exit_threshold, metric=policy.exit_metric)
    return float((left.predictions == labels).mean())


def _effect(name: str, arrays: str, logits: NDArray[np.float64], points: NDArray[np.float64]) -> Effect:
    error = float(points.std(ddof=1)) / len(points) ** 0.5
    return Effect(name, arrays, float(logits.mean()), float(points.mean()), error)
