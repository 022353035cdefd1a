"""Knobs of single layers, chosen by what each layer adds to the costs.

Dynamic energy, latency, area and static power are sums over the layers, nearly: packets travel a little
further where a layer takes more tiles, and layers at once share a slot. So it is enough to ask what every
option of every slot adds to one design, the others left alone. For any weighting of the four sums the best
option of a slot then is the best one by itself, and the best vectors for many weightings are put together at
once: all that lie on the convex part of the front. Those between are found from there, by changing one slot
where the sums promise a point that no other beats. What is kept has been scored as it is.

On real arrays the errors that layers are expected to make are a fifth sum, and what they cost in accuracy is
one more figure: by costs alone the fewest levels would always be best.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc  # type: ignore[import-untyped]

from aster_dse.activity import InferenceActivity
from aster_dse.errors import InputError
from aster_dse.evaluation.metric_values import cost_figures
from aster_dse.hardware import Accelerator
from aster_dse.hardware.architecture import check_design
from aster_dse.hardware.cost import CostTable, estimate_many
from aster_dse.hardware.designs import DesignTable
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.pareto import greedy_gain_subset, non_dominated_mask
from aster_dse.space import HARDWARE_KNOBS, LayerRanges

__all__ = ["LayerVectors", "OptionErrors", "best_vectors"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROUNDS = 3
_STRAY = 4
"""One vector in so many that is tried differs from a kept one just anyhow."""
_NEIGHBOURS = 100_000
"""Vectors looked at by their sums at once."""
_DECADES = 5.0
"""Weights of two sums differ by up to this many orders of magnitude."""
_TINY = 1e-300
_ACCURACY = ("accuracy", "accuracy_min")
_LEFT = 1e-3
"""Accuracy is taken to be at least this, as a share of 1."""


@dataclass(frozen=True, eq=False)
class OptionErrors:
    """What options of slots are expected to add to the squared errors of the layers' outputs."""

    of_option: Callable[[int, int], float]
    """Of a slot and an option by their numbers."""
    rest: float
    """Of the layers in no slot."""
    loss: Callable[[Array], Array]
    """Accuracy that sums of errors cost."""


@dataclass(frozen=True, eq=False)
class LayerVectors:
    """What was found for one accelerator under one policy."""

    texts: tuple[str, ...]
    """Values of the ranges, those first that gain most hypervolume."""
    scored: int


def best_vectors(
    geometry: NetworkGeometry,
    activity: InferenceActivity,
    chip: Accelerator,
    ranges: LayerRanges,
    metrics: Collection[str],
    *,
    count: int,
    most: int,
    rng: np.random.Generator,
    errors: OptionErrors | None = None,
) -> LayerVectors:
    """Vectors of options that no other one found beats.

    Args:
        activity: one policy.
        chip: what all of them have in common; its knobs of layers are those that ranges fix.
        ranges: on the layers of this network.
        metrics: what counts; of the accelerator's figures those are compared that they need.
        count: designs to score, about; one for each option of each slot at least.
        most: vectors to return.
        errors: of real arrays, which count where accuracy does.
    """
    counts = errors if any(name in metrics for name in _ACCURACY) else None
    search = _Search(geometry, activity, chip, ranges, metrics, counts)
    if not search.possible:
        return LayerVectors((), 0)
    search.run(count, rng)
    return LayerVectors(tuple(ranges.text(vector) for vector in search.chosen(most)), search.scored)


