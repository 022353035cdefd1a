"""A week of many workers on a simulated clock: failures, stragglers, preemptions, a driver that restarts."""

from __future__ import annotations

import heapq
from collections import Counter

import numpy as np
import pytest
from analytic_jobs import space
from test_scheduler import REFERENCE, answer

from aster_dse.evaluation import Evaluation
from aster_dse.search.scheduler import PastLook, PastTrial, Scheduler
from aster_dse.space import SearchSpace

WEEK_H = 7 * 24.0
EPOCH_H = 5.0
FAILS, PREEMPTED, STRAGGLES = 0.05, 0.1, 0.05
"""Shares of the pieces of work that such a thing happens to."""


class Cluster:
    """Workers that take hours, and a journal of what came of it, as a store keeps it."""

    def __init__(self, searched: SearchSpace, workers: int, seed: int) -> None:
        self.workers = workers
        self.space = searched
        self.rng = np.random.default_rng(seed)
        self.scheduler = self._scheduler()
        self.clock_h = 0.0
        self.busy: list[tuple[float, int, int | None]] = []
        """End of each piece of work, its trial and the epoch where it is to pause."""
        self.ended: dict[int, PastTrial] = {}
        self.looks: list[PastLook] = []
        self.asked: dict[int, PastTrial] = {}
        self.happened: Counter[str] = Counter()

    def _scheduler(self) -> Scheduler:
        return Scheduler(self.space, seed=4, sampler="sobol", reference=REFERENCE)

    def run(self, hours: float) -> None:
        """Keep all workers busy up to a moment, and let go on what runs then."""
        while True:
            while len(self.busy) < self.workers and self._begin():
                pass
            if not self.busy or self.busy[0][0] > hours:
                return
            self.clock_h, number, pause_at = heapq.heappop(self.busy)
            self._end(number, pause_at)

    def restart(self) -> None:
        """Another driver takes over: it knows what was written down, and begins again what ran."""
        self.happened["restarts"] += 1
        paused = {look.number for look in self.looks} - set(self.ended) - {n for _, n, _ in self.busy}
        open_trials = [
            PastTrial(n, trial.assignment, running=n not in paused, paused=n in paused)
            for n, trial in self.asked.items()
            if n not in self.ended
        ]
        self.scheduler = self._scheduler()
        self.scheduler.replay([*self.ended.values(), *open_trials], self.looks)
        running = [number for _, number, _ in self.busy]
        self.busy = []
        for number in running:
            self._submit(number)

    def _begin(self) -> bool:
        number = self.scheduler.promoted()
        if number is not None:
            self.scheduler.go_on(number)
            self.happened["promotions"] += 1
        else:
            number = self.scheduler.next_number
            proposal = self.scheduler.ask(number)
            if proposal is None:
                return False
            self.asked[number] = PastTrial(number, proposal.assignment)
        self._submit(number)
        return True

    def _submit(self, number: int) -> None:
        pause_at = self.scheduler.pause_at(number)
        candidate = self.space.candidate(self.asked[number].assignment)
        epochs = (pause_at or candidate.training.epochs) - self.scheduler.last_look(number)
        hours = EPOCH_H * epochs * candidate.network.width / 32 * self.rng.uniform(0.8, 1.2)
        if self.rng.random() < STRAGGLES:
            self.happened["stragglers"] += 1
            hours *= 8
        while self.rng.random() < PREEMPTED:  # begins again elsewhere
            self.happened["preemptions"] += 1
            hours += hours * self.rng.random()
        heapq.heappush(self.busy, (self.clock_h + hours, number, pause_at))

    def _end(self, number: int, pause_at: int | None) -> None:
        trial = self.asked[number]
        if self.rng.random() < FAILS:
            self.happened["failures"] += 1
            self.scheduler.tell_failure(number)
            self.ended[number] = trial
            return
        scored = self._front(number)
        if pause_at is not None:
            self.happened["looks"] += 1
            kept = tuple(scored[index] for index in self.scheduler.keep(scored))
            self.scheduler.pause(number, pause_at, kept)
            self.looks.append(PastLook(number, pause_at, kept))
            return
        told = self.scheduler.choose(scored)
        self.scheduler.tell(number, scored, told)
        self.ended[number] = PastTrial(number, trial.assignment, evaluations=scored, told=told)

    def _front(self, number: int) -> tuple[Evaluation, ...]:
        return answer(self.space, number, self.scheduler.running(number))


@pytest.mark.parametrize(("workers", "early"), [(256, "null"), (32, "3")])
def test_a_week(workers: int, early: str) -> None:
    searched = space(f"search.early_stopping={early}", "training.epochs=16", "search.inner=8")
    cluster = Cluster(searched, workers, seed=0)
    cluster.run(60.0)
    before = cluster.scheduler
    cluster.restart()
    assert cluster.scheduler.hypervolume == before.hypervolume
    assert cluster.scheduler.front == before.front
    assert cluster.scheduler.promoted() == before.promoted()
    assert cluster.scheduler.next_number == before.next_number
    cluster.run(WEEK_H)
    pausing = {"promotions", "looks"} if early != "null" else set()
    assert set(cluster.happened) == {"failures", "stragglers", "preemptions", "restarts"} | pausing

    # No worker is idle, no network was trained for two trials, and nothing is lost.
    assert len(cluster.busy) == workers
    networks = [tuple(trial.assignment[p.path] for p in searched.outer) for trial in cluster.asked.values()]
    assert len(set(networks)) == len(networks)
    assert sorted(cluster.asked) == list(range(len(cluster.asked)))
    running = {number for _, number, _ in cluster.busy}
    paused = {look.number for look in cluster.looks} - set(cluster.ended) - running
    assert len(paused) == cluster.scheduler.paused
    assert set(cluster.asked) == set(cluster.ended) | running | paused
    assert not set(cluster.ended) & running

    if pausing:  # about a third goes on
        reached = len({look.number for look in cluster.looks})
        assert reached / 3 - 1 <= cluster.happened["promotions"] <= reached / 2
