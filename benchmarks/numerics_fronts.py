"""Fronts of several networks together, for ``numerics_engine.py``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numerics_networks import Subject
from numpy.typing import NDArray

from aster_dse.activity import ActivityTrace
from aster_dse.activity.record import record_trace
from aster_dse.evaluation import Evaluation
from aster_dse.evaluation.calibration_sets import VERIFICATION
from aster_dse.evaluation.interval import wilson_interval
from aster_dse.evaluation.on_arrays import computing_of, evaluate_on_arrays
from aster_dse.evaluation.question import InnerQuestion
from aster_dse.hardware import resolve
from aster_dse.numerics.network_passes import NetworkPasses
from aster_dse.pareto import hypervolume, non_dominated_mask
from aster_dse.policy import PolicyTable
from aster_dse.space import Candidate, assign, load_space
from aster_dse.training import TrainedNetwork
from aster_dse.workload import Workload

Array = NDArray[np.float64]

SPACE = "digits_dvs"
PAIRS = 200_000
"""More than the space has, so that every accelerator meets every policy."""


@dataclass(frozen=True, eq=False)
class StudiedNetwork:
    """A trained network with what it does plainly."""

    name: str
    trained: TrainedNetwork
    workload: Workload
    plain: ActivityTrace

    @classmethod
    def of(cls, subject: Subject) -> StudiedNetwork:
        trained, workload = subject.trained, subject.workload
        return cls(subject.name, trained, workload, record_trace(trained, workload))

    @property
    def plain_accuracy(self) -> float:
        """After all steps."""
        said = self.plain.logits[0].sum(axis=1).argmax(axis=1)
        return float((said == self.plain.labels).mean())


@dataclass(frozen=True)
class Study:
    """The default search."""

    candidate: Candidate
    """Whose policy and accelerator give what is not searched."""
    question: InnerQuestion

    @classmethod
    def default(cls, *settings: str, passes: int = InnerQuestion.passes) -> Study:
        """With other settings ``PATH=VALUE`` of the space."""
        space = load_space(SPACE).override(*settings)
        question = InnerQuestion(
            parameters=space.inner,
            inactive={p.path: space.fixed[p.path] for p in space.inner},
            objectives=dict(space.objectives),
            constraints=tuple(str(bound) for bound in space.constraints),
            count=PAIRS,
            seed=0,
            passes=passes,
        )
        return cls(space.candidate({p.path: p.from_unit(0.5) for p in space.parameters}), question)

    def points(self, evaluations: Sequence[Evaluation]) -> Array:
        """``[n, m]`` objectives, less is better."""
        names = self.question.objectives
        signs = np.array([-1.0 if goal == "max" else 1.0 for goal in names.values()])
        found = np.array([[e.metrics[name] for name in names] for e in evaluations])
        return found.reshape(-1, len(names)) * signs

    @property
    def accuracy(self) -> int:
        """Column of the accuracy."""
        return list(self.question.objectives).index("accuracy")

    @property
    def least_accuracy(self) -> float:
        bound = next(text for text in self.question.constraints if text.startswith("accuracy >="))
        return float(bound.rpartition(" ")[2])


@dataclass(frozen=True)
class Front:
    """Configurations of networks, or what they come to when measured again."""

    study: Study
    designs: tuple[tuple[int, Evaluation], ...]
    """The number of the network, and the configuration."""

    @classmethod
    def of(cls, study: Study, found: Sequence[Sequence[Evaluation]]) -> Front:
        """The feasible ones of all networks that none of them beats."""
        feasible = [(n, e) for n, evaluations in enumerate(found) for e in evaluations if e.feasible]
        kept = non_dominated_mask(study.points([e for _, e in feasible]))
        return cls(study, tuple(design for design, good in zip(feasible, kept, strict=True) if good))

    def again(
        self, passes: Sequence[NetworkPasses], calibration_set: int, *, first_chip: int | None = None
    ) -> Front:
        """The same configurations on other calibration samples, and other chips where cells vary."""
        measured: list[tuple[int, Evaluation]] = []
        for number, made in enumerate(passes):
            found = evaluate_on_arrays(
                made,
                self.study.candidate,
                [e.assignment for n, e in self.designs if n == number],
                self.study.question.constraints,
                calibration_set=calibration_set,
                first_chip=first_chip,
            )
            measured += [(number, evaluation) for evaluation in found]
        return replace(self, designs=tuple(measured))

    def hypervolume(self, corner: Array) -> float:
        """Of the feasible ones."""
        return float(hypervolume(self.study.points(self._feasible), corner))

    def least_energy_uj(self, accuracy: float) -> float | None:
        """Of the feasible ones that are so accurate."""
        energies = [e.metrics["energy_uj"] for e in self._feasible if e.metrics["accuracy"] >= accuracy]
        return min(energies, default=None)

    @property
    def feasible(self) -> int:
        return len(self._feasible)

    @property
    def _feasible(self) -> list[Evaluation]:
        return [e for _, e in self.designs if e.feasible]

    def __len__(self) -> int:
        return len(self.designs)


def corner_of(front: Front) -> Array:
    """The bound on accuracy and the worst costs of a front."""
    study = front.study
    corner = study.points([e for _, e in front.designs]).max(axis=0)
    corner[study.accuracy] = -study.least_accuracy
    return np.asarray(corner)


class TestAccuracy:
    """Runs designs over the test split, which no search sees, with the ranges that they were verified with.

    Args:
        folder: for the passes.
    """

    def __init__(self, networks: Sequence[StudiedNetwork], folder: Path) -> None:
        self._passes = [
            NetworkPasses(n.trained, n.workload, folder / n.name, n.plain, split="test") for n in networks
        ]

    def of(self, study: Study, front: Front) -> dict[str, Any]:
        """Of the design of the front that is said to be most accurate, with its Wilson 95 % interval.

        Args:
            study: whose arrays are real.
        """
        number, best = max(front.designs, key=lambda design: design[1].metrics["accuracy"])
        point = assign(study.candidate, best.assignment)
        passes = self._passes[number]
        computing = computing_of(resolve(point.hardware), passes.plain.geometry, VERIFICATION)
        (trace,) = computing.traces(passes)
        accuracy = PolicyTable(trace).outcome(point.policy).accuracy
        low, high = wilson_interval(accuracy, len(trace.labels))
        return {
            "accuracy": accuracy,
            "low": low,
            "high": high,
            "samples": len(trace.labels),
            "as printed": best.metrics["accuracy"],
        }