class _Search:
    def __init__(
        self,
        geometry: NetworkGeometry,
        activity: InferenceActivity,
        chip: Accelerator,
        ranges: LayerRanges,
        metrics: Collection[str],
        errors: OptionErrors | None,
    ) -> None:
        self.scored = 0
        self._geometry, self._activity = geometry, activity
        names = [layer.name for layer in geometry.synaptic]
        self._chip = DesignTable.stack([chip], names)
        self._counts = np.array(ranges.counts, dtype=np.int64)
        self._slots = [(list(slot.layers), slot.family) for slot in ranges.slots]
        self._options = [
            {
                name: np.array([HARDWARE_KNOBS[name].number(option[name]) for option in family.options])
                for name, _ in family.knobs
            }
            for family in ranges.families
        ]
        self._figures = cost_figures(metrics)
        can = [
            np.array([_can_exist(replace(chip, layers=(), **option)) for option in family.options])
            for family in ranges.families
        ]
        self._can = [can[family] for _, family in self._slots]
        self.possible = bool(self._slots) and all(mask.any() for mask in self._can)
        self._known: set[bytes] = set()
        self._vectors = np.zeros((0, len(self._slots)), dtype=np.int64)
        self._errors = errors
        self._missed = np.zeros((len(self._slots), int(self._counts.max(initial=0))))
        """``[slot, option]`` their errors."""
        if errors is not None:
            for slot, mask in enumerate(self._can):
                for option in np.flatnonzero(mask).tolist():
                    self._missed[slot, option] = errors.of_option(slot, option)
        self._sums = np.zeros((0, 4 + (errors is not None)))
        self._points = np.zeros((0, len(self._figures) + (errors is not None)))

    def run(self, count: int, rng: np.random.Generator) -> None:
        """Score about ``count`` designs."""
        if math.prod(int(mask.sum()) for mask in self._can) <= count:
            rows = itertools.product(*(np.flatnonzero(mask).tolist() for mask in self._can))
            self._take(np.array(list(rows), dtype=np.int64))
            return
        base, added = self._ask_each_option()
        self._take(self._supported(base, added, max((count - self.scored) // 2, 1), rng))
        for left in range(_ROUNDS, 0, -1):
            self._take(self._between(added, max((count - self.scored) // left, 1), rng))

    def chosen(self, most: int) -> list[list[int]]:
        """The best of them, in the order of what they gain."""
        logs = np.log(np.maximum(self._points, _TINY))
        corner = logs.max(axis=0) + 0.1
        best, _ = greedy_gain_subset(logs, np.zeros((0, logs.shape[1])), corner, most)
        return [list(map(int, vector)) for vector in self._vectors[best]]

    def _ask_each_option(self) -> tuple[Array, Array]:
        """The sums of one design, and what an option adds to them, ``[slot, option, sums]``."""
        middle = np.array([np.flatnonzero(mask)[mask.sum() // 2] for mask in self._can])
        slot = np.repeat(np.arange(len(self._can)), [mask.sum() for mask in self._can])
        option = np.concatenate([np.flatnonzero(mask) for mask in self._can])
        asked = np.repeat(middle[None], len(slot) + 1, axis=0)
        asked[np.arange(1, len(asked)), slot] = option
        sums = self._sums_of(self._score(asked), asked)
        added = np.full((len(self._slots), int(self._counts.max()), sums.shape[1]), np.inf)
        added[slot, option] = sums[1:] - sums[0]
        return sums[0], added

    def _supported(self, base: Array, added: Array, count: int, rng: np.random.Generator) -> Ints:
        """The best vectors for many weightings of the sums."""
        power = 2 ** max(count - 1, 1).bit_length()
        weights = 10.0 ** (_DECADES * qmc.Sobol(len(base), scramble=True, rng=rng).random(power)[:count])
        scale = np.where(base > 0.0, base, 1.0)
        relative = added / scale
        best = np.empty((count, len(self._slots)), dtype=np.int64)
        for place, options in enumerate(relative):
            score = np.where(
                np.isfinite(options[:, 0]), weights @ np.nan_to_num(options, posinf=0.0).T, np.inf
            )
            best[:, place] = score.argmin(axis=1)
        return best

    def _between(self, added: Array, count: int, rng: np.random.Generator) -> Ints:
        """Vectors that differ from a kept one in one slot and seem worth a try by their sums."""
        most = max(_NEIGHBOURS // int(self._counts.sum()), 1)
        kept = rng.permutation(len(self._vectors))[:most]
        mine, sums = self._vectors[kept], self._sums[kept]
        vectors, expected = [], []
        for slot, can in enumerate(self._can):
            for option in np.flatnonzero(can):
                others = mine[:, slot] != option
                changed = mine[others]
                expected.append(sums[others] - added[slot, changed[:, slot]] + added[slot, option])
                changed[:, slot] = option
                vectors.append(changed)
        new, sums = np.concatenate(vectors), np.concatenate(expected)
        figures = {
            "energy_uj": sums[:, 0] + sums[:, 3] * sums[:, 1] * 1e-3,
            "latency_us": sums[:, 1],
            "area_mm2": sums[:, 2],
        }
        fresh = np.array([vector.tobytes() not in self._known for vector in new])
        promising = non_dominated_mask(self._with_accuracy([figures[f] for f in self._figures], sums))
        hopeful, others = np.flatnonzero(fresh & promising), np.flatnonzero(fresh & ~promising)
        # Some of the others too: where layers depend on each other, sums promise too little.
        tried = [(hopeful, count), (others, min(count // _STRAY, count - min(len(hopeful), count)))]
        chosen: Ints = new[np.concatenate([rng.permutation(rows)[:most] for rows, most in tried])]
        return chosen

    def _take(self, vectors: Ints) -> None:
        """Score vectors that are new, and keep the front."""
        vectors = np.unique(vectors, axis=0)
        vectors = vectors[[vector.tobytes() not in self._known for vector in vectors]]
        if not len(vectors):
            return
        self._known |= {vector.tobytes() for vector in vectors}
        table = self._score(vectors)
        sums = self._sums_of(table, vectors)
        points = self._with_accuracy([getattr(table, name) for name in self._figures], sums)
        points = np.concatenate([self._points, points])
        everything = np.concatenate([self._vectors, vectors])
        _, first = np.unique(points, axis=0, return_index=True)
        first = np.sort(first)
        kept = first[non_dominated_mask(points[first])]
        self._vectors, self._points = everything[kept], points[kept]
        self._sums = np.concatenate([self._sums, sums])[kept]

    def _sums_of(self, table: CostTable, vectors: Ints) -> Array:
        """``[K, 4]`` dynamic energy, latency, area and static power; errors of the layers, where they count,
        are a fifth."""
        static_uj = table.leakage_mw * table.latency_us * 1e-3
        sums = [table.energy_uj - static_uj, table.latency_us, table.area_mm2, table.leakage_mw]
        if self._errors is not None:
            slots = np.arange(len(self._slots))
            sums.append(self._errors.rest + self._missed[slots, vectors].sum(axis=1))
        return np.stack(sums, axis=1)

    def _with_accuracy(self, figures: list[Array], sums: Array) -> Array:
        """``[K, figures]``, with one over the share of the accuracy that is left, where it counts."""
        if self._errors is not None:
            left = np.maximum(1.0 - self._errors.loss(sums[:, 4]), _LEFT)
            figures = [*figures, 1.0 / left]
        return np.stack(figures, axis=1)

    def _score(self, vectors: Ints) -> CostTable:
        self.scored += len(vectors)
        chips = self._chip.take(np.zeros(len(vectors), dtype=np.int64))
        shape = (len(vectors), len(self._geometry.synaptic))
        columns: dict[str, Any] = {}
        for place, (layers, family) in enumerate(self._slots):
            for name, numbers in self._options[family].items():
                if name not in columns:
                    columns[name] = np.broadcast_to(getattr(chips, name), shape).copy()
                columns[name][:, layers] = numbers[vectors[:, place], None]
        return estimate_many(self._geometry, self._activity, replace(chips, **columns))


def _can_exist(design: Accelerator) -> bool:
    try:
        check_design(design, "hardware")
    except InputError:
        return False
    return True
