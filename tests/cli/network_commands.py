"""A small network, trained once, for all tests that only look at it."""

from __future__ import annotations

from pathlib import Path

from command_line import Ran, aster

SMALL = (
    "--set", "workload.resolution=16", "--set", "workload.timesteps=3", "--set", "network.width=16",
    "--set", "network.pooling=1010", "--set", "network.stem=4-2-1-1", "--set", "network.depth=2",
)  # fmt: skip
OFFICIAL = Path(__file__).parents[1] / "network" / "data"


def small_training(folder: Path, *words: object, epochs: int = 4, workload: str = "digits-dvs") -> Ran:
    """Train a network of some 10,000 weights."""
    return aster(
        "train", workload, *SMALL, "--set", f"training.epochs={epochs}", "-o", folder, "--json", *words
    )
