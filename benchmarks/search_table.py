"""Trains many networks of one space and writes down what a search can learn of them.

    python benchmarks/search_table.py [--networks 160] [--workers 2] [--parts FOLDER] [--out FILE]

The table is what `search_quality.py` and `early_stopping.py` replay searches on, so that comparing samplers
takes minutes instead of weeks of training. A network of the space `digits_dvs` is drawn from a scrambled
Sobol sequence over its trained knobs; it is trained exactly as a search trains it; its trace is then asked
for every policy of a grid (docs/search.md), and what each of them makes the hardware do is kept: any
accelerator can be scored from that. The training is paused on its way to do the same for the policies that
are of use there. A part is written per network, so the making can be interrupted and goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

SPACE = "digits_dvs"
LOOKS = (1, 2, 3, 4, 6)
"""Epochs, of 12, after which a training is paused and looked at."""
LEVELS = 16
"""Exit thresholds of the grid."""
POLICIES_OF_A_LOOK = 12
TABLE = Path(__file__).with_name("tables") / "digits_dvs.npz"
_MANTISSA_BITS = 11
"""Kept of each count: a relative rounding of 2e-4, which a packed table shrinks by half for."""


def drawn(networks: int, seed: int = 0) -> list[dict[str, Any]]:
    """Distinct assignments of the trained knobs of the space, by path."""
    from aster_dse.space import load_space

    outer = load_space(SPACE).outer
    points: dict[str, dict[str, Any]] = {}
    for units in qmc.Sobol(len(outer), scramble=True, rng=seed).random(1 << 12).tolist():
        point = {p.path: p.from_unit(unit) for p, unit in zip(outer, units, strict=True)}
        points.setdefault(json.dumps(point, sort_keys=True), point)
        if len(points) == networks:
            break
    return list(points.values())


def make_part(number: int, outer: dict[str, Any], folder: Path) -> str:
    """Train one network and write its part of the table; says how it went."""
    import torch

    from aster_dse.activity.record import record_trace
    from aster_dse.evaluation.inner import policy_points, useful_policies
    from aster_dse.evaluation.question import InnerQuestion
    from aster_dse.policy import PolicyTable
    from aster_dse.policy.batch import apply_policies
    from aster_dse.space import assign, load_space
    from aster_dse.training import train
    from aster_dse.workload import load_workload

    torch.set_num_threads(1)
    space = load_space(SPACE)
    middle = {p.path: p.from_unit(0.5) for p in space.inner}
    candidate = space.candidate({**middle, **outer})
    question = InnerQuestion(
        parameters=space.inner,
        inactive={p.path: space.fixed[p.path] for p in space.inner},
        objectives=space.objectives,
        constraints=tuple(str(bound) for bound in space.constraints),
        count=space.search.inner,
        seed=0,
    )
    workload = load_workload(candidate.workload)
    arrays: dict[str, NDArray[Any]] = {}
    with TemporaryDirectory() as kept:
        for epoch in (*LOOKS, candidate.training.epochs):
            trained = train(
                workload, candidate.network, candidate.training, folder=Path(kept), device="cpu", until=epoch
            )
            trace = record_trace(trained, workload)
            if epoch < candidate.training.epochs:
                points, batch = useful_policies(trace, candidate, question)
                few = np.linspace(0, len(points) - 1, POLICIES_OF_A_LOOK).round().astype(np.intp)
                few = np.unique(few)
                points, batch = [points[index] for index in few.tolist()], batch.take(few)
                name = f"look{epoch}"
            else:
                points = policy_points(trace, candidate, question, levels=LEVELS)
                policies = [assign(candidate, point).policy for point in points]
                batch = apply_policies(PolicyTable(trace), policies)
                name = "end"
            rows, place = np.unique(batch.figures, axis=0, return_inverse=True)
            arrays[f"{name}.figures"] = rounded(rows)
            arrays[f"{name}.place"] = place.astype(np.uint16)
            arrays[f"{name}.policies"] = as_bytes(points)
            arrays[f"{name}.block_activity"] = trace.block_activity
    facts = {
        "outer": outer,
        "accuracy": trained.accuracy,
        "cpu_s": trained.cpu_s,
        "parameters": trained.parameters,
        "history": [[row.accuracy, row.loss] for row in trained.history],
    }
    arrays["facts"] = as_bytes(facts)
    part = folder / f"{number:04d}.npz"
    np.savez_compressed(part.with_suffix(".tmp.npz"), **arrays)
    part.with_suffix(".tmp.npz").rename(part)
    return f"{part.name}: accuracy {trained.accuracy:.3f}, {trained.cpu_s:.0f} CPU s"


def rounded(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Single precision with the last bits of the mantissa rounded off, which makes it pack better."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    drop = 23 - _MANTISSA_BITS
    half = np.uint32(1 << (drop - 1))
    return ((bits + half) & np.uint32((0xFFFFFFFF << drop) & 0xFFFFFFFF)).view(np.float32)


def as_bytes(document: Any) -> NDArray[np.uint8]:
    """JSON as an array, so that a table needs no pickle."""
    return np.frombuffer(json.dumps(document, separators=(",", ":")).encode(), dtype=np.uint8)


def pack(parts: list[Path], out: Path) -> None:
    """All parts as one file."""
    arrays: dict[str, NDArray[Any]] = {}
    for number, part in enumerate(parts):
        with np.load(part, allow_pickle=False) as content:
            arrays |= {f"{number}.{name}": content[name] for name in content.files}
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out, **arrays)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--networks", type=int, default=160)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--parts", type=Path, default=Path("search_table_parts"))
    parser.add_argument("--out", type=Path, default=TABLE)
    given = parser.parse_args()
    given.parts.mkdir(parents=True, exist_ok=True)
    points = drawn(given.networks)
    wanted = [given.parts / f"{number:04d}.npz" for number in range(len(points))]
    missing = [number for number, part in enumerate(wanted) if not part.exists()]
    with ProcessPoolExecutor(given.workers) as pool:
        jobs = [pool.submit(make_part, number, points[number], given.parts) for number in missing]
        for done, job in enumerate(as_completed(jobs), 1):
            print(f"[{done} of {len(missing)}] {job.result()}", file=sys.stderr, flush=True)
    pack(wanted, given.out)
    print(f"{len(wanted)} networks in {given.out}, {given.out.stat().st_size / 2**20:.1f} MiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
