"""What it costs to identify data: beside the trainings of a search, and before its first one.

    python benchmarks/identity.py [--part start] [--images 50000] [--before FOLDER] [--json]

Two figures. CPU seconds that the default search (`search digits_dvs`, in this process) spends on identities
of data sets and on hashes of any kind, as a share of all its CPU seconds; profiled, so that both are a little
above what they are without. And how much later a search on an unchanged folder of images begins to train than
at another commit, checked out at FOLDER (`git worktree add FOLDER COMMIT`): wall seconds from the command to
its first training, the two in turn, medians. Without --before the second is not held against anything.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
IDENTIFIES = ("data_of_space", "identified", "needed_by_workers", "check_unchanged")
"""Functions that list and identify data sets; what they call counts with them."""
HASHES = "_hashlib"
GOAL_SHARE, GOAL_LATER_S = 0.01, 1.0

PROFILED = """
import cProfile, sys, time
from aster_dse.cli import main
profile = cProfile.Profile(time.process_time)
code = profile.runcall(main, sys.argv[2:])
profile.dump_stats(sys.argv[1])
sys.exit(code)
"""
UP_TO_THE_TRAINING = """
import os, sys
from aster_dse.search import job
job.train = lambda *_, **__: os._exit(77)
from aster_dse.cli import main
sys.exit(main(sys.argv[1:]))
"""

SPACE = """\
name: pictures
workload: {name: image-folder, folder: pictures, classes: 10, resolution: 32, timesteps: 1}
network: {width: {choices: [8, 16]}, depth: 1, pooling: "1111"}
training: {epochs: 1, batch_size: 64}
hardware: {rows: {choices: [64, 128]}}
objectives: {accuracy: max, energy_uj: min}
search: {trials: 1, inner: 8, seed: 1}
"""


def pictures(folder: Path, count: int, classes: int = 10) -> None:
    """Images of 32 pixels, each file another."""
    random = np.random.default_rng(0)
    for part, images in (("train", count - count // 10), ("val", count // 10)):
        for number in range(images):
            place = folder / part / f"class{number % classes}"
            place.mkdir(parents=True, exist_ok=True)
            pixels = np.full((32, 32, 3), random.integers(0, 256, 3), np.uint8)
            pixels[0, :8, 0] = np.frombuffer(number.to_bytes(8, "little"), np.uint8)
            Image.fromarray(pixels).save(place / f"{number:06}.png", compress_level=1)


def share_of(home: Path, *words: str) -> tuple[float, float]:
    """CPU seconds on identities and hashes, and in all, of a search in one process."""
    stats = home / "profile"
    command = [sys.executable, "-c", PROFILED, str(stats), "search", *words, "--workers", "0", "--json"]
    subprocess.run(command, cwd=home, check=True, stdout=subprocess.DEVNULL, env=environment(home, ROOT))
    profile: Any = pstats.Stats(str(stats))
    spent = 0.0
    for (_, _, name), (_, _, own, cumulative, _) in profile.stats.items():
        spent += cumulative if name in IDENTIFIES else own if HASHES in name else 0.0
    return spent, float(profile.total_tt)


def environment(home: Path, tree: Path) -> dict[str, str]:
    """The user's, with this commit's code, data and a cache of its own, and one thread."""
    own = {"PYTHONPATH": str(tree), "ASTER_DSE_CACHE": str(home / "cache")}
    return {**os.environ, **own, "ASTER_DSE_DATA": str(home / "data"), "OMP_NUM_THREADS": "1"}


def seconds_to_start(tree: Path, home: Path, space: Path, study: str) -> float:
    """From the command to its first training, which is not begun."""
    words = ["search", str(space), "--study", study, "--workers", "0", "--storage", f"sqlite:///{study}.db"]
    began = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-c", UP_TO_THE_TRAINING, *words],
        cwd=home,
        check=False,
        capture_output=True,
        text=True,
        env=environment(home, tree),
    )
    took = time.monotonic() - began
    if ran.returncode != 77:
        raise SystemExit(ran.stderr)
    return took


def beside_trainings(trials: int | None) -> dict[str, Any]:
    """The first figure."""
    with tempfile.TemporaryDirectory(prefix="aster-identity-") as folder:
        chosen = ["--trials", str(trials)] if trials else []
        spent, total = share_of(Path(folder), "digits_dvs", *chosen)
    said = f"{spent:.3f} of {total:.1f} CPU s"
    return goal("share of the CPU seconds of the default search", spent / total, GOAL_SHARE, said)


def before_the_first(images: int, starts: int, before: Path | None) -> dict[str, Any]:
    """The second figure."""
    trees = {"now": ROOT, **({} if before is None else {"before": before.resolve()})}
    seconds: dict[str, list[float]] = {name: [] for name in trees}
    with tempfile.TemporaryDirectory(prefix="aster-identity-") as folder:
        home = Path(folder)
        pictures(home / "data" / "pictures", images)
        (home / "pictures.yaml").write_text(SPACE)
        for turn in range(starts + 1):
            for name, tree in trees.items():
                took = seconds_to_start(tree, home, home / "pictures.yaml", f"{name}-{turn}")
                if turn:  # the first one reads the files
                    seconds[name].append(took)
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    said = ", ".join(f"{name} {value:.2f} s" for name, value in medians.items())
    later = medians["now"] - medians["before"] if before is not None else None
    return goal(f"seconds that a search on {images} images starts later", later, GOAL_LATER_S, said)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", choices=["trainings", "start", "both"], default="both")
    parser.add_argument("--trials", type=int, help="of the default search; default its own number")
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--before", type=Path, metavar="FOLDER", help="another commit, checked out")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    goals = [beside_trainings(given.trials)] if given.part != "start" else []
    if given.part != "trainings":
        goals.append(before_the_first(given.images, given.starts, given.before))
    if given.json:
        print(json.dumps({"benchmark": "identity", "machine": machine(), "goals": goals}, indent=2))
        return
    for line in goals:
        word = {True: "met", False: "MISSED", None: "not held against another commit"}[line["met"]]
        print(f"{word}: {line['name']}: {line['value']} (goal <= {line['goal']:g}; {line['peer']})")


def goal(name: str, value: float | None, most: float, peer: str = "") -> dict[str, Any]:
    """One line of what the benchmark is held against."""
    met = None if value is None else value <= most
    return {"name": name, "value": value, "op": "<=", "goal": most, "met": met, "peer": peer}


def machine() -> str:
    """What it was measured on."""
    return f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
