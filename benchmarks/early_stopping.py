"""Epochs that stopping early saves, and what it costs in hypervolume, replayed on real trainings.

    python benchmarks/early_stopping.py [--seeds 10] [--networks 40] [--factor 3] [--workers 2] [--json]

The table is that of `search_quality.py`, which also says what a share of the hypervolume is. It knows what each
network could do after 1, 2, 3, 4, 6 and all 12 epochs. A search proposes 40 networks, each with the sampler
that searches have by default: once with every training to its end, once with `search.early_stopping` (a look
after a quarter of the epochs, the best third goes on). One training runs at a time; a network that deserves to
go on goes before a new one, as in a search. The peer is the same search without early stopping: no other
program that we know stops trainings early for several objectives.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from search_quality import Share, _nearest, networks, reference, space_of_table

from aster_dse.search.findings import Findings
from aster_dse.search.halving import Halving
from aster_dse.search.sampling import NetworkSampler

SAVED, LOST = 0.4, 0.02
KEPT = 16


@dataclass(frozen=True)
class Replay:
    share: float
    """Of the best hypervolume of the table."""
    epochs: int
    ends: int
    """Networks trained to the end."""


def replay(seed: int, count: int, factor: float | None, first: float, ends: int) -> Replay:
    """One search; without a factor every network is trained to its end."""
    space = space_of_table()
    total = int(space.fixed["training.epochs"])
    sampler = NetworkSampler(space, seed=seed, sampler="auto", reference=reference())
    findings = Findings(space.objectives, reference())
    halving = None if factor is None else Halving(factor, first, findings.corner)
    rungs = {} if halving is None else halving.rungs(total)
    left = {n.number: n for n in networks()}
    share, epochs, whole, begun = Share(), 0, 0, 0
    paused: list[int] = []
    while True:
        promoted = halving.next() if halving is not None else None
        early = [number for number in paused if begun <= ends]
        if early and halving is not None:
            promoted = early[0], 0
        if promoted is not None and halving is not None:
            number, rung = promoted
            halving.go_on(number, rung)
            chosen, at = networks()[number], rungs[rung]
            paused.remove(number)
            goal = next(((r, e) for r, e in rungs.items() if e > at), None)
        elif begun < count:
            proposed = sampler.propose(begun, [], [n.assignment for n in left.values()])
            chosen = left.pop(_nearest(proposed[0], list(left.values())).number)
            begun += 1
            at, goal = 0, next(iter(rungs.items()), None)
        else:
            break
        if goal is not None and halving is not None:
            rung, epoch = goal
            seen = chosen.look(epoch)
            kept = [seen[index] for index in findings.worth_keeping(seen, KEPT)]
            halving.reach(chosen.number, rung, findings.minimised(kept))
            sampler.learn_early(chosen.assignment, kept, rung)
            paused.append(chosen.number)
            epochs += epoch - at
        else:
            sampler.learn(chosen.assignment, chosen.evaluations, ())
            share.add(chosen.evaluations)
            epochs += total - at
            whole += 1
    return Replay(share.volumes[-1], epochs, whole)
