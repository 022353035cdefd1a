"""The part of ``numerics.py`` about the search on real arrays: what it finds with a few passes.

On all networks together, as a study of the default search would have them: the search as it is, the engine,
against one that runs every class of arrays (exhaustive), each in empty folders. Both fronts, verified, are
measured anew on calibration samples that neither has seen. Then what the front of a search whose cells vary
keeps on chips that it has not seen, and, as a control, what the front of a search with ideal arrays keeps
on the arrays of its own designs: it has to lose.

All hypervolumes are of the union of the networks' fronts, up to a corner at the study's bound on accuracy
and at the worst costs of the exhaustive front.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numerics_fronts import Front, StudiedNetwork, Study, TestAccuracy, corner_of
from numerics_networks import Subject
from numerics_report import Report, goal

from aster_dse.evaluation.array_search import search_arrays
from aster_dse.evaluation.inner import search_inner
from aster_dse.numerics.network_passes import NetworkPasses, PassLog

FRESH = 2
"""First calibration set that no search uses."""
FRESH_CHIP = 16
"""First of the chips that no search uses, where there are 8."""
VARIATION = "variation=0.1"
PASSES_ON_CHIPS = 2
"""Classes that a network is run on at most where each takes 8 chips, to keep the part short."""
ACCURATE = 0.95
FOUND_GOAL, COST_GOAL, KEPT_GOAL = 0.98, 0.15, 0.97


class Searched:
    """A search of all networks on real arrays, which shares no passes with others.

    Args:
        folder: an empty one for its passes.
        every_class: instead of those that promise most.
    """

    def __init__(
        self, study: Study, networks: Sequence[StudiedNetwork], folder: Path, *, every_class: bool = False
    ) -> None:
        self.passes: list[NetworkPasses] = []
        self.classes: list[int] = []
        found = []
        start = time.process_time()
        for network in networks:
            passes = NetworkPasses(network.trained, network.workload, folder / network.name, network.plain)
            answer = search_arrays(passes, study.candidate, study.question, every_class=every_class)
            found.append(answer.evaluations)
            self.passes.append(passes)
            self.classes.append(answer.classes)
        self.cpu_s = time.process_time() - start
        self.made = sum(log.made for log in self._logs)
        self.front = Front.of(study, found)
        self._calibrations = sum(log.calibrations_made for log in self._logs)
        self._probes = sum(log.probes for log in self._logs)

    @property
    def _logs(self) -> list[PassLog]:
        return [passes.log for passes in self.passes]

    @property
    def figures(self) -> dict[str, Any]:
        return {
            "classes": self.classes,
            "passes": self.made,
            "calibrations": self._calibrations,
            "probes": self._probes,
            "cpu_s": round(self.cpu_s, 2),
            "designs": len(self.front),
        }


def measure(subjects: Sequence[Subject], options: argparse.Namespace) -> Report:
    """The lines of all networks together."""
    networks = [StudiedNetwork.of(subject) for subject in subjects]
    with tempfile.TemporaryDirectory() as scratch:
        return _measure(networks, Path(scratch), options.passes)


def _measure(networks: Sequence[StudiedNetwork], folder: Path, most: int) -> Report:
    study = Study.default("hardware.arrays=real", passes=most)
    _say("every class")
    exhaustive = Searched(study, networks, folder / "exhaustive", every_class=True)
    _say("the engine")
    engine = Searched(study, networks, folder / "engine")
    corner = corner_of(exhaustive.front)
    _say("fresh calibration")
    fresh = {side: side.front.again(side.passes, FRESH) for side in (exhaustive, engine)}
    volume = {side: front.hypervolume(corner) for side, front in fresh.items()}
    _say("the control")
    start = time.process_time()
    ideal = _ideal(networks)
    ideal_cpu_s = time.process_time() - start
    on_arrays = ideal.again(exhaustive.passes, FRESH)
    _say("chips")
    chips, kept_on_chips = _chips(networks, folder / "chips", corner)
    test = TestAccuracy(networks, folder / "test")
    names = f"{len(networks)} networks together"
    every = f"all {sum(exhaustive.classes)} classes"
    goals = [
        goal(
            f"{names}, hypervolume of the verified front on fresh calibration",
            volume[engine] / volume[exhaustive],
            ">=",
            FOUND_GOAL,
            every,
        ),
        goal(f"{names}, passes", engine.made / exhaustive.made, "<=", COST_GOAL, every),
        goal(f"{names}, CPU time of the search", engine.cpu_s / exhaustive.cpu_s, "<=", COST_GOAL, every),
        goal(
            f"{names}, {VARIATION}, at most {PASSES_ON_CHIPS} classes a network, hypervolume of the printed "
            f"front kept on 8 fresh chips",
            statistics.mean(kept_on_chips.values()),
            ">=",
            KEPT_GOAL,
            "as printed",
        ),
        goal(
            f"{names}, control: hypervolume of the front with ideal arrays kept on real ones",
            on_arrays.hypervolume(corner) / ideal.hypervolume(corner),
            "<",
            KEPT_GOAL,
            "as printed with ideal arrays",
        ),
    ]
    figures = {
        "networks": [network.name for network in networks],
        "plain accuracy": {network.name: network.plain_accuracy for network in networks},
        "exhaustive": exhaustive.figures,
        "engine": engine.figures,
        "engine, hypervolume of the verified front over the exhaustive one": engine.front.hypervolume(corner)
        / exhaustive.front.hypervolume(corner),
        "hypervolume kept on fresh calibration": {
            "exhaustive": volume[exhaustive] / exhaustive.front.hypervolume(corner),
            "engine": volume[engine] / engine.front.hypervolume(corner),
        },
        f"search with {VARIATION}": chips.figures,
        "hypervolume kept on fresh chips by calibration set": kept_on_chips,
        "control, cpu_s with ideal arrays, without any pass": round(ideal_cpu_s, 2),
        "control, designs with ideal arrays": len(ideal),
        "control, of these feasible on real arrays": on_arrays.feasible,
        "control, hypervolume on real arrays over the engine's": on_arrays.hypervolume(corner)
        / volume[engine],
        f"energy_uj at {ACCURATE:.0%} accuracy on fresh calibration": {
            "exhaustive": fresh[exhaustive].least_energy_uj(ACCURATE),
            "real": fresh[engine].least_energy_uj(ACCURATE),
            "ideal": on_arrays.least_energy_uj(ACCURATE),
            "ideal, as printed": ideal.least_energy_uj(ACCURATE),
        },
        "test accuracy through the arrays of the most accurate design": {
            "exhaustive": test.of(study, exhaustive.front),
            "real": test.of(study, engine.front),
            "ideal": test.of(study, ideal),
        },
    }
    return Report(goals, figures)


def _ideal(networks: Sequence[StudiedNetwork]) -> Front:
    """What a search with ideal arrays prints."""
    study = Study.default("hardware.arrays=ideal")
    found = [search_inner(n.plain, study.candidate, study.question).evaluations for n in networks]
    return Front.of(study, found)


def _chips(
    networks: Sequence[StudiedNetwork], folder: Path, corner: Any
) -> tuple[Searched, dict[str, float]]:
    """A search whose cells vary, and the share of its front that is left on other chips, by calibration
    set."""
    study = Study.default("hardware.arrays=real", f"hardware.conditions={VARIATION}", passes=PASSES_ON_CHIPS)
    searched = Searched(study, networks, folder)
    printed = searched.front.hypervolume(corner)
    kept = {
        str(number): searched.front.again(searched.passes, number, first_chip=FRESH_CHIP).hypervolume(corner)
        / printed
        for number in (FRESH, FRESH + 1)
    }
    return searched, kept


def _say(what: str) -> None:
    print(f"engine: {what}", file=sys.stderr, flush=True)
