"""Epochs that stopping early saves, and what it costs in hypervolume, replayed on real trainings.

    python benchmarks/early_stopping.py [--seeds 10] [--networks 40] [--factor 3] [--workers 2] [--json]

The table is that of `search_quality.py`, which also says what a share of the hypervolume is. It knows what
each network could do after 1, 2, 3, 4, 6 and all 12 epochs. A search proposes 40 networks with the sampler
that searches have by default: once with every training to its end, once with `search.early_stopping` at the
factor (a look after 2 epochs). One training runs at a time; a network that deserves to go on
goes before a new one, as in a search. The peer is the same search without early stopping: no other program
that we know stops trainings early for several objectives. For comparison, what that search has when it ends
after as many epochs as the one that stops early took. Losses and savings are medians over the seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from search_replay import Replay, replay

SAVED, LOST = 0.4, 0.02


def goals(plain: list[Replay], early: list[Replay]) -> list[dict[str, Any]]:
    lost = statistics.median(
        1.0 - e.shares[-1][1] / p.shares[-1][1] for e, p in zip(early, plain, strict=True)
    )
    saved = statistics.median(1.0 - e.epochs / p.epochs for e, p in zip(early, plain, strict=True))
    peer = "the same search without early stopping"
    return [
        {
            "name": "epochs saved",
            "value": saved,
            "op": ">=",
            "goal": SAVED,
            "met": saved >= SAVED,
            "peer": peer,
        },
        {
            "name": "hypervolume lost",
            "value": lost,
            "op": "<=",
            "goal": LOST,
            "met": lost <= LOST,
            "peer": peer,
        },
    ]


def share_by(plain: Replay, epochs: int) -> float:
    """What a search had when it had trained for so many epochs."""
    return max((share for at, share in plain.shares if at <= epochs), default=0.0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--networks", type=int, default=40)
    parser.add_argument("--factor", type=float, default=3.0)
    parser.add_argument("--workers", type=int, default=min(os.cpu_count() or 1, 2))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    seeds, counts = range(given.seeds), [given.networks] * given.seeds
    with ProcessPoolExecutor(given.workers) as pool:
        plain = list(pool.map(replay, seeds, counts, [None] * given.seeds))
        early = list(pool.map(replay, seeds, counts, [given.factor] * given.seeds))
    met = goals(plain, early)
    if given.json:
        machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        print(json.dumps({"benchmark": "early_stopping", "machine": machine, "goals": met}, indent=2))
        return 0
    print(
        f"{given.networks} networks, share of the table's hypervolume (epochs, networks trained to the end)"
    )
    print(f"{'seed':4s}{'to the end':>24s}{'stopped early':>24s}{'to the end, as many epochs':>28s}")
    for seed, (p, e) in enumerate(zip(plain, early, strict=True)):
        cells = [f"{one.shares[-1][1]:.3f} ({one.epochs}, {one.ends})" for one in (p, e)]
        print(f"{seed:4d}{cells[0]:>24s}{cells[1]:>24s}{share_by(p, e.epochs):>28.3f}")
    for line in met:
        word = "met" if line["met"] else "MISSED"
        print(
            f"{word}: {line['name']}: {line['value']:.3f} (goal {line['op']} {line['goal']}; {line['peer']})"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
