"""Run CACTI over sizes and nodes of on-chip memories and write the table that the component libraries read.

    python benchmarks/cacti_table.py aster_dse/hardware/libraries/memories/cacti-7.json
    python benchmarks/cacti_table.py --spots aster_dse/hardware/baselines/arrays/cacti.json

The second writes 24 memories of sizes that are mostly not in the table, which ``aster-dse hardware validate``
compares it with.

Needs ``hwcomponents-cacti`` (Python 3.12 or later), which brings CACTI 7 in source and compiled: where the
compiled one does not start, build it in the package's folder ``cacti`` with ``make opt``. Takes ten minutes.

Sizes step by a sixteenth of the power of two below them, from 512 bytes (CACTI's least, 64 words of 64 bits)
to 4 MiB. Below that the package has a law of its own: energy goes with the size to the power of 0.78, area
and leakage with the size. One point at a single word says so, since figures are interpolated in logarithms.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hwcomponents_cacti import SRAM  # type: ignore[import-not-found, unused-ignore]

PORT_BITS = 64
STEPS = 16
NODES_NM = (65, 45, 32, 22)
SPOTS = (256, 1000, 1536, 13000, 98304, 716800)
"""Bytes."""
FIGURES = ("read_pj", "write_pj", "area_mm2", "leakage_uw")


def sizes_bytes() -> list[int]:
    """One word, then 512 bytes to 4 MiB."""
    return [8, *(512 * 2**k * (STEPS + i) // STEPS for k in range(13) for i in range(STEPS)), 4 << 20]


def figures(size_bytes: int, node_nm: int) -> tuple[float, float, float, float]:
    memory = SRAM(
        tech_node=node_nm * 1e-9, width=PORT_BITS, depth=size_bytes * 8 / PORT_BITS, size=size_bytes * 8
    )
    return (
        memory.read_energy * 1e12,
        memory.write_energy * 1e12,
        memory.cacti_area * 1e6,
        memory.cacti_leak_power * 1e6,
    )


def main(path: Path) -> None:
    table: dict[str, dict[int, list[float]]] = {name: {} for name in FIGURES}
    for node in NODES_NM:
        rows = [figures(size, node) for size in sizes_bytes()]
        for name, column in zip(FIGURES, zip(*rows, strict=True), strict=True):
            table[name][node] = [float(f"{value:.5g}") for value in column]
        print(node, "nm", flush=True)
    for by_node in table.values():
        # As the package does between the nodes that CACTI has.
        by_node[28] = [
            float(f"{0.4 * low + 0.6 * high:.5g}") for low, high in zip(by_node[22], by_node[32], strict=True)
        ]
    document: dict[str, Any] = {
        "port_bits": PORT_BITS,
        "conditions": "low-standby-power devices (itrs-lstp) at 300 K, one port of 64 bits, one bank; reads "
        "and writes apart; 28 nm between 22 and 32 as the package interpolates; under 512 bytes by the "
        "package's law",
        "source": f"CACTI 7 as hwcomponents-cacti {version('hwcomponents-cacti')} runs it",
        "capacity_kib": [size / 1024 for size in sizes_bytes()],
        **{name: dict(sorted(by_node.items(), reverse=True)) for name, by_node in table.items()},
    }
    lines = json.dumps(document, indent=1).splitlines()
    path.write_text(_one_line_lists(lines))


def spots(path: Path) -> None:
    rows = [
        {
            "bytes": size,
            "node_nm": node,
            **dict(zip(FIGURES, (float(f"{value:.5g}") for value in figures(size, node)), strict=True)),
        }
        for node in NODES_NM
        for size in SPOTS
    ]
    source = f"CACTI 7 as hwcomponents-cacti {version('hwcomponents-cacti')} runs it"
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    path.write_text(f'{{"source": {json.dumps(source)}, "memories": [\n{lines}\n]}}\n')


def _one_line_lists(lines: list[str]) -> str:
    """A list of numbers on one line."""
    text, inside = "", False
    for line in lines:
        if inside:
            text += line.strip() + ("\n" if line.strip().startswith("]") else " ")
            inside = not line.strip().startswith("]")
        else:
            inside = line.endswith("[")
            text += line + ("" if inside else "\n")
    return text


if __name__ == "__main__":
    if sys.argv[1] == "--spots":
        spots(Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1]))
