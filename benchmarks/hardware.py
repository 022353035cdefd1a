"""Configurations scored per second, beside SpikeSim's formula and ZigZag-IMC's array model.

    python benchmarks/hardware.py [--json] [--zigzag PYTHON]

Ours scores a million accelerators for one network in one call; the peers compute one configuration after
the other, as their code is written, for the same layers: SpikeSim's formula in plain Python, and zigzag-dse's
array model (its cost per cycle, without its mapper, which takes seconds), in an environment of its own:

    python3 -m venv .zigzag && .zigzag/bin/pip install zigzag-dse

Its Python is named by --zigzag, else the one in ``.zigzag`` is taken; without one it is left out, and why.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from aster_dse.activity.uniform import uniform_activity
from aster_dse.hardware import DesignGrid, DesignTable, estimate_grid, estimate_many, resolve
from aster_dse.hardware.baselines.spikesim import spikesim, spikesim_layers
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.network.on_workload import geometry_for
from aster_dse.space import HardwareConfig, preset

DESIGNS, PEER_DESIGNS, ROUNDS = 1_000_000, 2_000, 3
GOALS = {"digits-dvs": 1_000_000.0, "imagenet-8-512": 100_000.0}
"""Configurations per second and core."""
DIFFERENCE_GOAL = 1e-12
MEMORY_GOAL_MB = 1024.0
GRID: dict[str, tuple[Any, ...]] = {
    "rows": (32, 64, 128, 256),
    "columns": (64, 128, 256, 512),
    "cell_bits": (1, 2, 4),
    "weight_bits": (4, 6, 8),
    "adc_levels": (4, 8, 16, 32, 64, 128, 256),
    "adc_kind": ("flash", "sar", "murmann"),
    "column_mux": (1, 2, 4, 8, 16),
    "node_nm": (65, 45, 32, 22),
    "clock_mhz": tuple(20.0 * step for step in range(1, 33)),
    "event_gating": (True, False),
    "buffer_kib": (16, 32, 64),
}
"""11.6 million designs."""
CHOICES: dict[str, tuple[Any, ...]] = {
    "rows": (32, 64, 128, 256),
    "adc_levels": (8, 16, 32, 64),
    "cell_bits": (1, 2, 4),
    "column_mux": (1, 2, 4, 8),
    "event_gating": (True, False),
}
"""What the search space that ships for digits-dvs searches of the accelerator."""

ZIGZAG = """
import json, sys, time
from zigzag.datatypes import OADimension
from zigzag.hardware.architecture.imc_array import ImcArray
layers, count = json.load(sys.stdin)
D1, D2 = OADimension("D1"), OADimension("D2")
def cost(rows, bits):
    array = ImcArray(is_analog_imc=True, bit_serial_precision=1, input_precision=[1, 8], adc_resolution=bits,
                     cells_size=8, cells_area=0.614e-6, dimension_sizes={D1: 128, D2: rows})
    cycle = sum(array.get_peak_energy_single_cycle().values())
    return sum(cycle * -(-f // rows) * -(-o // 128) * windows for f, o, windows in layers)
start = time.process_time()
for number in range(count):
    cost((32, 64, 128, 256)[number % 4], (3, 4, 5, 6)[number // 4 % 4])
print(count / (time.process_time() - start))
"""


def fastest(work: Any) -> float:
    """CPU seconds of the fastest of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def designs(count: int) -> DesignTable:
    random = np.random.default_rng(0)
    knobs = {name: random.choice(values, count) for name, values in CHOICES.items()}
    return DesignTable.vary(resolve(HardwareConfig()), knobs)


def strangers(count: int) -> DesignTable:
    """Designs of which hardly two have the same arrays and buffers."""
    random = np.random.default_rng(1)
    knobs = {
        "buffer_kib": random.integers(16, 4096, count),
        "columns": 8 * random.integers(8, 128, count),
        "rows": random.choice((32, 64, 128, 256), count),
    }
    return DesignTable.vary(resolve(HardwareConfig(column_mux=1)), knobs)


def spikesim_rate(geometry: NetworkGeometry) -> float:
    layers = spikesim_layers(geometry)

    def work() -> None:
        for number in range(PEER_DESIGNS):
            spikesim(layers, timesteps=geometry.timesteps, crossbar=(32, 64, 128, 256)[number % 4])

    return PEER_DESIGNS / fastest(work)


def zigzag_rate(geometry: NetworkGeometry, python: Path) -> float | str:
    """Configurations per second, or why there is no such figure."""
    if not python.exists():
        return f"no {python} (python3 -m venv .zigzag && .zigzag/bin/pip install zigzag-dse)"
    layers = [(layer.fan_in, layer.out_channels, layer.windows) for layer in geometry.synaptic]
    ran = subprocess.run(
        [str(python), "-c", ZIGZAG],
        input=json.dumps([layers, 200]),
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        return f"it failed: {ran.stderr.strip().splitlines()[-1] if ran.stderr.strip() else 'no message'}"
    return float(ran.stdout)


def grid_rate(geometry: NetworkGeometry) -> tuple[int, float, float]:
    """Designs of a large grid, how many a CPU second, and by how many MB the process grew at most."""
    grid, activity = DesignGrid(resolve(HardwareConfig()), GRID), uniform_activity(geometry, 0.2)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    best = float("inf")
    for _, possible, costs in estimate_grid(geometry, activity, grid):
        best = min(best, float(costs.energy_uj[possible].min(initial=np.inf)))
    rate = len(grid) / (time.process_time() - start)
    return len(grid), rate, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def goal(name: str, value: float, op: str, limit: float, peer: str) -> dict[str, Any]:
    met = value >= limit if op == ">=" else value <= limit
    return {"name": name, "value": value, "op": op, "goal": limit, "met": met, "peer": peer}


def measure_network(name: str, limit: float, python: Path) -> list[dict[str, Any]]:
    chosen = preset(name)
    geometry = geometry_for(chosen.workload, chosen.network)
    activity = uniform_activity(geometry, 0.2)
    count, in_grid, grown_mb = grid_rate(geometry)  # first, while nothing else has taken memory
    many, few = designs(DESIGNS), strangers(DESIGNS // 20)
    rate = DESIGNS / fastest(lambda: estimate_many(geometry, activity, many))
    some = many.take(np.arange(0, DESIGNS, DESIGNS // 500))
    scored, alone = estimate_many(geometry, activity, many), estimate_many(geometry, activity, some)
    apart = max(
        float(np.abs(getattr(scored, figure)[:: DESIGNS // 500] / getattr(alone, figure) - 1.0).max())
        for figure in ("energy_uj", "latency_us", "area_mm2")
    )
    worst = len(few) / fastest(lambda: estimate_many(geometry, activity, few))
    formula, array = spikesim_rate(geometry), zigzag_rate(geometry, python)
    beside = f"SpikeSim's formula in plain Python: {formula:,.0f} configurations/s"
    beside += (
        f"; zigzag-dse's array model left out, {array}"
        if isinstance(array, str)
        else f"; zigzag-dse's array model: {array:,.0f}"
    )
    lines = [
        goal(f"{name}: configurations per second and core", rate, ">=", limit, beside),
        goal(
            f"{name}: the same of all {count:,} designs of a grid of 11 knobs",
            in_grid,
            ">=",
            limit,
            "as above",
        ),
        goal(f"{name}: the same of designs with nothing in common", worst, ">=", limit, "as above"),
        goal(
            f"{name}: over SpikeSim's formula",
            rate / formula,
            ">=",
            1.0,
            "SpikeSim's formula in plain Python",
        ),
        goal(
            f"{name}: difference from one at a time", apart, "<=", DIFFERENCE_GOAL, "the same model, scalar"
        ),
    ]
    if name == next(iter(GOALS)):  # later ones grow into memory that is there
        lines.append(goal(f"{name}: MB that the grid takes", grown_mb, "<=", MEMORY_GOAL_MB, "none: a bound"))
    if not isinstance(array, str):
        lines.append(goal(f"{name}: over zigzag-dse", rate / array, ">=", 1.0, "zigzag-dse's array model"))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--zigzag", type=Path, default=Path(".zigzag/bin/python"), metavar="PYTHON")
    options = parser.parse_args()
    document = {
        "benchmark": "hardware",
        "machine": {
            "cpus": os.cpu_count(),
            "platform": platform.platform(),
            "python": sys.version.split()[0],
            "numpy": np.__version__,
        },
        "goals": [
            line for name, limit in GOALS.items() for line in measure_network(name, limit, options.zigzag)
        ],
    }
    if options.json:
        print(json.dumps(document, indent=2))
        return
    for line in document["goals"]:  # type: ignore[attr-defined]
        met = "met" if line["met"] else "NOT MET"
        print(f"{met}: {line['name']} {line['value']:,.3g} {line['op']} {line['goal']:,g} ({line['peer']})")


if __name__ == "__main__":
    main()
