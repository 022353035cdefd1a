"""The options that several commands share, and the completion of study names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aster_dse.commands import ARTIFACTS_VARIABLE, DEFAULT_STORAGE, STORAGE_VARIABLE, usual_artifacts

if TYPE_CHECKING:
    from aster_dse.space import Constraint

__all__ = [
    "ARTIFACTS_VARIABLE",
    "DEFAULT_STORAGE",
    "FAILURES",
    "STORAGE_VARIABLE",
    "Address",
    "Artifacts",
    "GpuShare",
    "Json",
    "RetryFailed",
    "Select",
    "Storage",
    "StudyName",
    "Where",
    "Workers",
    "artifacts_folder",
    "bounds_of",
    "listed",
]


def _study_names(ctx: typer.Context, incomplete: str) -> list[str]:
    from aster_dse.store import StudyReader

    url = ctx.params.get("storage") or os.environ.get(STORAGE_VARIABLE) or DEFAULT_STORAGE
    try:
        with StudyReader(url) as reader:
            return [study.name for study in reader.studies() if study.name.startswith(incomplete)]
    except Exception:
        # A message would be printed into the line that the user is typing; the command itself says it later.
        return []


Storage = Annotated[
    str,
    typer.Option(
        "--storage",
        envvar=STORAGE_VARIABLE,
        metavar="URL",
        help="The database: sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
StudyName = Annotated[
    str, typer.Argument(metavar="STUDY", help="Name of the study.", autocompletion=_study_names)
]
Artifacts = Annotated[
    Path | None,
    typer.Option(
        "--artifacts",
        envvar=ARTIFACTS_VARIABLE,
        metavar="FOLDER",
        help="Trained networks and their traces; by default aster_dse_artifacts beside the database file.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Trainings at once; by default one per core (and 1.5 GiB of memory), at most four; "
        "0 trains in this process.",
    ),
]
Address = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Join this Ray cluster instead of starting one here.")
]
GpuShare = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        help="GPUs, or the part of one, that a training reserves; by default an even share of those here.",
    ),
]
FAILURES = ("all", "diverged", "input", "memory", "data", "machine", "worker", "error")
"""What ``--retry-failed`` takes; see ``NetworkFailure.kind``."""
RetryFailed = Annotated[
    str | None,
    typer.Option(
        "--retry-failed",
        metavar="[KIND]",
        help="Run trials that failed again, all of them or those of a kind: " + ", ".join(FAILURES[1:]) + ".",
    ),
]
Select = Annotated[
    str,
    typer.Option(
        metavar="WHAT",
        help="pareto, knee, best:METRIC, trial:N or trial:N:INDEX; several with commas between them.",
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="BOUND",
        help="Choose among those that also meet a bound, as in 'accuracy >= 0.95'; repeatable.",
    ),
]


def artifacts_folder(storage: str, artifacts: Path | None) -> Path:
    """Where the trained networks of a database lie: as told, else beside its file, else here."""
    return usual_artifacts(storage) if artifacts is None else artifacts.expanduser().absolute()


def bounds_of(texts: list[str] | None) -> list[Constraint]:
    """What ``--where`` asks for.

    Raises:
        InputError: a text is no bound on a metric.
    """
    from aster_dse.space import parse_constraint
    from aster_dse.space.document import Place

    return [parse_constraint(text, Place("", "--where")) for text in texts or ()]


def listed(words: str | None) -> list[str] | None:
    """The words of ``A,B``; None where the option is not given."""
    return None if words is None else [word.strip() for word in words.split(",") if word.strip()]
