"""What it costs to compute networks as their arrays do, against running them plainly and against other tools,
and what a search finds with a few passes, against one that makes all of them.

    python benchmarks/numerics.py [--part kernels|engine|all] [--artifacts FOLDER] [--checkpoint FILE ...]
        [--json]

Three networks of the default search are trained into the folder, or taken from there, or from checkpoints.
Times are CPU times of one thread, those of kernels medians of ratios over rounds in which all sides run in
turn, so that a busy machine slows all of them alike. ``numerics_kernels.py`` and ``numerics_engine.py`` say
what is measured.

aihwkit-lightning runs in an environment of its own:

    python3 -m venv .lightning && .lightning/bin/pip install aihwkit-lightning==2.1.0

Its Python is named by --lightning, else the one in ``.lightning`` is taken; without one it is left out, and
why is said.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numerics_engine
import numerics_kernels
import torch
from numerics_networks import Subject, subjects
from numerics_report import Report

from aster_dse.evaluation.question import InnerQuestion
from aster_dse.network.kernels.library import available
from aster_dse.network.memory import keep_freed_memory

Part = Callable[[Sequence[Subject], argparse.Namespace], Report]
PARTS: dict[str, Part] = {"kernels": numerics_kernels.measure, "engine": numerics_engine.measure}
"""What each measures of the networks."""


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The document that ``--json`` prints."""
    torch.set_num_threads(1)
    keep_freed_memory()
    networks = list(subjects(folder, options.checkpoint))
    wanted = PARTS if options.part == "all" else {options.part: PARTS[options.part]}
    reports = {name: part(networks, options) for name, part in wanted.items()}
    return {
        "benchmark": "numerics",
        "machine": {
            "cpus": os.cpu_count(),
            "platform": platform.platform(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "kernels": available(),
            "threads": 1,
        },
        "goals": [line for report in reports.values() for line in report.goals],
        "figures": {name: report.figures for name, report in reports.items() if report.figures},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", choices=(*PARTS, "all"), default="all")
    parser.add_argument("--artifacts", type=Path, metavar="FOLDER", help="where trained networks are kept")
    parser.add_argument("--checkpoint", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--passes",
        type=int,
        default=InnerQuestion.passes,
        metavar="N",
        help="classes of arrays that the engine runs a network on at most",
    )
    parser.add_argument("--lightning", type=Path, default=Path(".lightning/bin/python"), metavar="PYTHON")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        document = measure(options, options.artifacts or Path(scratch))
    if options.json:
        print(json.dumps(document, indent=2))
        return
    for line in document["goals"]:
        met = "met" if line["met"] else "NOT MET"
        print(f"{met}: {line['name']} {line['value']:.4g} {line['op']} {line['goal']:g} ({line['peer']})")
    for part, figures in document["figures"].items():
        for name, value in figures.items():
            print(f"{part}: {name}: {json.dumps(value)}")


if __name__ == "__main__":
    main()
