"""Runs the program as a user does, and says what it printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from aster_dse.cli import main

PROGRAM = Path(sys.executable).with_name("aster-dse")

SPACE = """\
name: tiny
workload: {name: digits-dvs, resolution: 16, timesteps: 2}
network: {width: {choices: [8, 16]}, depth: 1}
training: {epochs: 2, learning_rate: {low: 0.005, high: 0.02, log: true}}
policy: {exit_threshold: {low: 0.2, high: 0.9999999, scale: neglog10}}
hardware: {rows: {choices: [32, 64, 128]}, adc_levels: {choices: [8, 16, 32]}}
objectives: {accuracy: max, energy_uj: min, area_mm2: min}
constraints: ["area_mm2 <= 50"]
search: {trials: 2, inner: 2000, seed: 1}
"""


DIVERGES = ("--set", "training.tet_mean=1.0e+38", "--set", "training.tet_lambda=1.0")
"""Settings with which no training comes far."""


@dataclass(frozen=True)
class Ran:
    """What one command did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document that it is."""
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one line about what went wrong."""
        (line,) = [line for line in self.err.splitlines() if line.startswith("aster-dse: error: ")]
        assert self.err.splitlines()[-1] == line
        assert "Traceback" not in self.err
        return line.removeprefix("aster-dse: error: ")


def aster(*words: object) -> Ran:
    """The program, in this process."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(word) for word in words])
    return Ran(code, out.getvalue(), err.getvalue())


def start(*words: object, folder: Path) -> subprocess.Popen[str]:
    """The program, in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return subprocess.Popen(
        [str(PROGRAM), *map(str, words)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@dataclass(frozen=True)
class Home:
    """A folder with a space file, and the database and networks that a search left."""

    folder: Path

    @property
    def storage(self) -> str:
        return f"sqlite:///{self.folder / 'aster_dse.db'}"

    @property
    def space(self) -> Path:
        return self.folder / "tiny.yaml"

    def aster(self, *words: object) -> Ran:
        """A command on this folder's database."""
        return aster(*words, "--storage", self.storage)

    def search(self, *words: object) -> Ran:
        """A search of this folder's space without Ray."""
        return self.aster("search", self.space, "--workers", 0, *words)
