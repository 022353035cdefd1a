"""The commands that messages name, all written here, so that a shell runs them as they stand."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from aster_dse.storage_url import parse_url, sqlite_file, typed_url

__all__ = [
    "ARTIFACTS_VARIABLE",
    "DATA_VARIABLE",
    "DEFAULT_STORAGE",
    "STORAGE_VARIABLE",
    "TAKES",
    "Places",
    "command",
    "file_name",
    "usual_artifacts",
]

PROGRAM = "aster-dse"
DEFAULT_STORAGE = "sqlite:///aster_dse.db"
STORAGE_VARIABLE = "ASTER_DSE_STORAGE"
ARTIFACTS_VARIABLE = "ASTER_DSE_ARTIFACTS"
DATA_VARIABLE = "ASTER_DSE_DATA"

TAKES: Mapping[str, frozenset[str]] = {
    "search": frozenset({"storage", "artifacts", "data"}),
    "resume": frozenset({"storage", "artifacts", "data"}),
    "stop": frozenset({"storage"}),
    "studies": frozenset({"storage"}),
    "status": frozenset({"storage"}),
    "trials": frozenset({"storage"}),
    "show": frozenset({"storage", "artifacts", "data"}),
    "pareto": frozenset({"storage"}),
    "importance": frozenset({"storage"}),
    "slice": frozenset({"storage"}),
    "dashboard": frozenset({"storage"}),
    "export": frozenset({"storage", "artifacts", "data"}),
    "reproduce": frozenset({"data"}),
    "repeat": frozenset({"storage", "artifacts", "data"}),
    "train": frozenset({"data"}),
    "finetune": frozenset({"data"}),
    "profile": frozenset({"data"}),
    "evaluate": frozenset({"data"}),
    "sweep": frozenset({"data"}),
    "record": frozenset({"data"}),
    "spaces": frozenset(),
    "doctor": frozenset({"storage", "artifacts", "data"}),
    "delete": frozenset({"storage", "artifacts"}),
    "space check": frozenset(),
    "hardware estimate": frozenset(),
    "hardware compare": frozenset(),
    "hardware sweep": frozenset({"data"}),
    "hardware validate": frozenset(),
    "db upgrade": frozenset({"storage"}),
}
"""Command to those of the three places that it has an option for."""


@dataclass(frozen=True)
class Places:
    """Where the command that prints found its things; None where it did not ask."""

    storage: str | None = field(default=None, repr=False)
    """URL of the database, which may hold a password."""
    artifacts: Path | None = None
    """Folder of the trained networks."""
    data: Path | None = None
    """Folder of the data sets."""

    def absolute(self) -> Places:
        """The same, as a shell in another folder finds it."""
        return replace(
            self,
            storage=None if self.storage is None else typed_url(self.storage, absolute=True),
            artifacts=None if self.artifacts is None else self.artifacts.absolute(),
            data=None if self.data is None else self.data.absolute(),
        )

    @property
    def note(self) -> str:
        """What the commands leave out and the shell must have; empty where they are whole."""
        if self._storage_words() and parse_url(self.storage or "").password is not None:
            return "the password is left out: set PGPASSWORD"
        return ""

    def words(self, verb: str) -> list[str]:
        """The options with which a command finds the same things; none where it does so by itself."""
        takes = TAKES[verb]
        words = self._storage_words() if "storage" in takes else []
        if "artifacts" in takes and self.artifacts is not None:
            storage = self.storage or os.environ.get(STORAGE_VARIABLE) or DEFAULT_STORAGE
            found = os.environ.get(ARTIFACTS_VARIABLE) or usual_artifacts(storage)
            words += _unless_same("--artifacts", self.artifacts, Path(found))
        if "data" in takes and self.data is not None:
            words += _unless_same("--data", self.data, Path(os.environ.get(DATA_VARIABLE) or "data"))
        return words

    def _storage_words(self) -> list[str]:
        if self.storage is None or self.storage == (os.environ.get(STORAGE_VARIABLE) or DEFAULT_STORAGE):
            return []
        return ["--storage", typed_url(self.storage)]


def command(
    verb: str,
    *arguments: object,
    options: Iterable[object] = (),
    places: Places | None = None,
    anywhere: bool = False,
) -> str:
    """A command line as a POSIX shell takes it.

    Args:
        verb: the command, as in ``resume`` or ``db upgrade``.
        arguments: what follows it, in order.
        options: further words: flags and their values.
        places: what it works on; named where the command would look elsewhere.
        anywhere: call the program by its name, for a line that is read on other machines.
    """
    given = [str(argument) for argument in arguments]
    words = [str(option) for option in options] + (places.words(verb) if places is not None else [])
    if any(argument.startswith("-") for argument in given):
        line = [*verb.split(), *words, "--", *given]  # else the argument would be read as an option
    else:
        line = [*verb.split(), *given, *words]
    return f"{PROGRAM if anywhere else _program()} {shlex.join(line)}"


def file_name(name: str) -> str:
    """A study's name made fit to begin the name of a file: no folders, no leading dash or dot."""
    kept = "".join(c if c.isalnum() or c in "-_.+=@, " else "-" for c in name)
    return kept.lstrip("-. ")[:100] or "study"


def usual_artifacts(storage: str) -> Path:
    """Where the trained networks of a database lie unless told: beside its file, else in this folder."""
    file = sqlite_file(storage)
    return (Path.cwd() if file is None else file.absolute().parent) / "aster_dse_artifacts"


def _unless_same(option: str, folder: Path, found: Path) -> list[str]:
    same = folder.expanduser().absolute() == found.expanduser().absolute()
    return [] if same else [option, str(folder)]


def _program() -> str:
    """How this program is called from here: by its name, or by its path where the shell does not find it."""
    called = Path(sys.argv[0])
    if called.name != PROGRAM or not called.is_file():
        return PROGRAM
    found = shutil.which(PROGRAM)
    return PROGRAM if found and called.samefile(found) else shlex.quote(str(called.absolute()))
