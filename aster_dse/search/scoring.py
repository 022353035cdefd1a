"""Accuracy of configurations on the test split, which no search sees."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from aster_dse.activity import ActivityTrace
from aster_dse.activity.files import TRACE_FILE, load_trace
from aster_dse.errors import NotFoundError
from aster_dse.evaluation.calibration_sets import VERIFICATION, first_chip_of
from aster_dse.evaluation.interval import wilson_interval
from aster_dse.evaluation.on_arrays import computing_of
from aster_dse.hardware import resolve
from aster_dse.numerics.network_passes import NetworkPasses
from aster_dse.policy import PolicyTable, exits, skipped_blocks
from aster_dse.space import Candidate, PolicyConfig, WorkloadConfig
from aster_dse.training import TrainedNetwork, load_trained, predict_logits
from aster_dse.training.checkpoint import weights_digest
from aster_dse.training.trained import Feed, torch_threads
from aster_dse.workload import Workload, load_workload

__all__ = ["TestScore", "TestScorer"]


@dataclass(frozen=True)
class TestScore:
    """Accuracy on the test split, with its Wilson 95 % interval."""

    __test__ = False  # not a test case, whatever its name

    accuracy: float
    """Of the network as its arrays compute it, mean over chips, where arrays are real."""
    low: float
    high: float
    samples: int
    accuracy_ideal: float | None = None
    """Of the plain network; this and the following are None where arrays are ideal."""
    accuracy_min: float | None = None
    """On the worst chip."""
    accuracy_std: float | None = None
    """Standard deviation between chips (n - 1), 0 at one chip."""
    chips: int | None = None


class TestScorer:
    """Runs configurations on the test split; real arrays are the very ones that were verified.

    Give configurations of the same network one after the other: of the networks only the last one is kept.

    Args:
        artifacts: folder of the trained networks. Passes over the test split are kept there like those over
            validation samples, or, where nothing can be written, until :meth:`close`.
        data: folder in which data sets lie; the usual one where it is not given.
        threads: of this process's linear algebra.
    """

    __test__ = False

    def __init__(self, artifacts: Path, *, data: Path | None = None, threads: int = 1) -> None:
        self._artifacts, self._data, self._threads = artifacts, data, threads
        self._last: tuple[str, _TestedNetwork] | None = None
        self._workload: tuple[WorkloadConfig, Workload] | None = None
        self._elsewhere: tempfile.TemporaryDirectory[str] | None = None

    def close(self) -> None:
        """Forget what could not be kept."""
        if self._elsewhere is not None:
            self._elsewhere.cleanup()

    def __call__(self, candidate: Candidate) -> TestScore | None:
        """Score the network of ``candidate`` with its policy, on its arrays where they are real.

        Returns:
            None where the trained network does not lie in ``artifacts``.

        Raises:
            InputError: what lies there is damaged.
            DataMismatchError: the data set is not the one of ``candidate``.
            PassError: the network could not be run on its arrays.
        """
        network = self._network(candidate)
        return None if network is None else network.score(candidate)

    def _network(self, candidate: Candidate) -> _TestedNetwork | None:
        key = candidate.training_key()
        if self._last is None or self._last[0] != key:
            folder = self._artifacts / key
            try:
                trained = load_trained(folder)
                weights = weights_digest(trained.model.state_dict())
                trace = load_trace(folder / TRACE_FILE, trained.geometry, network=weights)
            except NotFoundError:
                return None
            workload = self._loaded(candidate.workload)
            kept = folder if os.access(folder, os.W_OK) else self._temporary() / key
            self._last = key, _TestedNetwork(trained, trace, workload, kept, self._threads)
        return self._last[1]

    def _loaded(self, config: WorkloadConfig) -> Workload:
        if self._workload is None or self._workload[0] != config:
            self._workload = config, load_workload(config, data=self._data)
        return self._workload[1]

    def _temporary(self) -> Path:
        if self._elsewhere is None:
            self._elsewhere = tempfile.TemporaryDirectory(prefix="aster-passes-")
        return Path(self._elsewhere.name)


class _TestedNetwork:
    def __init__(
        self, trained: TrainedNetwork, trace: ActivityTrace, workload: Workload, folder: Path, threads: int
    ) -> None:
        self._trained, self._trace, self._workload = trained, trace, workload
        self._folder, self._threads = folder, threads
        self._plain: dict[PolicyConfig, float] = {}

    def score(self, candidate: Candidate) -> TestScore:
        plain = self._plain_accuracy(candidate.policy)
        samples = len(self._workload.test)
        if candidate.hardware.arrays != "real":
            return TestScore(plain, *wilson_interval(plain, samples), samples)
        shares = self._on_chips(candidate)
        mean = math.fsum(shares) / len(shares)
        return TestScore(
            mean,
            *wilson_interval(mean, samples),
            samples,
            accuracy_ideal=plain,
            accuracy_min=min(shares),
            accuracy_std=float(np.std(shares, ddof=1)) if len(shares) > 1 else 0.0,
            chips=len(shares),
        )

    def _on_chips(self, candidate: Candidate) -> Sequence[float]:
        """Accuracy on each of the chips that the configuration was verified on, with the same ranges."""
        accelerator = resolve(candidate.hardware)
        computing = computing_of(accelerator, self._trained.geometry, VERIFICATION)
        traces = computing.traces(self._passes, first_chip_of(computing.chips, VERIFICATION))
        return [PolicyTable(trace).outcome(candidate.policy).accuracy for trace in traces]

    @cached_property
    def _passes(self) -> NetworkPasses:
        return NetworkPasses(
            self._trained, self._workload, self._folder, self._trace, threads=self._threads, split="test"
        )

    def _plain_accuracy(self, policy: PolicyConfig) -> float:
        if policy not in self._plain:
            geometry = self._trained.geometry
            steps = min(policy.timesteps or geometry.timesteps, geometry.timesteps)
            skipped = frozenset(skipped_blocks(self._trace.block_activity, policy.skip_threshold))
            with torch_threads(self._threads):
                device = next(self._trained.model.parameters()).device
                feed = Feed(self._workload.test, self._workload, device)
                logits = predict_logits(self._trained.model, feed, skipped=skipped)
            left = exits(logits[:, :steps], policy.exit_threshold, metric=policy.exit_metric)
            self._plain[policy] = float((left.predictions == self._workload.test.labels).mean())
        return self._plain[policy]
